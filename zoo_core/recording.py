"""What a checkpoint asks of a replay, so that it need not write it whole."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from torch import Tensor

Segment = tuple[dict[str, Any], dict[str, Tensor]]  # JSON-able description, tensors


class Recording(Protocol):
    """Something that mostly grows, such as a replay: a checkpoint writes what was added since the one before.

    What was written never changes: `cut` is called before a checkpoint is taken.
    """

    def cut(self) -> None:
        """Ends running episodes as truncated: the environments are about to be reset."""

    def mark(self) -> Any:
        """Returns, as JSON, how much was added so far."""

    def since(self, mark: Any) -> Segment:
        """Returns what was added after `mark` was taken; all that is kept for None."""

    def needs(self, description: dict[str, Any]) -> bool:
        """Says whether something in the segment with this description is still kept."""

    def restore(self, segments: Iterable[Segment]) -> None:
        """Replaces the contents by those of `segments`, oldest first."""
