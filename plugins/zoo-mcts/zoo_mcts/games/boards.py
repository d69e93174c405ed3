"""Games of stones on a small board: what tic-tac-toe and Connect Four have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, NamedTuple

import numpy as np
from gymnasium import spaces

from zoo_mcts.games.game import Array, Game, Played


class Boards(NamedTuple):
    """B positions.

    Attributes:
        cells: int8 `[B, N]`, row by row from the top: 1 where the player to move has a stone, -1 the other, 0 free.
        player: int8 `[B]`, who is to move; 0 began.
        over: bool `[B]`.
    """

    cells: Array
    player: Array
    over: Array


# (cells, player, over, action, cells_after, player_after, over_after, reward): fills in the last four
Moves = Callable[[Array, Array, Array, Array, Array, Array, Array, Array], None]


class StonesGame(Game):
    """A game in which players take turns to put stones on a board, until somebody has so many in a row or it is full.

    Args:
        moves: compiled; makes a move in each of B positions.
    """

    rows: ClassVar[int]
    columns: ClassVar[int]

    def __init__(self, moves: Moves) -> None:
        self.kwargs = {}
        self._play_all = moves
        self.view = spaces.Box(0, 1, (self.rows, self.columns, 2), np.int8)

    def initial(self, num: int) -> Boards:
        """Returns empty boards."""
        cells = np.zeros((num, self.rows * self.columns), np.int8)
        return Boards(cells, np.zeros(num, np.int8), np.zeros(num, np.bool_))

    def play(self, state: Boards, action: Array) -> Played:
        """Makes a move in each position."""
        num = len(state.over)
        after = Boards(np.empty_like(state.cells), np.empty_like(state.player), np.empty_like(state.over))
        reward = np.empty(num, np.float32)
        self._play_all(state.cells, state.player, state.over, action, after.cells, after.player, after.over, reward)
        return Played(after, reward, after.over, np.full(num, -1.0, np.float32))

    def observe(self, state: Boards) -> Array:
        """Returns two planes, `[B, rows, columns, 2]`: the stones of the player to move, and the other's."""
        planes = np.stack([state.cells == 1, state.cells == -1], axis=-1).astype(np.int8)
        return planes.reshape(-1, *self.view.shape)

    def player(self, state: Boards) -> Array:
        """Returns whose turn it is."""
        return state.player.astype(np.int64)

    def over(self, state: Boards) -> Array:
        """Returns which games have ended."""
        return state.over

    def render(self, state: Boards, row: int) -> str:
        """Returns the board, x for the player who began."""
        sign = 1 - 2 * int(state.player[row])
        marks = np.array([".", "x", "o"])[state.cells[row] * sign]
        return "\n".join(" ".join(line) for line in marks.reshape(self.rows, self.columns))
