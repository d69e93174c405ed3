"""Games of stones on a board, compiled: put so many in a row before the other does, and before the board is full."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from zoo_mcts.compiled import compiled, uniform
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


class Shape(NamedTuple):
    """What tells one game of stones from another.

    Attributes:
        rows: of the board.
        columns: of the board.
        to_win: stones in a row, across, down or slanting.
        falls: whether an action is a column, in which the stone falls as far as it can; else it is a cell.
    """

    rows: int
    columns: int
    to_win: int
    falls: bool


class StonesGame(Game):
    """A game in which players take turns to put stones on a board."""

    def __init__(self, shape: Shape) -> None:
        self.kwargs = {}
        self.shape = shape
        self.num_actions = shape.columns if shape.falls else shape.rows * shape.columns
        self.view = spaces.Box(0, 1, (shape.rows, shape.columns, 2), np.int8)

    def initial(self, num: int) -> Boards:
        """Returns empty boards."""
        return _room(num, self.shape, np.zeros)

    def play(self, state: Boards, action: Array) -> Played:
        """Makes a move in each position."""
        num = len(state.over)
        after, reward = _room(num, self.shape, np.empty), np.empty(num, np.float32)
        _play_all(self.shape, state, action, after, reward)
        return Played(after, reward, after.over, np.full(num, -1.0, np.float32))

    def legal(self, state: Boards) -> Array:
        """Returns the cells that are free, or the columns that have room."""
        free: Array = (state.cells[:, : self.num_actions] == 0) & ~state.over[:, None]
        return free

    def random_returns(self, state: Boards, *, depth: int, gamma: float, seeds: Array) -> Array:
        """Returns what random moves came to, each position played to its end in compiled code."""
        returns, action = np.zeros(len(seeds)), np.zeros(len(seeds), np.int64)
        now, after = (_room(len(seeds), self.shape, np.empty) for _ in range(2))
        reward = np.empty(len(seeds), np.float32)
        _random_all(self.shape, state, depth, gamma, seeds.copy(), now, after, action, reward, returns)
        return returns

    def observe(self, state: Boards) -> Array:
        """Returns two planes, `[B, rows, columns, 2]`: the stones of the player to move, and the other's."""
        planes = np.empty((*state.cells.shape, 2), np.int8)
        np.equal(state.cells, 1, out=planes[..., 0].view(np.bool_))
        np.equal(state.cells, -1, out=planes[..., 1].view(np.bool_))
        return planes.reshape(-1, *self.view.shape)

    def player(self, state: Boards) -> Array:
        """Returns whose turn it is."""
        return state.player.astype(np.int64)

    def over(self, state: Boards) -> Array:
        """Returns which games have ended."""
        return state.over

    def render(self, state: Boards, row: int) -> str:
        """Returns the board, x for the player who began; over the numbers of the columns, where these are the moves."""
        sign = 1 - 2 * int(state.player[row])
        marks = np.array([".", "x", "o"])[state.cells[row] * sign]
        lines = [" ".join(line) for line in marks.reshape(self.shape.rows, self.shape.columns)]
        numbers = [" ".join(map(str, range(self.shape.columns)))] if self.shape.falls else []
        return "\n".join(lines + numbers)


def _room(num: int, shape: Shape, make: Any) -> Boards:
    return Boards(make((num, shape.rows * shape.columns), np.int8), make(num, np.int8), make(num, np.bool_))


@compiled
def _play_all(shape: Shape, state: Boards, action: Array, after: Boards, reward: Array) -> None:
    """Fills in the positions after a move in each, and the reward of the player who made it."""
    for row in range(len(reward)):
        reward[row] = _play(shape, state, row, action[row], after)


@compiled
def _play(shape: Shape, state: Boards, row: int, action: int, after: Boards) -> float:
    """Makes a move in one position, and returns its reward."""
    was_over = state.over[row]
    for i in range(state.cells.shape[1]):
        after.cells[row, i] = state.cells[row, i] if was_over else -state.cells[row, i]
    after.player[row] = state.player[row] if was_over else 1 - state.player[row]
    after.over[row] = was_over
    if was_over:
        return 0.0
    cell = _cell(shape, state, row, action)
    if cell < 0:
        after.over[row] = True
        return -1.0
    after.cells[row, cell] = -1
    won = _wins(shape, after, row, cell)
    after.over[row] = won or _is_full(after, row)
    return 1.0 if won else 0.0


@compiled
def _cell(shape: Shape, state: Boards, row: int, action: int) -> int:
    """Returns where the stone comes to lie, -1 where there is no room for it."""
    cell = action + (shape.rows - 1) * shape.columns if shape.falls else action
    while shape.falls and cell >= 0 and state.cells[row, cell] != 0:
        cell -= shape.columns
    return cell if cell >= 0 and state.cells[row, cell] == 0 else -1


@compiled
def _wins(shape: Shape, after: Boards, row: int, cell: int) -> bool:
    """Says whether the stone that was put on a cell completes a row."""
    return (
        _beside(shape, after, row, cell, 1, 0) >= shape.to_win
        or _beside(shape, after, row, cell, 0, 1) >= shape.to_win
        or _beside(shape, after, row, cell, 1, 1) >= shape.to_win
        or _beside(shape, after, row, cell, 1, -1) >= shape.to_win
    )


@compiled
def _beside(shape: Shape, after: Boards, row: int, cell: int, down: int, right: int) -> int:
    """Returns how many stones lie in a row through a cell, in one direction and its opposite."""
    stones = 1
    for side in range(2):
        step = 1 - 2 * side
        y, x = cell // shape.columns + step * down, cell % shape.columns + step * right
        while 0 <= y < shape.rows and 0 <= x < shape.columns and after.cells[row, y * shape.columns + x] == -1:
            stones += 1
            y, x = y + step * down, x + step * right
    return stones


@compiled
def _is_full(after: Boards, row: int) -> bool:
    free = 0
    for i in range(after.cells.shape[1]):
        free += after.cells[row, i] == 0
    return free == 0


@compiled
def _random_all(
    shape: Shape,
    state: Boards,
    depth: int,
    gamma: float,
    streams: Array,
    now: Boards,
    after: Boards,
    action: Array,
    reward: Array,
    returns: Array,
) -> None:
    """Plays at random, and fills in the returns of the players to move in `state`.

    `now` to `reward` are room to do it in. Every position is played to its end before the next: it stays in the cache.
    """
    num_actions = shape.columns if shape.falls else shape.rows * shape.columns
    for row in range(len(returns)):
        for i in range(state.cells.shape[1]):
            now.cells[row, i] = state.cells[row, i]
        now.player[row], now.over[row] = state.player[row], state.over[row]
        weight = 1.0
        for move in range(depth):
            before, then = (now, after) if move % 2 == 0 else (after, now)
            if before.over[row]:
                break
            chosen, choices = 0, 0
            for candidate in range(num_actions):
                if before.cells[row, candidate] == 0:
                    choices += 1
                    if uniform(streams, row) * choices < 1.0:
                        chosen = candidate
            returns[row] += weight * _play(shape, before, row, chosen, then)
            weight *= -gamma
