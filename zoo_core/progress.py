"""Progress bars: of the env steps of `learn`, and of long work inside an agent, one below the other."""

from __future__ import annotations

from types import TracebackType

from stable_baselines3.common.callbacks import BaseCallback
from tqdm import tqdm


class Progress:
    """A bar on a terminal; elsewhere nothing, so that logs stay readable.

    Args:
        label: what is counted.
        total: how many there will be; None if that is open.
        show: False shows nothing.
        leave: leave the bar when the work is done.
    """

    def __init__(self, label: str, total: int | None, *, show: bool = True, leave: bool = False) -> None:
        self._bar = tqdm(total=total, desc=label, leave=leave, disable=None if show else True)

    def to(self, count: int) -> None:
        """Moves the bar to `count`."""
        self._bar.update(count - self._bar.n)

    def close(self) -> None:
        """Ends the bar."""
        self._bar.close()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class ProgressCallback(BaseCallback):
    """Shows the env steps of `learn`; like SB3's ProgressBarCallback, and other bars can stand below it."""

    def _on_training_start(self) -> None:
        self._begun_at = self.model.num_timesteps
        self._progress = Progress("env steps", self.locals["total_timesteps"] - self._begun_at, leave=True)

    def _on_step(self) -> bool:
        self._progress.to(self.num_timesteps - self._begun_at)
        return True

    def _on_training_end(self) -> None:
        self._progress.close()
