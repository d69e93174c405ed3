"""AlphaGo's networks, and the steps that make them better."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from zoo_alphazero.alphago import learning
from zoo_alphazero.alphago.config import AlphaGoConfig
from zoo_alphazero.alphago.networks import LinearPolicy, freeze, log_policy, make_policy, make_value, value_of
from zoo_alphazero.alphago.pool import Pool
from zoo_alphazero.alphago.records import Steps
from zoo_core import packing, seeding
from zoo_mcts.games.game import Array, Game

Logits = Callable[[Array], Tensor]  # planes [B, ...] -> logits [B, A] on the CPU
OnUpdate = Callable[[int], object]  # is told how many updates were made

SL, RL, VALUE, ROLLOUT = "sl", "rl", "value", "rollout"  # p_σ, p_ρ, v_θ, p_π


class Learner:
    """p_σ, p_ρ, v_θ and p_π, their optimisers, and the pool of earlier p_ρ.

    Args:
        game: the rules.
        config: sizes and learning rates.
        seed: of the initial weights, and of every batch.
        device: of the networks.

    Attributes:
        networks: by name, in the mode of evaluation, except during an update.
        pool: earlier selves.
    """

    def __init__(self, game: Game, config: AlphaGoConfig, *, seed: int, device: torch.device) -> None:
        self.game, self.config, self.device = game, config, device
        seeds = {name: seeding.stream_seed(seed, name) for name in ("policy", VALUE)}
        self.networks: dict[str, nn.Module] = {
            SL: make_policy(game, seed=seeds["policy"], **config.network_size),
            RL: make_policy(game, seed=seeds["policy"], **config.network_size),
            VALUE: make_value(game, seed=seeds[VALUE], **config.network_size),
            ROLLOUT: LinearPolicy(game),
        }
        for network in self.networks.values():
            network.to(device).eval()
        self.optimizers = {name: self._make_optimizer(name) for name in self.networks}
        self.pool = Pool(self.networks[RL])
        self._rng = seeding.rng(seed, "learning")
        self._frozen: dict[str, nn.Module] = {}

    # -- what the networks say -----------------------------------------------------------------------------------------

    def freeze(self, name: str) -> nn.Module:
        """Returns a network for evaluation alone; "pool-3" is the fourth of the earlier selves."""
        if name not in self._frozen:
            kind, _, number = name.partition("-")
            network = self.pool.selves[int(number)] if kind == "pool" else self.networks[name]
            self._frozen[name] = freeze(network)
        return self._frozen[name]

    def logits(self, name: str) -> Logits:
        """Returns a policy, as it is now, as what plays calls it."""
        network = self.freeze(name)

        def logits(planes: Array) -> Tensor:
            with torch.no_grad():
                out: Tensor = network(torch.from_numpy(planes).to(self.device))
            return out.float().cpu()

        return logits

    def set_weights(self, name: str, weights: dict[str, Tensor]) -> None:
        """Replaces the weights of a network."""
        packing.load_weights(self.networks[name], weights)
        self._frozen.pop(name, None)

    @property
    def rollout_policy(self) -> LinearPolicy:
        """p_π."""
        policy: LinearPolicy = self.networks[ROLLOUT]  # type: ignore[assignment]
        return policy

    # -- p_σ and p_π ---------------------------------------------------------------------------------------------------

    def supervise(self, steps: Steps, *, done: float, share: float, on_update: OnUpdate) -> dict[str, float]:
        """Goes through recorded positions once, and returns the mean losses of p_σ and p_π.

        Args:
            steps: of recorded games.
            done: share of all supervised learning that lies behind; the learning rates go down with it.
            share: of this pass.
            on_update: is called after each update.
        """
        losses: dict[str, list[Tensor]] = {SL: [], ROLLOUT: []}
        rates = {SL: self.config.learning_rate, ROLLOUT: self.config.rollout_learning_rate}
        num = learning.num_batches(len(steps.action), self.config.batch_size)
        self.networks[SL].train()
        for i, rows in enumerate(learning.batches(len(steps.action), self.config.batch_size, self._rng)):
            seen = learning.moves_seen_otherwise(self.game, steps, rows, self._rng, self.device)
            planes, legal, action = seen
            for name, of in losses.items():
                loss = learning.supervised_loss(self.networks[name](planes), legal, action)
                self.optimizers[name].param_groups[0]["lr"] = rates[name] * (1.0 - done - share * i / num)
                learning.step(self.optimizers[name], loss)
                of.append(loss.detach())
            on_update(i + 1)
        self.networks[SL].eval()
        self._frozen.clear()
        return {name: float(torch.stack(of).mean()) for name, of in losses.items()}

    # -- p_ρ -----------------------------------------------------------------------------------------------------------

    def begin_reinforcement(self) -> None:
        """Begins p_ρ anew, from p_σ, with a pool of it alone."""
        self.networks[RL].load_state_dict(self.networks[SL].state_dict())
        self.optimizers[RL] = self._make_optimizer(RL)
        self.pool.clear()
        self._frozen.clear()
        self.enrol()

    def enrol(self) -> None:
        """Puts a copy of p_ρ into the pool."""
        self.pool.add(self.networks[RL])

    def reinforce(self, steps: Steps, seats: Array, *, baseline: bool) -> float:
        """Makes a step of REINFORCE on games of p_ρ, and returns its mean entropy.

        Norms stay as they are: the policy that played is the one that learns.

        Args:
            steps: of n games.
            seats: `[n]` in which p_ρ played.
            baseline: subtract v_θ from z.
        """
        mine = np.flatnonzero(steps.player == seats[steps.game])
        arrays = (steps.planes[mine], steps.legal[mine], steps.action[mine], steps.outcome[mine])
        planes, legal, action, advantage = learning.to_device(self.device, *arrays)
        if baseline:
            with torch.no_grad():
                advantage = advantage - value_of(self.freeze(VALUE), planes)
        logits = self.networks[RL](planes)
        loss = learning.policy_gradient_loss(logits, legal, action, advantage, len(seats))
        learning.step(self.optimizers[RL], loss)
        self._frozen.pop(RL, None)
        log_p = log_policy(logits.detach(), legal)
        return float(-torch.where(legal, log_p.exp() * log_p, 0.0).sum(1).mean())

    # -- v_θ -----------------------------------------------------------------------------------------------------------

    def fit_value(self, planes: Array, outcome: Array, num_updates: int, *, on_update: OnUpdate) -> float:
        """Makes updates of v_θ on batches drawn from positions, and returns the mean loss.

        Args:
            planes: `[N, ...]` one position of each game.
            outcome: `[N]` z for the player to move there.
            num_updates: at least one.
            on_update: is called after each update.
        """
        losses = []
        self.networks[VALUE].train()
        for i in range(num_updates):
            rows = torch.randint(len(outcome), (self.config.batch_size,), generator=self._rng).numpy()
            nothing = np.zeros((len(rows), self.game.num_actions), np.int8)
            shown, _ = learning.seen_otherwise(self.game, planes[rows], nothing, self._rng)
            x, z = learning.to_device(self.device, shown, outcome[rows])
            loss = learning.value_loss(value_of(self.networks[VALUE], x), z)
            learning.step(self.optimizers[VALUE], loss)
            losses.append(loss.detach())
            on_update(i + 1)
        self.networks[VALUE].eval()
        self._frozen.pop(VALUE, None)
        return float(torch.stack(losses).mean())

    def _make_optimizer(self, name: str) -> torch.optim.Optimizer:
        config = self.config
        rates = {
            SL: config.learning_rate,
            RL: config.reinforce_learning_rate,
            VALUE: config.value_learning_rate,
            ROLLOUT: config.rollout_learning_rate,
        }
        decay = 0.0 if name == RL else config.weight_decay
        return torch.optim.AdamW(self.networks[name].parameters(), lr=rates[name], weight_decay=decay)

    # -- files ---------------------------------------------------------------------------------------------------------

    def to_file(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Returns networks, optimisers and the pool."""
        state, moments = packing.pack({name: each.state_dict() for name, each in self.optimizers.items()})
        tensors = packing.add_prefix(self.pool.to_file(), "pool/") | packing.add_prefix(moments, "optimizers")
        for name, network in self.networks.items():
            tensors |= packing.add_prefix(network.state_dict(), f"{name}/")
        return {"optimizers": state}, tensors

    def load_file(self, data: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """Restores what `to_file` returned."""
        for name, network in self.networks.items():
            packing.load_weights(network, packing.with_prefix(tensors, f"{name}/"))
        states = packing.unpack(data["optimizers"], packing.with_prefix(tensors, "optimizers"))
        for name, optimizer in self.optimizers.items():
            packing.load_optimizer(optimizer, states[name])
        self.pool.load_file(packing.with_prefix(tensors, "pool/"))
        self._frozen.clear()

    def to_checkpoint(self) -> Tensor:
        """Returns where the random stream stands."""
        return self._rng.get_state()

    def load_checkpoint(self, state: Tensor) -> None:
        """Sets the random stream to where it stood."""
        self._rng.set_state(state)
