"""The rules of go on B boards at once, compiled: captures, ko, suicide, area.

They are those of PettingZoo's go_v5, which has them from Minigo: no suicide, simple ko, and at the end stones and the
empty areas that border on one colour count. Points are numbered row by row from the top; a board has 1 for black, -1
for white.
"""

from __future__ import annotations

from typing import Any

from zoo_mcts.compiled import Array, compiled

NO_POINT = -1


@compiled
def neighbour(point: int, side: int, size: int) -> int:
    """Returns the point on one of four sides; `NO_POINT` beyond the edge."""
    if side == 0:
        return point - size if point >= size else NO_POINT
    if side == 1:
        return point + size if point < size * (size - 1) else NO_POINT
    if side == 2:
        return point - 1 if point % size > 0 else NO_POINT
    return point + 1 if point % size < size - 1 else NO_POINT


@compiled
def reach(board: Array, point: int, size: int, seen: Array, stamp: int, found: Array) -> tuple[int, int, int, int]:
    """Finds the points of one colour that are connected with a point.

    Args:
        board: int8 `[points]`.
        point: to begin with.
        size: of the board.
        seen: int64 `[points]`, is `stamp` where a point belongs to it or borders on it.
        stamp: that was not used before.
        found: int64 `[points]`, begins with the points that were found.

    Returns:
        How many they are, and on how many empty, black and white points they border.
    """
    colour = board[point]
    found[0] = point
    seen[point] = stamp
    num, done = 1, 0
    empty, black, white = 0, 0, 0
    while done < num:
        here = found[done]
        done += 1
        for side in range(4):
            beside = neighbour(here, side, size)
            if beside == NO_POINT or seen[beside] == stamp:
                continue
            seen[beside] = stamp
            if board[beside] == colour:
                found[num] = beside
                num += 1
            elif board[beside] == 0:
                empty += 1
            elif board[beside] == 1:
                black += 1
            else:
                white += 1
    return num, empty, black, white


@compiled
def find_liberties(board: Array, size: int, seen: Array, found: Array, liberties: Array) -> None:
    """Fills in for every stone how many liberties its group has; 0 for empty points."""
    for point in range(size * size):
        liberties[point] = 0
        seen[point] = NO_POINT
    for point in range(size * size):
        if board[point] != 0 and liberties[point] == 0:
            num, empty, _, _ = reach(board, point, size, seen, point, found)
            for i in range(num):
                liberties[found[i]] = empty


@compiled
def is_legal(board: Array, size: int, colour: int, ko: int, point: int, liberties: Array) -> bool:
    """Returns whether a colour may move to a point."""
    if board[point] != 0 or point == ko:
        return False
    for side in range(4):
        beside = neighbour(point, side, size)
        if beside == NO_POINT:
            continue
        if board[beside] == 0:
            return True
        if board[beside] == colour and liberties[beside] > 1:
            return True
        if board[beside] == -colour and liberties[beside] == 1:
            return True
    return False


@compiled
def legal_moves(
    boards: Array, player: Array, ko: Array, over: Array, size: int, scratch: tuple[Array, Array, Array], legal: Array
) -> None:
    """Fills in which moves are allowed, bool `[B, points + 1]`; the last is to pass."""
    seen, found, liberties = scratch
    for row in range(len(over)):
        if over[row]:
            for point in range(size * size + 1):
                legal[row, point] = False
            continue
        board, colour = boards[row], 1 - 2 * player[row]
        find_liberties(board, size, seen, found, liberties)
        for point in range(size * size):
            legal[row, point] = is_legal(board, size, colour, ko[row], point, liberties)
        legal[row, size * size] = True


@compiled
def put_stone(board: Array, size: int, colour: int, point: int, scratch: tuple[Array, Array, Array]) -> int:
    """Puts a stone onto a board of which the liberties are known, and takes what it captures.

    Returns:
        The point that may not be retaken at once, or `NO_POINT`.
    """
    seen, found, liberties = scratch
    surrounded, captured, ko = True, 0, NO_POINT
    for side in range(4):
        beside = neighbour(point, side, size)
        if beside != NO_POINT and board[beside] != -colour:
            surrounded = False
    board[point] = colour
    for side in range(4):
        beside = neighbour(point, side, size)
        if beside != NO_POINT and board[beside] == -colour and liberties[beside] == 1:
            num, _, _, _ = reach(board, beside, size, seen, size * size + side, found)
            for i in range(num):
                board[found[i]] = 0
            captured += num
            ko = found[0]
    return ko if captured == 1 and surrounded else NO_POINT


@compiled
def area(board: Array, size: int, scratch: tuple[Array, Array, Array]) -> int:
    """Returns how many points more black has than white: stones, and empty areas that border on one colour."""
    seen, found, _ = scratch
    points = 0
    for point in range(size * size):
        seen[point] = NO_POINT
    for point in range(size * size):
        points += board[point]
        if board[point] == 0:
            # Areas are visited once for each of their points, which counts one of them each time.
            _, _, black, white = reach(board, point, size, seen, point, found)
            points += int(black > 0 and white == 0) - int(white > 0 and black == 0)
    return points


@compiled
def play_all(before: Any, after: Any, action: Array, size: int, komi: float, scratch: Any, reward: Array) -> None:
    """Makes a move in each of B positions, and fills in what it leads to.

    Args:
        before: boards `[B, points]`, player, ko, passes and over `[B]`.
        after: the same, copied; it is changed.
        action: `[B]`.
        size: of the boards.
        komi: points of white.
        scratch: three arrays int64 `[points]`.
        reward: `[B]`, for the player who moved.
    """
    boards, player, ko, passes, over = after
    liberties = scratch[2]
    for row in range(len(action)):
        reward[row] = 0.0
        if before[4][row]:
            continue
        board, colour, point = boards[row], 1 - 2 * player[row], action[row]
        player[row] = 1 - player[row]
        if point == size * size:
            ko[row] = NO_POINT
            passes[row] += 1
            if passes[row] == 2:
                over[row] = True
                won = area(board, size, scratch) - komi > 0.0
                reward[row] = colour if won else -colour
            continue
        find_liberties(board, size, scratch[0], scratch[1], liberties)
        if not is_legal(board, size, colour, ko[row], point, liberties):
            over[row], reward[row] = True, -1.0
            continue
        passes[row] = 0
        ko[row] = put_stone(board, size, colour, point, scratch)
