"""Alpha-beta search of Connect Four, compiled, on boards that are two integers.

A column takes seven bits, six cells from the bottom and one that stays free, so that rows of four are found by shifts
(Tromp's Fhourstones; Pons, "Solving Connect 4").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

from zoo_mcts.games.game import Array

ROWS, COLUMNS = 6, 7
_STRIDE = ROWS + 1  # bits of a column
_BOTTOM = sum(1 << (_STRIDE * column) for column in range(COLUMNS))
_FULL = _BOTTOM * ((1 << ROWS) - 1)
_ORDER = (3, 2, 4, 1, 5, 0, 6)  # the centre first: most rows of four run through it
_LEAST = -1_000  # below every score

Function = TypeVar("Function", bound=Callable[..., Any])


def _compiled(function: Function) -> Function:
    """Compiles a function that may call itself, which `zoo_mcts.compiled` cannot."""
    compiler: Any = numba.njit
    return cast(Function, compiler(cache=True, error_model="numpy")(function))


def search_all(cells: Array, over: Array, depth: int) -> tuple[Array, Array]:
    """Returns the best moves, bool `[B, 7]`, and their scores as `MinimaxPlayer` counts them, float64 `[B]`.

    Args:
        cells: int8 `[B, 42]` as `Boards` has them.
        over: bool `[B]`; there no move is best, and the score is 0.
        depth: moves to look ahead.
    """
    best, score = np.zeros((len(cells), COLUMNS), np.bool_), np.zeros(len(cells))
    _search_all(cells, over, depth, best, score)
    return best, score


@_compiled
def _search_all(cells: Array, over: Array, depth: int, best: Array, score: Array) -> None:
    for row in range(len(score)):
        if not over[row]:
            mine, stones = _bits(cells, row)
            score[row] = _search_root(mine, stones, depth, best, row)


@_compiled
def _bits(cells: Array, row: int) -> tuple[Any, Any]:
    """Returns the stones of the player to move, and all stones."""
    mine, stones = np.int64(0), np.int64(0)
    for cell in range(ROWS * COLUMNS):
        bit = np.int64(1) << np.int64((cell % COLUMNS) * _STRIDE + ROWS - 1 - cell // COLUMNS)
        if cells[row, cell] != 0:
            stones |= bit
        if cells[row, cell] == 1:
            mine |= bit
    return mine, stones


@_compiled
def _search_root(mine: int, stones: int, depth: int, found: Array, row: int) -> int:
    """Marks the best moves, and returns their score."""
    best = _LEAST
    for column in _ORDER:
        move = _move(stones, column)
        if move == 0:
            continue
        if _has_four(mine | move):
            score = depth
        elif stones | move == _FULL:
            score = 0
        else:  # a bound just below the best finds those that are as good, too
            score = -_negamax(mine ^ stones, stones | move, depth - 1, -depth, 1 - best)
        if score > best:
            best = score
            for other in range(COLUMNS):
                found[row, other] = False
        if score == best:
            found[row, column] = True
    return best


@_compiled
def _negamax(mine: int, stones: int, depth: int, alpha: int, beta: int) -> int:
    """Returns the score of a position, exactly between the bounds, else a bound of it; it is not over."""
    if depth == 0:
        return 0
    for column in _ORDER:
        move = _move(stones, column)
        if move != 0 and _has_four(mine | move):
            return depth
    if depth == 1:
        return 0
    beta = min(beta, depth - 2)  # a win takes three moves at least
    if alpha >= beta:
        return beta
    best = _LEAST
    for column in _ORDER:
        move = _move(stones, column)
        if move == 0:
            continue
        score = 0
        if stones | move != _FULL:
            score = -_negamax(mine ^ stones, stones | move, depth - 1, -beta, -max(alpha, best))
        best = max(best, score)
        if best >= beta:
            break
    return best


@_compiled
def _move(stones: int, column: int) -> Any:
    """Returns the bit on which a stone comes to lie, 0 where the column is full."""
    bottom = np.int64(1) << np.int64(column * _STRIDE)
    return (stones + bottom) & (bottom * ((1 << ROWS) - 1))


@_compiled
def _has_four(mine: int) -> bool:
    """Says whether four of the stones lie in a row."""
    for step in (1, _STRIDE, _STRIDE - 1, _STRIDE + 1):
        pairs = mine & (mine >> np.int64(step))
        if pairs & (pairs >> np.int64(2 * step)) != 0:
            return True
    return False
