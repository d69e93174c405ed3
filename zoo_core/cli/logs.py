"""The log of a run: progress.csv, TensorBoard events, and whatever tracker the user names."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Sequence
from pathlib import Path

from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import CSVOutputFormat, KVWriter, Logger, TensorBoardOutputFormat
from torch.utils.tensorboard import SummaryWriter

_STEP = "time/total_timesteps"
_PROGRESS = "progress.csv"


class OpenLogs(BaseCallback):
    """Opens the log files of a run when its learning begins, which is known by then to be new or to go on.

    What was logged after the checkpoint from which it goes on is dropped: it is about to be logged again.

    Args:
        logger: gets the files as output formats.
        directory: of the run.
        more: trackers.
    """

    def __init__(self, logger: Logger, directory: Path, more: Sequence[KVWriter]) -> None:
        super().__init__()
        self._logger, self._directory, self._more = logger, directory, more
        self._opened = False

    def open(self, step: int) -> None:
        """Opens the files of a run that begins at a step; later calls do nothing."""
        if not self._opened:
            self._opened = True
            files = [_open_csv(self._directory, step), _EventsFrom(self._directory, step)]
            self._logger.output_formats += [*files, *self._more]

    def _on_training_start(self) -> None:
        self.open(self.num_timesteps)

    def _on_step(self) -> bool:
        return True


class SayWhere(BaseCallback):
    """Says at which step the learning of a resumed run begins.

    Args:
        say: prints a line.
    """

    def __init__(self, say: Callable[[str], object]) -> None:
        super().__init__()
        self._say = say

    def _on_training_start(self) -> None:
        step = self.num_timesteps
        self._say(f"going on from step {step:,}" if step else "no checkpoint was written: beginning again")

    def _on_step(self) -> bool:
        return True


def _open_csv(directory: Path, step: int) -> CSVOutputFormat:
    """Returns progress.csv with the rows that it has up to a step."""
    rows = _rows_until(directory / _PROGRESS, step)
    output = CSVOutputFormat(str(directory / _PROGRESS))
    if rows:
        output.keys = rows[0]
        csv.writer(output.file, lineterminator="\n").writerows(rows)
        output.file.flush()
    return output


def _rows_until(path: Path, step: int) -> list[list[str]]:
    """Returns the head and the rows up to a step; a row that a kill has cut short, or that cannot be read, is none."""
    if step == 0 or not path.is_file():
        return []
    with path.open(newline="", errors="replace") as file:
        head, *rows = [_parse(line) for line in file] or [[]]
    if _STEP not in head:
        return []
    column = head.index(_STEP)
    return [head, *(row for row in rows if len(row) == len(head) and _number(row[column]) <= step)]


def _parse(line: str) -> list[str]:
    """Returns the fields of one line, on its own: a stray quote takes no other with it."""
    try:
        return next(csv.reader([line], strict=True))
    except csv.Error:
        return []


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.inf  # beyond any step


class _EventsFrom(TensorBoardOutputFormat):
    """TensorBoard events from a step on; those of later steps in the same directory are to be ignored."""

    def __init__(self, folder: Path, step: int) -> None:
        self._is_closed = False
        self.writer = SummaryWriter(log_dir=str(folder), purge_step=step + 1 if step else None)
