"""Progress bars of long work inside an agent."""

from __future__ import annotations

from types import TracebackType

from tqdm import tqdm


class Progress:
    """A bar that is removed when its work is done.

    Args:
        label: what is counted.
        total: how many there will be; None if that is open.
        show: False shows nothing.
    """

    def __init__(self, label: str, total: int | None, *, show: bool) -> None:
        self._bar = tqdm(total=total, desc=label, leave=False, disable=not show)

    def to(self, count: int) -> None:
        """Moves the bar to `count`."""
        self._bar.update(count - self._bar.n)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()
