"""AlphaGo Zero as an agent: AlphaZero, with a gate between the network that learns and the one that plays."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor

from zoo_alphazero import gate
from zoo_alphazero.agent import AlphaZero
from zoo_alphazero.config import AlphaGoZeroConfig
from zoo_alphazero.networks import PolicyValueNetwork, fold
from zoo_core import packing, seeding
from zoo_core.planner import Evaluation
from zoo_core.world_model import State


class AlphaGoZero(AlphaZero):
    """AlphaGo Zero (Silver et al. 2017, doi:10.1038/nature24270, methods).

    | in the paper | here |
    | --- | --- |
    | optimisation of θ | `Learner`, as in AlphaZero |
    | evaluator: 400 games of the new checkpoint against the best network θ* | `challenge`, `gate.score` |
    | self-play by θ*, which the candidate becomes if it wins 55 % | `best`, `config.win_rate` |

    Acting, searching and self-play are by the best network.

    Differs from the paper: as AlphaZero here, whose symmetries are those of the learning alone. Games of the gate begin
    with random moves, each opening played with both colours, where the paper's differ by the symmetries that its search
    draws. No game is resigned.
    """

    config_class = AlphaGoZeroConfig
    config: AlphaGoZeroConfig

    def __init__(self, env: Any, config: Any = None, **kwargs: Any) -> None:
        super().__init__(env, config, **kwargs)
        self.best: PolicyValueNetwork = copy.deepcopy(self.learner.network)
        self._challenged_at = 0  # updates that were made before the last challenge
        self._gate_rng = seeding.rng(self.seed, "gate")

    @property
    def acting_network(self) -> PolicyValueNetwork:
        """The best network so far, θ*."""
        return self.best

    def improve(self) -> dict[str, float]:
        """Makes the updates that are due; after enough of them the network challenges the best one."""
        metrics = super().improve()
        if self.learner.updates - self._challenged_at >= self.config.updates_per_candidate:
            metrics |= self.challenge()
        return metrics

    def challenge(self) -> dict[str, float]:
        """Lets the network play against the best one, whose place it takes if it wins often enough."""
        candidate = fold(self.learner.network)

        def evaluate(state: State, *, rng: torch.Generator) -> Evaluation:
            with torch.no_grad():
                return Evaluation(*candidate(torch.from_numpy(self.game.observe(state)).to(self.device)))

        points = gate.score(
            self.game,
            self.rules,
            self.make_search(evaluate=evaluate),
            self.make_search(),
            num_games=self.config.gate_games,
            opening_moves=self.config.gate_opening_moves,
            rng=self._gate_rng,
            show=self.progress_bar,
        )
        self._challenged_at = self.learner.updates
        if points >= self.config.win_rate:
            self.best.load_state_dict(self.learner.network.state_dict())
            self._folded = None
        return {"gate/points": points, "gate/taken": float(points >= self.config.win_rate)}

    def to_file(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Returns what AlphaZero does, and the best network."""
        data, tensors = super().to_file()
        best = packing.add_prefix(self.best.state_dict(), "best/")
        return {**data, "challenged_at": self._challenged_at}, tensors | best

    def load_file(self, data: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """Restores what `to_file` returned."""
        super().load_file(data, tensors)
        packing.load_weights(self.best, packing.with_prefix(tensors, "best/"))
        self._challenged_at = int(data["challenged_at"])

    def to_checkpoint(self) -> dict[str, Any]:
        """Returns where the random streams stand."""
        return {**super().to_checkpoint(), "gate": self._gate_rng.get_state()}

    def load_checkpoint(self, state: dict[str, Any]) -> None:
        """Sets the random streams to where they stood."""
        super().load_checkpoint(state)
        self._gate_rng.set_state(state["gate"])
