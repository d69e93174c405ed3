"""The newest rows of something that never ends, in one tensor on the device."""

from __future__ import annotations

import operator
from collections.abc import Iterable

import torch
from torch import Tensor

from zoo_core.errors import CheckpointError
from zoo_core.recording import Segment


class Ring:
    """Rows of float32 `[capacity, width]`; where there is no room left, the oldest go.

    It is a `zoo_core.recording.Recording`: checkpoints write what was added since the one before.

    Args:
        width: numbers in a row.
        device: of the tensor.
        capacity: rows that it has room for, to begin with.
    """

    def __init__(self, width: int, *, device: torch.device, capacity: int = 0) -> None:
        self.num_added = 0  # rows, ever
        self._rows = torch.empty(capacity, width, device=device)
        self._size = 0
        self._next = 0  # place of the row to come

    def __len__(self) -> int:
        """Returns the number of rows that are kept."""
        return self._size

    @property
    def capacity(self) -> int:
        """Rows that there is room for."""
        return len(self._rows)

    def add(self, rows: Tensor) -> None:
        """Adds rows `[N, width]`, the oldest first."""
        self.num_added += len(rows)
        rows = rows[max(0, len(rows) - self.capacity) :]
        until_end = self.capacity - self._next
        self._rows[self._next : self._next + len(rows)] = rows[:until_end]
        self._rows[: max(0, len(rows) - until_end)] = rows[until_end:]
        self._next = (self._next + len(rows)) % max(1, self.capacity)
        self._size = min(self._size + len(rows), self.capacity)

    def sample(self, num: int) -> Tensor:
        """Returns rows `[num, width]`, drawn uniformly and with replacement from torch's global stream, as SB3 does.

        What is drawn depends on the order of the rows alone, not on where they lie.
        """
        drawn = torch.randint(self._size, (num,), device=self._rows.device)
        return self._rows.index_select(0, (drawn + (self._next - self._size)) % self.capacity)

    def newest(self, num: int) -> Tensor:
        """Returns the rows `[num, width]` that were added last, the oldest first."""
        ages = torch.arange(-num, 0, device=self._rows.device)
        return self._rows.index_select(0, (self._next + ages) % max(1, self.capacity))

    def resize(self, capacity: int) -> None:
        """Makes room for `capacity` rows; of more than that, the newest stay."""
        if capacity == self.capacity:
            return
        kept = self.newest(min(self._size, capacity))
        self._rows = self._rows.new_empty(capacity, self._rows.shape[1])
        self._rows[: len(kept)] = kept
        self._size, self._next = len(kept), len(kept) % max(1, capacity)

    def clear(self) -> None:
        """Drops all rows."""
        self._size = self._next = self.num_added = 0

    # -- a recording ---------------------------------------------------------------------------------------------------

    def cut(self) -> None:
        """Does nothing: dreams are whole."""

    def mark(self) -> int:
        """Returns how many rows were added so far."""
        return self.num_added

    def since(self, mark: int | None) -> Segment:
        """Returns the rows that were added after `mark` was taken, as far as they are kept; all for None."""
        num = self._size if mark is None else min(self._size, self.num_added - mark)
        description = {"added": self.num_added, "kept": self._size}
        return description, {"rows": self.newest(num).cpu()}

    def needs(self, description: dict[str, int]) -> bool:
        """Says whether the last row of the segment with this description is still kept."""
        return int(description["added"]) > self.num_added - self._size

    def restore(self, segments: Iterable[Segment]) -> None:
        """Replaces the contents by those of segments, oldest first. There is no more room than for these: whoever adds
        next resizes first.

        Raises:
            CheckpointError: a segment has rows of another width, or the last one tells of more than there are.
        """
        added, kept, width = 0, 0, self._rows.shape[1]
        parts = [torch.empty(0, width)]
        for description, tensors in segments:
            added, kept = (operator.index(description[name]) for name in ("added", "kept"))
            rows = tensors["rows"]
            if rows.dtype != torch.float32 or rows.ndim != 2 or rows.shape[1] != width:
                raise CheckpointError(
                    f"a segment of dreams must have float32 rows of {width}, got {rows.dtype} {list(rows.shape)}"
                )
            parts.append(rows)
        rows = torch.cat(parts)
        if not 0 <= kept <= min(added, len(rows)):
            raise CheckpointError(
                f"segments of dreams are missing: {kept} of {added} rows were kept, {len(rows)} are left"
            )
        self._rows = rows[len(rows) - kept :].to(self._rows.device, copy=True)
        self.num_added, self._size, self._next = added, kept, 0
