"""The learning cases by name, and names for several of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.learn import dreams, dyna, figures, sweeping
from benchmarks.learn.report import Measured, report
from benchmarks.results import DIRECTORY

MEASURED: Mapping[str, Callable[..., Measured]] = {
    "dyna-q-maze": dyna.measure_maze,
    dyna.BLOCKING.case: partial(dyna.measure_changing, dyna.BLOCKING),
    dyna.SHORTCUT.case: partial(dyna.measure_changing, dyna.SHORTCUT),
    "prioritized-sweeping-maze": sweeping.measure,
}
