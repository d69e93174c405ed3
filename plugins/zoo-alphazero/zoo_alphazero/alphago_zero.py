"""AlphaGo Zero as an agent: AlphaZero, with a gate between the network that learns and the one that plays."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor

from zoo_alphazero.agent import AlphaZero
from zoo_alphazero.config import AlphaGoZeroConfig
from zoo_alphazero.gate import SearchPlayer
from zoo_alphazero.networks import PolicyValueNetwork
from zoo_core import packing
from zoo_core.planner import Evaluation
from zoo_core.progress import Progress
from zoo_core.seeding import stream_seed
from zoo_core.world_model import State
from zoo_mcts.arena import play_games


class AlphaGoZero(AlphaZero):
    """AlphaGo Zero (Silver et al. 2017, doi:10.1038/nature24270, methods).

    | in the paper | here |
    | --- | --- |
    | optimisation of θ | `Learner`, as in AlphaZero |
    | evaluator: 400 games of the new checkpoint against the best network θ* | `challenge` |
    | self-play by θ*, which the candidate becomes if it wins 55 % | `best`, `config.win_rate` |

    Acting, searching and self-play are by the best network.

    Differs from the paper: as AlphaZero here; symmetries are those of the learning alone. Games of the gate begin with
    random moves, each opening played with both colours, where the paper's differ by the symmetries that its search
    draws. No game is resigned.
    """

    config_class = AlphaGoZeroConfig
    config: AlphaGoZeroConfig

    def __init__(self, env: Any, config: Any = None, **kwargs: Any) -> None:
        super().__init__(env, config, **kwargs)
        self.best: PolicyValueNetwork = copy.deepcopy(self.learner.network)
        self._challenged_at = 0  # updates that were made before the last challenge

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
        candidate = SearchPlayer("candidate", self.make_search(evaluate=self._evaluate_candidate()), self.rules)
        best = SearchPlayer("best", self.make_search(), self.rules)
        self._challenged_at = self.learner.updates
        with Progress("games of the candidate", self.config.gate_games, show=self.progress_bar) as progress:
            games = play_games(
                self.game,
                candidate,
                best,
                self.config.gate_games,
                seed=stream_seed(self.seed, f"gate-{self.learner.updates}"),
                opening_moves=self.config.gate_opening_moves,
                on_progress=progress.to,
            )
        points = games.record(0).score / self.config.gate_games
        if points >= self.config.win_rate:
            self.best.load_state_dict(self.learner.network.state_dict())
            self._folded = None
        return {"gate/points": points, "gate/taken": float(points >= self.config.win_rate)}

    def _evaluate_candidate(self) -> Any:
        network = self.fold(self.learner.network)

        def evaluate(state: State, *, rng: torch.Generator) -> Evaluation:
            with torch.no_grad():
                return Evaluation(*network(torch.from_numpy(self.game.observe(state)).to(self.device)))

        return evaluate

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
