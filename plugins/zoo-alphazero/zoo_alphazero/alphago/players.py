"""The four players that an AlphaGo agent is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from zoo_core.config import check_choice
from zoo_mcts.game_agent import choose_moves
from zoo_mcts.games.game import Game, Positions
from zoo_mcts.players import Choice

if TYPE_CHECKING:
    from zoo_alphazero.alphago.agent import AlphaGo

KINDS = ("sl", "rl", "search with value", "search with mix")


class AlphaGoPlayer:
    """Plays by a policy alone, its likeliest move, or by the search.

    Args:
        agent: that plays.
        kind: one of `KINDS`.
        num_simulations: of a search; None takes those of the config.

    Raises:
        ValueError: there is no such kind.
    """

    def __init__(self, agent: AlphaGo, kind: str, num_simulations: int | None = None) -> None:
        check_choice("kind", kind, KINDS)
        self.agent, self.name, self.num_simulations = agent, kind, num_simulations
        self.deterministic = kind in ("sl", "rl")

    def choose(self, game: Game, state: Positions, *, rng: np.random.Generator) -> Choice:
        """Chooses a move in each of B positions."""
        if self.deterministic:
            logits = self.agent.learner.logits(self.name)(game.observe(state))
            return Choice(choose_moves(logits, torch.from_numpy(game.legal(state)), None))
        plan = self.agent.search(
            state,
            num_simulations=self.num_simulations,
            rng=torch.Generator().manual_seed(int(rng.integers(2**62))),
            value_mix=0.0 if self.name == "search with value" else None,
        )
        weights = None if plan.weights is None else plan.weights.cpu().numpy()
        return Choice(plan.action.cpu().numpy(), plan.value.cpu().numpy(), weights)
