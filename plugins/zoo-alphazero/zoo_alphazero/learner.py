"""Gradient steps on a network of policy and value, from positions of self-play."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoo_alphazero.config import AlphaZeroConfig
from zoo_alphazero.losses import policy_loss, value_loss
from zoo_alphazero.networks import PolicyValueNetwork, make_network
from zoo_alphazero.replay import PositionReplay, Positions
from zoo_core import packing, seeding
from zoo_mcts.games.game import Game


class Learner:
    """The network θ, and what makes it better: l = (z - v)² - π · log p + c ‖θ‖².

    Args:
        game: whose positions they are.
        config: network, optimiser and schedule.
        seed: of the initial weights and of every batch.
        device: of the network.

    Attributes:
        network: in the mode of evaluation, except during an update.
        updates: gradient steps so far.
    """

    def __init__(self, game: Game, config: AlphaZeroConfig, *, seed: int, device: torch.device) -> None:
        self.game, self.config, self.device = game, config, device
        self.network: PolicyValueNetwork = make_network(
            game.view,
            game.num_actions,
            seed=seeding.stream_seed(seed, "network"),
            device=device,
            **config.network_size,
        ).eval()
        self.optimizer = _make_optimizer(self.network, config)
        self.updates = 0
        self._rng = seeding.rng(seed, "learning")

    def learn(self, replay: PositionReplay) -> dict[str, Tensor]:
        """Makes one gradient step, and returns its losses."""
        positions = replay.sample(self.config.batch_size, rng=self._rng)
        if self.config.symmetries:
            positions = turn(self.game, positions, rng=self._rng)
        return self.update(positions)

    def update(self, positions: Positions) -> dict[str, Tensor]:
        """Makes one gradient step on given positions."""
        planes, legal, policy, outcome = (
            torch.from_numpy(np.ascontiguousarray(array)).to(self.device) for array in positions
        )
        self.network.train()
        value, logits = self.network(planes)
        losses = {
            "policy_loss": policy_loss(logits, policy, legal).mean(),
            "value_loss": value_loss(value, outcome).mean(),
        }
        self.optimizer.zero_grad(set_to_none=True)
        (losses["policy_loss"] + losses["value_loss"]).backward()  # type: ignore[no-untyped-call]
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate
        self.optimizer.step()
        self.network.eval()
        self.updates += 1
        return {name: loss.detach() for name, loss in losses.items()}

    @property
    def learning_rate(self) -> float:
        """Of the next update."""
        rate = self.config.learning_rate
        for start, dropped in self.config.learning_rate_drops:
            if self.updates >= start:
                rate = dropped
        return rate

    # -- files ---------------------------------------------------------------------------------------------------------

    def to_file(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Returns weights, optimiser and counter."""
        state, moments = packing.pack(self.optimizer.state_dict())
        tensors = packing.add_prefix(self.network.state_dict(), "network/") | packing.add_prefix(moments, "optimizer")
        return {"updates": self.updates, "optimizer": state}, tensors

    def load_file(self, data: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """Restores what `to_file` returned."""
        packing.load_weights(self.network, packing.with_prefix(tensors, "network/"))
        state = packing.unpack(data["optimizer"], packing.with_prefix(tensors, "optimizer"))
        packing.load_optimizer(self.optimizer, state)
        self.updates = int(data["updates"])

    def to_checkpoint(self) -> Tensor:
        """Returns where the random stream stands."""
        return self._rng.get_state()

    def load_checkpoint(self, state: Tensor) -> None:
        """Sets the random stream to where it stood."""
        self._rng.set_state(state)


def turn(game: Game, positions: Positions, *, rng: torch.Generator) -> Positions:
    """Shows each position in a random one of the game's symmetries."""
    planes, legal, policy, outcome = positions
    num = len(game.symmetries(planes[:1], policy[:1]))
    if num == 1:
        return positions
    chosen = torch.randint(num, (len(outcome),), generator=rng, device=rng.device).cpu().numpy()
    planes, legal, policy = (array.copy() for array in (planes, legal, policy))
    for each in range(1, num):
        rows = np.flatnonzero(chosen == each)
        seen = planes[rows]
        legal[rows] = game.symmetries(seen, legal[rows])[each][1]
        planes[rows], policy[rows] = game.symmetries(seen, policy[rows])[each]
    return Positions(planes, legal, policy, outcome)


def _make_optimizer(network: PolicyValueNetwork, config: AlphaZeroConfig) -> torch.optim.Optimizer:
    weight_decay = 2.0 * config.l2  # which torch takes as c of c/2 ‖θ‖²
    if config.optimizer == "adam":
        return torch.optim.Adam(network.parameters(), lr=config.learning_rate, weight_decay=weight_decay)
    return torch.optim.SGD(
        network.parameters(), lr=config.learning_rate, momentum=config.momentum, weight_decay=weight_decay
    )
