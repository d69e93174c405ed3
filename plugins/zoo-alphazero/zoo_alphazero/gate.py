"""A player of the gate: what a network finds by search."""

from __future__ import annotations

import numpy as np

from zoo_core.planner import Planner
from zoo_core.seeding import rng as make_rng
from zoo_core.world_model import State, WorldModel
from zoo_mcts.games.game import Game
from zoo_mcts.players.player import Choice


class SearchPlayer:
    """Makes the search's own choice (τ → 0).

    Args:
        name: of the player.
        planner: searches.
        model: the rules.
    """

    deterministic = True

    def __init__(self, name: str, planner: Planner, model: WorldModel) -> None:
        self.name, self.planner, self.model = name, planner, model

    def choose(self, game: Game, state: State, *, rng: np.random.Generator) -> Choice:
        """Searches from each of B positions."""
        plan = self.planner.plan(self.model, state, rng=make_rng(int(rng.integers(2**63 - 1))))
        return Choice(plan.action.cpu().numpy())
