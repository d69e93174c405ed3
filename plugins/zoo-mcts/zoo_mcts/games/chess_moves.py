"""Numbers of chess moves (Silver et al. 2017, arXiv:1712.01815, supplement), as PettingZoo's chess_v6 has them.

A move is a square from which a piece is taken, and one of 73 ways: 56 of a queen, 8 of a knight, 9 of a pawn that is
promoted to less than a queen.
"""

from __future__ import annotations

_WAYS = 73
NUM_ACTIONS = 64 * _WAYS
_KNIGHT_WAYS = 56  # from here on
_PAWN_WAYS = 64
_DIRECTIONS = [(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1) if (x, y) != (0, 0)]
_JUMPS = [(x, y) for x in range(-2, 3) for y in range(-2, 3) if abs(x) + abs(y) == 3]
_KNIGHT, _ROOK = 2, 4  # python-chess' numbers of what a pawn becomes; the bishop is between them
_MIRROR = 56  # flips the rank of a square


def action_of(from_square: int, to_square: int, promotion: int | None, black: bool) -> int:
    """Returns the number of a move.

    Args:
        from_square: 0 to 63, from a1 along the ranks.
        to_square: likewise.
        promotion: what a pawn becomes, as a piece type of python-chess.
        black: Black makes it; then it is seen in a mirror.
    """
    if black:
        from_square, to_square = from_square ^ _MIRROR, to_square ^ _MIRROR
    if promotion is not None and _KNIGHT <= promotion <= _ROOK:
        way = _PAWN_WAYS + 3 * (to_square % 8 - from_square % 8 + 1) + promotion - _KNIGHT
        return _first(from_square) + way
    return _ACTIONS[from_square][to_square]


def _first(square: int) -> int:
    return (square % 8 * 8 + square // 8) * _WAYS


def _way(right: int, up: int) -> int:
    """Returns the way of a queen or a knight; -1 if there is none."""
    if (right, up) in _JUMPS:
        return _KNIGHT_WAYS + _JUMPS.index((right, up))
    length = max(abs(right), abs(up))
    if length == 0 or (right and up and abs(right) != abs(up)):
        return -1
    return (length - 1) * len(_DIRECTIONS) + _DIRECTIONS.index((right // length, up // length))


def _action(start: int, end: int) -> int:
    way = _way(end % 8 - start % 8, end // 8 - start // 8)
    return way if way < 0 else _first(start) + way


_ACTIONS = [[_action(start, end) for end in range(64)] for start in range(64)]
