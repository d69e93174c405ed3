"""The newest positions of self-play, in little memory."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from gymnasium import spaces

from zoo_core.errors import CheckpointError
from zoo_core.recording import Segment
from zoo_mcts.games.game import Array


class Positions(NamedTuple):
    """What is learned from, of N positions.

    Attributes:
        planes: `[N, ...]` what the player to move sees.
        legal: bool `[N, A]`.
        policy: float `[N, A]` what the search recommends, π.
        outcome: float32 `[N]` how the game ended for the player to move, z.
    """

    planes: Array
    legal: Array
    policy: Array
    outcome: Array


class PositionReplay:
    """Positions in arrays; where there is no room left, the oldest go. Planes of zeros and ones take a bit a cell.

    It is a `zoo_core.recording.Recording`: checkpoints write what was added since the one before.

    Args:
        view: space of the planes.
        num_actions: A.
        capacity: positions that are kept.
    """

    def __init__(self, view: spaces.Box, num_actions: int, capacity: int) -> None:
        self.num_added = 0  # positions, ever
        self._view, self._num_actions = view, num_actions
        self._binary = is_binary(view)
        self._arrays = tuple(np.empty((capacity, *row.shape[1:]), row.dtype) for row in self._encode(self._blank()))
        self._size = 0
        self._next = 0  # place of the position to come

    def __len__(self) -> int:
        """Returns the number of positions that are kept."""
        return self._size

    @property
    def capacity(self) -> int:
        """Positions that there is room for."""
        return len(self._arrays[-1])

    @classmethod
    def row_bytes(cls, view: spaces.Box, num_actions: int) -> int:
        """Returns how many bytes a position takes."""
        return sum(array.nbytes for array in cls(view, num_actions, 1)._arrays)

    def add(self, positions: Positions) -> None:
        """Adds positions, the oldest first."""
        self._add(self._encode(positions))

    def sample(self, num: int, *, rng: torch.Generator) -> Positions:
        """Returns positions drawn uniformly and with replacement.

        What is drawn depends on the order of the positions alone, not on where they lie.
        """
        drawn = torch.randint(self._size, (num,), generator=rng, device=rng.device).cpu().numpy()
        return self._decode(self._rows(drawn))

    def newest(self, num: int) -> Positions:
        """Returns the positions that were added last, the oldest first."""
        return self._decode(self._rows(np.arange(self._size - num, self._size)))

    def _rows(self, ages: Array) -> tuple[Array, ...]:
        """Returns rows by their age, 0 for the oldest."""
        places = (ages + (self._next - self._size)) % self.capacity
        return tuple(array[places] for array in self._arrays)

    def _add(self, rows: tuple[Array, ...]) -> None:
        num = len(rows[-1])
        self.num_added += num
        for array, new in zip(self._arrays, rows, strict=True):
            kept = new[max(0, num - self.capacity) :]
            array[(self._next + np.arange(len(kept))) % self.capacity] = kept
        self._next = (self._next + min(num, self.capacity)) % self.capacity
        self._size = min(self._size + num, self.capacity)

    # -- bits ----------------------------------------------------------------------------------------------------------

    def _blank(self) -> Positions:
        """Returns one position of nothing."""
        legal = np.zeros((1, self._num_actions), np.bool_)
        return Positions(np.zeros((1, *self._view.shape), self._view.dtype), legal, legal, np.zeros(1))

    def _encode(self, positions: Positions) -> tuple[Array, ...]:
        planes, legal, policy, outcome = positions
        flat = planes.reshape(len(planes), -1)
        return (
            np.packbits(flat.astype(np.bool_), axis=1) if self._binary else planes.astype(self._view.dtype),
            np.packbits(legal, axis=1),
            policy.astype(np.float16),
            outcome.astype(np.float32),
        )

    def _decode(self, rows: tuple[Array, ...]) -> Positions:
        planes, legal, policy, outcome = rows
        if self._binary:
            bits = np.unpackbits(planes, axis=1, count=math.prod(self._view.shape))
            planes = bits.reshape(-1, *self._view.shape)
        mask = np.unpackbits(legal, axis=1, count=self._num_actions).astype(np.bool_)
        return Positions(planes, mask, policy.astype(np.float32), outcome)

    # -- a recording ---------------------------------------------------------------------------------------------------

    def cut(self) -> None:
        """Does nothing: games that are not over are not here."""

    def mark(self) -> int:
        """Returns how many positions were added so far."""
        return self.num_added

    def since(self, mark: int | None) -> Segment:
        """Returns what was added after `mark` was taken, as far as it is kept; all for None."""
        num = self._size if mark is None else min(self._size, self.num_added - mark)
        rows = self._rows(np.arange(self._size - num, self._size))
        description = {"added": self.num_added, "kept": self._size}
        return description, {name: torch.from_numpy(array) for name, array in zip(Positions._fields, rows, strict=True)}

    def needs(self, description: dict[str, int]) -> bool:
        """Says whether the last position of the segment with this description is still kept."""
        return int(description["added"]) > self.num_added - self._size

    def restore(self, segments: Iterable[Segment]) -> None:
        """Replaces the contents by those of segments, oldest first.

        Raises:
            CheckpointError: a segment is of another game, or the last one tells of more than there are.
        """
        added = kept = 0
        self._size = self._next = 0
        for description, tensors in segments:
            added, kept = (operator.index(description[name]) for name in ("added", "kept"))
            rows = tuple(tensors[name].numpy() for name in Positions._fields)
            for name, array, new in zip(Positions._fields, self._arrays, rows, strict=True):
                if new.dtype != array.dtype or new.shape[1:] != array.shape[1:] or len(new) != len(rows[-1]):
                    raise CheckpointError(
                        f"{name} of a segment of positions must be {array.dtype} {list(array.shape[1:])} a row, got "
                        f"{new.dtype} {list(new.shape[1:])}"
                    )
            self._add(rows)
        if not 0 <= kept <= min(added, self._size):
            raise CheckpointError(
                f"segments of positions are missing: {kept} of {added} were kept, {self._size} are left"
            )
        self.num_added, self._size = added, kept


def is_binary(view: spaces.Box) -> bool:
    """Says whether planes are zeros and ones for sure."""
    if view.dtype == np.bool_:
        return True
    return bool(np.issubdtype(view.dtype, np.integer) and (view.low == 0).all() and (view.high == 1).all())
