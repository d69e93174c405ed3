"""The rows of environments that are stepped together, and the segments in which they are written to files.

A row holds an observation and, unless it is the last of its episode, the action chosen there and what followed. Each
environment is a stream of rows; since they are stepped together, all streams have equally many steps, though not
equally many rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import Space, spaces as gym_spaces
from torch import Tensor

from zoo_core import spaces
from zoo_core.errors import UnsupportedSpaceError
from zoo_core.replay.storage import Array, Kind, Rings

_STORED = (gym_spaces.Box, gym_spaces.Discrete, gym_spaces.MultiDiscrete, gym_spaces.MultiBinary)
_FLAGS: tuple[tuple[str, Kind], ...] = (
    ("reward", ((), np.dtype(np.float32))),
    ("terminated", ((), np.dtype(bool))),
    ("truncated", ((), np.dtype(bool))),
    ("is_first", ((), np.dtype(bool))),
)
_INDEX: Kind = ((), np.dtype(np.int64))


class Streams:
    """Rows of `num` environments; the oldest go when there are more than `limit` steps.

    Args:
        observation_space: of one environment.
        action_space: of one environment.
        num: environments.
        limit: steps kept of each environment; None keeps everything.
        memory_limit: see `storage.Columns`.
        directory: see `storage.Columns`.
    """

    def __init__(
        self,
        observation_space: Space[Any],
        action_space: Space[Any],
        num: int,
        *,
        limit: int | None,
        memory_limit: int,
        directory: str | Path | None,
    ) -> None:
        self.names, self.kinds = columns_of(observation_space, action_space)
        self.num, self.limit = num, limit
        self.open = np.zeros(num, bool)  # whose episode is running
        self._spaces = {"obs": observation_space, "action": action_space}
        self._column = {name: i for i, name in enumerate(self.names)}
        self._neutral = leaves(action_space, spaces.zeros(action_space, 1))  # the action of a final row
        self._rows = Rings(self.kinds, num, memory_limit=memory_limit, directory=directory)
        self._steps = Rings([_INDEX], num, memory_limit=memory_limit, directory=directory)  # number of a step's row

    # -- reading -------------------------------------------------------------------------------------------------------

    @property
    def num_steps(self) -> int:
        """Steps kept of each stream."""
        return int(self._steps.end[0] - self._steps.first[0])

    @property
    def lengths(self) -> Array:
        """Rows kept of each stream, `[num]`."""
        lengths: Array = self._rows.end - self._rows.first
        return lengths

    def places(self, streams: Array, rows: Array) -> Array:
        """Returns where the kept rows of streams, counted from 0, lie."""
        return self._rows.places(streams, self._rows.first[streams] + rows)

    def step_places(self, streams: Array, steps: Array) -> tuple[Array, Array]:
        """Returns where the rows of the kept steps, counted from 0, lie, and the rows that follow them."""
        numbers = self._steps.read(0, self._steps.places(streams, self._steps.first[streams] + steps))
        return self._rows.places(streams, numbers), self._rows.places(streams, numbers + 1)

    def all_places(self) -> Array:
        """Returns where all kept rows lie, stream after stream."""
        return self._rows.places(*self._rows.spread(self._rows.first, self.lengths))

    def read(self, name: str, places: Array) -> Any:
        """Returns a copy of "obs", "action", "reward" or a flag: `[*places.shape, ...]` in the layout of its space."""
        if name not in self._spaces:
            return self._rows.read(self._column[name], places)
        columns = iter(range(self._column[f"{name}/0"], len(self.names)))
        return spaces.map_space(self._spaces[name], lambda _: self._rows.read(next(columns), places))

    # -- writing -------------------------------------------------------------------------------------------------------

    def add(
        self, obs: list[Array], action: list[Array], ends: tuple[Array, Array, Array], next_obs: list[Array]
    ) -> None:
        """Adds a step of every stream.

        Args:
            obs: leaves `[num, ...]`; used where an episode begins.
            action: leaves `[num, ...]`.
            ends: reward, terminated and truncated, `[num]`.
            next_obs: leaves `[num, ...]`.
        """
        rows, every = self._rows, np.arange(self.num)
        rows.reserve(2)
        self._steps.reserve(1)
        begins = np.flatnonzero(~self.open)
        if len(begins):
            self._append(begins, [leaf[begins] for leaf in obs], is_first=True)
        now = rows.places(every, rows.end - 1)
        for column, values in enumerate([*action, *ends], start=self._column["action/0"]):
            rows.write(column, now, values)
        self._steps.write(0, self._steps.places(every, self._steps.end), rows.end - 1)
        self._steps.end += 1
        self._append(every, next_obs, is_first=False)
        self.open = ~(ends[1] | ends[2])
        self._drop()

    def extend(self, begin: Array, counts: Array, columns: list[Array]) -> None:
        """Adds rows of every stream.

        Args:
            begin: `[num]` number of the first of them; where it is not the next, all that came before is dropped.
            counts: `[num]` how many there are.
            columns: `[counts.sum(), ...]`, stream after stream.
        """
        if not np.array_equal(begin, self._rows.end):
            self._rows.skip_to(begin)
            self._steps.skip_to(self._steps.end)
        if not len(columns[0]):
            return
        self._rows.reserve(counts)
        streams, numbers = self._rows.spread(begin, counts)
        places = self._rows.places(streams, numbers)
        for column, values in enumerate(columns):
            self._rows.write(column, places, values)
        self._rows.end += counts
        is_step = step_rows(counts, columns[-1])
        new = np.bincount(streams[is_step], minlength=self.num)
        self._steps.reserve(new)
        streams_of_steps, step_numbers = self._steps.spread(self._steps.end, new)
        self._steps.write(0, self._steps.places(streams_of_steps, step_numbers), numbers[is_step])
        self._steps.end += new
        last = self._rows.places(np.arange(self.num), self._rows.end - 2)
        self.open = ~(self.read("terminated", last) | self.read("truncated", last))
        self._drop()

    def cut(self) -> None:
        """Ends every running episode as truncated."""
        running = np.flatnonzero(self.open)
        if len(running):
            places = self._rows.places(running, self._rows.end[running] - 2)
            self._rows.write(self._column["truncated"], places, True)
        self.open = np.zeros(self.num, bool)

    def _append(self, streams: Array, obs: list[Array], *, is_first: bool) -> None:
        places = self._rows.places(streams, self._rows.end[streams])
        for column, values in enumerate([*obs, *self._neutral, 0.0, False, False, is_first]):
            self._rows.write(column, places, values)
        self._rows.end[streams] += 1

    def _drop(self) -> None:
        """Drops the oldest steps beyond the limit, and the final rows before the oldest that stays."""
        if self.limit is None or self.num_steps <= self.limit:
            return
        self._steps.first = self._steps.end - self.limit
        self._rows.first = self._steps.read(0, self._steps.places(np.arange(self.num), self._steps.first))

    # -- segments ------------------------------------------------------------------------------------------------------

    @property
    def end(self) -> Array:
        """Number of the row to come of each stream, `[num]`, counted from the first that ever was."""
        return self._rows.end

    def segment(self, begin: Array | None) -> tuple[dict[str, list[int]], dict[str, Tensor]]:
        """Returns which rows, from `begin` on, are kept, and the rows: `[rows, ...]`, stream after stream."""
        first = self._rows.first if begin is None else np.maximum(self._rows.first, begin)
        places = self._rows.places(*self._rows.spread(first, self._rows.end - first))
        tensors = {name: torch.from_numpy(self._rows.read(i, places)) for i, name in enumerate(self.names)}
        return {"begin": first.tolist(), "end": self.end.tolist()}, tensors

    def keeps(self, begin: Array, end: Array) -> bool:
        """Says whether one of the rows from `begin` to `end` is kept."""
        return bool(((end > self._rows.first) & (end > begin)).any())


def columns_of(observation_space: Space[Any], action_space: Space[Any]) -> tuple[list[str], list[Kind]]:
    """Returns names, and shape and dtype of a row, of all that is stored: "obs/0", ..., "action/0", ..., "is_first".

    Raises:
        UnsupportedSpaceError: values of a space are no arrays.
    """
    named = [
        (f"{name}/{i}", _kind_of(leaf))
        for name, space in (("obs", observation_space), ("action", action_space))
        for i, leaf in enumerate(leaf_spaces(space))
    ]
    names, kinds = zip(*named, *_FLAGS, strict=True)
    return list(names), list(kinds)


def leaves(space: Space[Any], value: Any) -> list[Any]:
    """Returns the parts of a nest laid out as `space`, in its order."""
    found: list[Any] = []
    spaces.map_space(space, lambda _, leaf: found.append(leaf), value)
    return found


def leaf_spaces(space: Space[Any]) -> list[Space[Any]]:
    """Returns the spaces of the parts of a nest laid out as `space`, in its order."""
    found: list[Space[Any]] = []
    spaces.map_space(space, found.append)
    return found


def step_rows(counts: Array, is_first: Array) -> Array:
    """Says of rows of streams, one after the other, which hold a step: those that another of their episode follows."""
    is_step = np.ones(len(is_first), bool)
    is_step[:-1] = ~is_first[1:]
    is_step[np.cumsum(counts)[counts > 0] - 1] = False
    return is_step


def _kind_of(leaf: Space[Any]) -> Kind:
    if not isinstance(leaf, _STORED):
        names = ", ".join(kind.__name__ for kind in _STORED)
        raise UnsupportedSpaceError(f"a replay stores {names}, and Dict and Tuple of them, got {leaf}")
    if isinstance(leaf, gym_spaces.Discrete):
        return (), np.dtype(np.int64)
    return leaf.shape, np.dtype(leaf.dtype)
