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
_LEAST = -(10**12)  # below every score
WIN = 10**6  # a win at the last move that is looked at, where lines count; more than all lines together
_LINES = 10**5  # above what all lines together are worth

Function = TypeVar("Function", bound=Callable[..., Any])


def _compiled(function: Function) -> Function:
    """Compiles a function that may call itself, which `zoo_mcts.compiled` cannot."""
    compiler: Any = numba.njit
    return cast(Function, compiler(cache=True, error_model="numpy")(function))


def search_all(cells: Array, over: Array, depth: int, *, lines: bool = False) -> tuple[Array, Array]:
    """Returns the best moves, bool `[B, 7]`, and their scores as `MinimaxPlayer` counts them, float64 `[B]`.

    Args:
        cells: int8 `[B, 42]` as `Boards` has them.
        over: bool `[B]`; there no move is best, and the score is 0.
        depth: moves to look ahead.
        lines: count the open lines of where that leads (see `_open_lines`); a win is then worth `WIN` times as much.
    """
    best, score = np.zeros((len(cells), COLUMNS), np.bool_), np.zeros(len(cells))
    _search_all(cells, over, depth, lines, best, score)
    return best, score


@_compiled
def _search_all(cells: Array, over: Array, depth: int, lines: bool, best: Array, score: Array) -> None:
    for row in range(len(score)):
        if not over[row]:
            mine, stones = _bits(cells, row)
            score[row] = _search_root(mine, stones, depth, lines, best, row)


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
def _search_root(mine: int, stones: int, depth: int, lines: bool, found: Array, row: int) -> int:
    """Marks the best moves, and returns their score."""
    best = _LEAST
    win = WIN if lines else 1
    for column in _ORDER:
        move = _move(stones, column)
        if move == 0:
            continue
        if _has_four(mine | move):
            score = depth * win
        elif stones | move == _FULL:
            score = 0
        else:  # a bound just below the best finds those that are as good, too
            score = -_negamax(mine ^ stones, stones | move, depth - 1, lines, -depth * win, 1 - best)
        if score > best:
            best = score
            for other in range(COLUMNS):
                found[row, other] = False
        if score == best:
            found[row, column] = True
    return best


@_compiled
def _negamax(mine: int, stones: int, depth: int, lines: bool, alpha: int, beta: int) -> int:
    """Returns the score of a position, exactly between the bounds, else a bound of it; it is not over."""
    if depth == 0:
        return _open_lines(mine, stones) - _open_lines(mine ^ stones, stones) if lines else 0
    win = WIN if lines else 1
    for column in _ORDER:
        move = _move(stones, column)
        if move != 0 and _has_four(mine | move):
            return depth * win
    if depth == 1 and not lines:
        return 0
    beta = min(beta, max(depth - 2, 0) * win + (_LINES if lines else 0))  # a win takes three moves at least
    if alpha >= beta:
        return beta
    best = _LEAST
    for column in _ORDER:
        move = _move(stones, column)
        if move == 0:
            continue
        score = 0
        if stones | move != _FULL:
            score = -_negamax(mine ^ stones, stones | move, depth - 1, lines, -beta, -max(alpha, best))
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


@_compiled
def _open_lines(mine: Any, stones: Any) -> int:
    """Returns what the lines of four cells in which the other has no stone are worth to the owner of `mine`.

    1, 10, 100 or 1,000 for a line with 0, 1, 2 or 3 stones: AlphaZero.jl's heuristic of Connect Four, times 1,000.
    """
    free = _FULL ^ (mine ^ stones)
    worth = 0
    for step in (1, _STRIDE, _STRIDE - 1, _STRIDE + 1):
        s1, s2, s3 = np.int64(step), np.int64(2 * step), np.int64(3 * step)
        alive = free & (free >> s1) & (free >> s2) & (free >> s3)  # by the first cell of each line
        # The stones of all lines are counted at once, in binary: `odd` is the bit of 1, `two` that of 2.
        a, b, c, d = mine, mine >> s1, mine >> s2, mine >> s3
        odd = a ^ b ^ c ^ d
        two = (a & b) | (c & d) | ((a ^ b) & (c ^ d))
        worth += _count(alive & ~odd & ~two) + 10 * _count(alive & odd & ~two)
        worth += 100 * _count(alive & ~odd & two) + 1_000 * _count(alive & odd & two)
    return worth


@_compiled
def _count(bits: Any) -> int:
    """Returns how many of 63 bits are set."""
    bits = bits - ((bits >> np.int64(1)) & 0x5555555555555555)
    bits = (bits & 0x3333333333333333) + ((bits >> np.int64(2)) & 0x3333333333333333)
    bits = (bits + (bits >> np.int64(4))) & 0x0F0F0F0F0F0F0F0F
    count = 0
    for byte in range(8):
        count += (bits >> np.int64(8 * byte)) & 0xFF
    return count
