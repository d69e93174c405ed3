"""Tic-tac-toe, solved: what every position is worth, and which moves are right, to measure players by.

5,478 positions can be reached, of which 4,520 are not over. In 3,191 of these, the *decision states*, some legal move
is wrong: it gives away a win or a draw.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from zoo_core.world_model import index, stack
from zoo_mcts.games.boards import Boards
from zoo_mcts.games.game import Array
from zoo_mcts.games.tic_tac_toe import TicTacToe

_POWERS = 3 ** np.arange(9)  # a position is a number of nine digits in base 3


class Solution(NamedTuple):
    """All positions that can be reached, in the order of their number of stones.

    Attributes:
        positions: of N rows.
        value: float32 `[N]`, for the player to move: 1 a win, 0 a draw, -1 a loss; 0 where the game is over.
        optimal: bool `[N, 9]`, legal moves that keep the value; none where the game is over.
        decisions: int64 `[3191]`, rows in which some legal move is not optimal.
        row_of: int32 `[3**9]`, row of a position by its number (see `_number`), -1 where it cannot be reached.
    """

    positions: Boards
    value: Array
    optimal: Array
    decisions: Array
    row_of: Array


@functools.cache
def solve() -> Solution:
    """Solves the game by going back from its ends; takes some milliseconds, once."""
    game = TicTacToe()
    levels = _levels(game)
    positions: Boards = stack(levels)
    num, legal = len(positions.over), game.legal(positions)
    row_of = np.full(3**9, -1, np.int32)
    row_of[_number(positions)] = np.arange(num)
    value, optimal = np.zeros(num, np.float32), np.zeros_like(legal)
    first = num
    for level in reversed(levels):
        first -= len(level.over)
        row, action = np.nonzero(game.legal(level))
        played = game.play(index(level, row), action)
        quality = np.full((len(level.over), game.num_actions), -np.inf, np.float32)
        quality[row, action] = played.reward - value[row_of[_number(played.state)]]
        best, here = quality.max(1), slice(first, first + len(level.over))
        value[here] = np.where(level.over, 0.0, best)
        optimal[here] = (quality == best[:, None]) & ~level.over[:, None]
    return Solution(positions, value, optimal, np.flatnonzero((legal & ~optimal).any(1)), row_of)


def decision_states() -> Boards:
    """Returns the 3,191 positions in which some legal move is wrong."""
    solution = solve()
    states: Boards = index(solution.positions, solution.decisions)
    return states


def optimal_moves(state: Boards) -> Array:
    """Returns which moves are right, bool `[B, 9]`; none where the game is over."""
    return solve().optimal[_rows(state)]


def values(state: Boards) -> Array:
    """Returns what positions are worth to the player to move, float32 `[B]`: 0 where the game is over."""
    return solve().value[_rows(state)]


def random_optimal(state: Boards, *, rng: np.random.Generator) -> Array:
    """Returns a right move of each position, int64 `[B]`, one at random among all that are right."""
    score = np.where(optimal_moves(state), rng.random((len(state.over), 9)), -1.0)
    action: Array = score.argmax(1)
    return action


def accuracy(state: Boards, action: Array) -> float:
    """Returns the share of positions for which a move `[B]` is right."""
    return float(optimal_moves(state)[np.arange(len(action)), action].mean())


def _levels(game: TicTacToe) -> list[Boards]:
    """Returns the positions with 0, 1, ... 9 stones."""
    levels = [game.initial(1)]
    for _ in range(9):
        row, action = np.nonzero(game.legal(levels[-1]))
        after = game.play(index(levels[-1], row), action).state
        _, first = np.unique(_number(after), return_index=True)
        levels.append(index(after, first))
    return levels


def _number(state: Boards) -> Array:
    """Returns int64 `[B]`, another number for every board; stones as the player to move sees them."""
    number: Array = (state.cells.astype(np.int64) + 1) @ _POWERS
    return number


def _rows(state: Boards) -> Array:
    rows = solve().row_of[_number(state)]
    if (rows < 0).any():
        raise ValueError(f"row {int(rows.argmin())} is a position that no game comes to")
    return rows
