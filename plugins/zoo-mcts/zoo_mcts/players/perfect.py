"""Players that never give anything away, in the games that are solved."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from zoo_core.errors import ZooError
from zoo_mcts.games.connect_four import ConnectFour
from zoo_mcts.games.game import Array, Game, Positions
from zoo_mcts.games.tic_tac_toe import TicTacToe
from zoo_mcts.players.player import Choice, draw, shares

ILLEGAL = -1_000  # bitbully's score of a full column
_SHAPE = 6, 7


class PerfectPlayer:
    """Plays one of the best moves, drawn where there are several.

    In tic-tac-toe these are all moves that keep what the position is worth; in Connect Four those that win soonest or
    lose latest.

    Args:
        game: the rules.
        name: as users call it.

    Raises:
        ZooError: there is no solver for the game, or it is not installed.
    """

    deterministic = False

    def __init__(self, game: Game, name: str = "perfect") -> None:
        self.name = name
        if isinstance(game, ConnectFour):
            self._solver = ConnectFourSolver()
        elif not isinstance(game, TicTacToe):
            raise ZooError(
                f"there is no perfect player of {game.id}: only {TicTacToe.id} and {ConnectFour.id} have a solver; "
                "try minimax:3 or mcts:1000"
            )

    def choose(self, game: Game, state: Positions, *, rng: np.random.Generator) -> Choice:
        """Draws one of the best moves of each position; its value is 1, 0 or -1."""
        if isinstance(game, TicTacToe):
            from zoo_mcts.games import solved

            best, value = solved.optimal_moves(state), solved.values(state)
        else:
            scores = self._solver.scores(state)
            top = scores.max(1)
            best, value = (scores == top[:, None]) & game.legal(state), np.sign(top)
        return Choice(draw(best, rng), value.astype(np.float64), shares(best))


class ConnectFourSolver:
    """Exact scores of all moves in Connect Four, by the package bitbully (Thill 2012), with a book of openings.

    A score is what Pons counts: a win is worth one point more than the winner has stones left for after it, so 1 with
    the last stone; a loss is worth the opposite, a draw 0.

    Raises:
        ZooError: bitbully is not installed.
    """

    def __init__(self) -> None:
        try:
            bitbully: Any = import_module("bitbully")
        except ImportError as error:
            raise ZooError(
                "perfect play of connect_four_v3 needs the package bitbully: pip install 'zoo-mcts[solver]'"
            ) from error
        self._board = bitbully.Board
        self._solver = bitbully.BitBully()

    def scores(self, state: Any) -> Array:
        """Returns the score of each move for the player to move, int64 `[B, 7]`; `ILLEGAL` for full columns.

        Args:
            state: `Boards` of B positions that are not over.
        """
        sign = 1 - 2 * state.player[:, None]
        stones = np.where(state.cells == 0, 0, np.where(state.cells * sign == 1, 1, 2))  # 1 for who began
        scores = np.full((len(stones), _SHAPE[1]), ILLEGAL, np.int64)
        different, where = np.unique(stones, axis=0, return_inverse=True)
        for row, board in enumerate(different.reshape(-1, *_SHAPE).tolist()):
            for column, score in self._solver.score_all_moves(self._board(board)).items():
                scores[where.ravel() == row, column] = score
        return scores
