"""Mazes as text and as arrays; those of Sutton & Barto 2018, "Reinforcement Learning: An Introduction", chapter 8."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["ACTIONS", "MAZES", "Maze", "Transitions"]

ACTIONS = ("up", "down", "right", "left")  # the book's order
_ROW_CHANGE, _COLUMN_CHANGE = np.array([-1, 1, 0, 0]), np.array([0, 0, 1, -1])
_FREE, _WALL, _START, _GOAL = ".#SG"

_DYNA = """
    .......#G
    ..#....#.
    S.#....#.
    ..#......
    .....#...
    .........
"""
_GAP_AT_THE_RIGHT = """
    ........G
    .........
    .........
    ########.
    .........
    ...S.....
"""
_GAP_AT_THE_LEFT = """
    ........G
    .........
    .........
    .########
    .........
    ...S.....
"""
_GAP_AT_BOTH_ENDS = """
    ........G
    .........
    .........
    .#######.
    .........
    ...S.....
"""

# Arguments of `MazeEnv` by name: the book's figures 8.2, 8.4 and 8.5.
MAZES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "DynaMaze": {"layout": _DYNA},
        "BlockingMaze": {"layout": _GAP_AT_THE_RIGHT, "later_layout": _GAP_AT_THE_LEFT, "wall_moves_at": 1000},
        "ShortcutMaze": {"layout": _GAP_AT_THE_LEFT, "later_layout": _GAP_AT_BOTH_ENDS, "wall_moves_at": 3000},
    }
)


class Transitions(NamedTuple):
    """What follows each action (up, down, right, left) in each of the S states; nothing is left to chance.

    Attributes:
        next_state: `[S, 4]` int64.
        reward: `[S, 4]` float64, 1 for reaching the goal.
        terminated: `[S, 4]` bool.
    """

    next_state: NDArray[np.int64]
    reward: NDArray[np.float64]
    terminated: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Maze:
    """A maze of R rows and C columns; the state at (row, column) has the index row * C + column.

    Attributes:
        wall: `[R, C]` bool.
        start: `[R, C]` bool, where episodes begin, each such cell as likely as another.
        goal: `[R, C]` bool, where they end.
    """

    wall: NDArray[np.bool_]
    start: NDArray[np.bool_]
    goal: NDArray[np.bool_]

    @classmethod
    def from_text(cls, layout: str) -> "Maze":
        """Reads a maze from its drawing: a line for each row, `#` wall, `S` start, `G` goal, `.` free.

        Raises:
            TypeError: `layout` is no text.
            ValueError: It is no such drawing, or has no start or no goal.
        """
        if not isinstance(layout, str):
            raise TypeError(f"a maze is drawn as text, a line for each row, got {layout!r}")
        rows = [list(line.strip()) for line in layout.strip().splitlines()]
        if not rows or len({len(row) for row in rows}) > 1:
            raise ValueError(f"the rows of a maze must be equally long, got {layout!r}")
        cells = np.array(rows)
        unknown = sorted(set(cells.ravel().tolist()) - {_FREE, _WALL, _START, _GOAL})
        if unknown:
            raise ValueError(f"a maze is drawn with '#' wall, 'S' start, 'G' goal and '.' free, got {unknown[0]!r}")
        for letter, name in ((_START, "start"), (_GOAL, "goal")):
            if letter not in cells:
                raise ValueError(f"a maze needs a {name}, {letter!r}, got {layout!r}")
        return cls(cells == _WALL, cells == _START, cells == _GOAL)

    def scaled(self, resolution: int) -> "Maze":
        """Returns the maze with `resolution` x `resolution` cells in place of each.

        All cells of a goal are goals; of a start, the upper left one is the start.
        """
        block = np.ones((resolution, resolution), dtype=bool)
        corner = np.zeros_like(block)
        corner[0, 0] = True
        return Maze(np.kron(self.wall, block), np.kron(self.start, corner), np.kron(self.goal, block))

    def transitions(self) -> Transitions:
        """Returns what follows each action: moving into a wall or off the grid changes nothing.

        Goals and walls lead to themselves, terminated, with reward 0.
        """
        num_rows, num_columns = self.wall.shape
        here = np.arange(self.wall.size)[:, None]
        row = np.clip(here // num_columns + _ROW_CHANGE, 0, num_rows - 1)
        column = np.clip(here % num_columns + _COLUMN_CHANGE, 0, num_columns - 1)
        over = (self.wall | self.goal).ravel()[here]
        next_state = np.where(self.wall[row, column] | over, here, row * num_columns + column)
        reached = self.goal.ravel()[next_state] & ~over
        return Transitions(next_state, reached.astype(np.float64), reached | over)

    @cached_property
    def outcomes(self) -> list[list[tuple[int, float, bool]]]:
        """(next_state, reward, terminated) by state and action, as lists, which single steps read fastest."""
        columns = (array.tolist() for array in self.transitions())
        return [list(zip(*row, strict=True)) for row in zip(*columns, strict=True)]

    @cached_property
    def P(self) -> dict[int, dict[int, list[tuple[float, int, float, bool]]]]:
        """The same as Gymnasium's toy text has it: `P[state][action] = [(1.0, next_state, reward, terminated)]`."""
        return {
            state: {action: [(1.0, *outcome)] for action, outcome in enumerate(row)}
            for state, row in enumerate(self.outcomes)
        }

    def to_text(self, position: int) -> str:
        """Draws the maze as `from_text` reads it, with the agent, `A`, at the index `position`."""
        cells = np.select([self.wall, self.goal, self.start], [_WALL, _GOAL, _START], _FREE)
        cells.flat[position] = "A"
        return "".join("".join(row) + "\n" for row in cells.tolist())
