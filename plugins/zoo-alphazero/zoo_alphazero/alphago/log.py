"""What grows as AlphaGo learns: rows of arrays, of which a checkpoint writes only the new ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from zoo_core.errors import CheckpointError
from zoo_core.recording import Segment
from zoo_mcts.games.game import Array


class Log:
    """Columns of rows that are appended; a `zoo_core.recording.Recording`.

    Args:
        **columns: arrays of no rows, which say the type and the shape of a row; each may have rows of its own number.
    """

    def __init__(self, **columns: Array) -> None:
        self._empty = columns
        self.era = -1  # how often everything was forgotten
        self.clear()

    def clear(self) -> None:
        """Forgets all rows."""
        self.era += 1
        self._parts: dict[str, list[Array]] = {name: [column] for name, column in self._empty.items()}

    def add(self, **rows: Array) -> None:
        """Appends rows to columns."""
        for name, values in rows.items():
            empty = self._empty[name]
            assert values.shape[1:] == empty.shape[1:], f"{name}: {values.shape[1:]}, expected {empty.shape[1:]}"
            self._parts[name].append(values.astype(empty.dtype, copy=False))

    def __getitem__(self, name: str) -> Array:
        """Returns all rows of a column."""
        parts = self._parts[name]
        if len(parts) > 1:
            parts[:] = [np.concatenate(parts)]
        return parts[0]

    # -- as a recording ------------------------------------------------------------------------------------------------

    def cut(self) -> None:
        """Does nothing: a game that is not over was never added."""

    def mark(self) -> Any:
        """Returns how many rows there are."""
        return {"era": self.era, "rows": {name: len(self[name]) for name in self._empty}}

    def since(self, mark: Any) -> Segment:
        """Returns the rows after a mark; all of them for None, and if `clear` was called since."""
        begin = {} if mark is None or mark["era"] != self.era else mark["rows"]
        rows = {name: torch.from_numpy(self[name][begin.get(name, 0) :].copy()) for name in self._empty}
        return {"era": self.era}, rows

    def needs(self, description: dict[str, Any]) -> bool:
        """Says whether the rows of a segment are still there."""
        return bool(description["era"] == self.era)

    def restore(self, segments: Iterable[Segment]) -> None:
        """Replaces all rows by those of the segments.

        Raises:
            CheckpointError: they are of other columns.
        """
        self.clear()
        for description, tensors in segments:
            self.era = int(description["era"])
            rows = {name: tensor.cpu().numpy() for name, tensor in tensors.items()}
            for name, empty in self._empty.items():
                if name not in rows or (rows[name].shape[1:], rows[name].dtype) != (empty.shape[1:], empty.dtype):
                    raise CheckpointError(f"{name!r} is missing, or its rows are not {empty.dtype} {empty.shape[1:]}")
            self.add(**{name: rows[name] for name in self._empty})
