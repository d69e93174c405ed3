"""What a learning case measured: made in several processes, drawn as curves, printed and written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch

from benchmarks.results import DIRECTORY, Bar, Control, Run, write_result

Done = TypeVar("Done")

QUANTILES = (0.1, 0.9)  # between which lies the band of a curve
DIGITS = 4  # of the numbers of a curve


class Measured(NamedTuple):
    """The part of a result that a case measures, with one torch thread; see `benchmarks.results.write_result`."""

    bar: Bar | None
    runs: Sequence[Run]
    controls: Sequence[Control]
    extra: Mapping[str, Any]


def in_processes(function: Callable[..., Done], work: Sequence[tuple[Any, ...]], jobs: int) -> list[Done]:
    """Calls a function with the arguments of each piece of work, in `jobs` processes of one torch thread."""
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        return list(pool.map(function, *zip(*work, strict=True)))


def for_all_seeds(
    function: Callable[..., Done], work: Sequence[tuple[Any, ...]], seeds: Sequence[int], jobs: int
) -> list[list[Done]]:
    """Calls a function with each piece of work and every seed; returns, for each piece, a list of all seeds."""
    done = in_processes(function, [(*arguments, seed) for arguments in work for seed in seeds], jobs)
    return [done[i : i + len(seeds)] for i in range(0, len(done), len(seeds))]


def curve(values: Any, *, first: int = 1, every: int = 1) -> dict[str, Any]:
    """Returns a curve over several runs as JSON data: its mean, and the quantiles between which its band lies.

    Args:
        values: `[runs, points]`, one value for each run at first, first + 1, ...
        first: where the first point is: an episode, a step.
        every: keep every so manyth point, the last one included.
    """
    values = np.asarray(values, dtype=np.float64)
    kept = np.arange(values.shape[1] - 1, -1, -every)[::-1]
    low, high = np.quantile(values[:, kept], QUANTILES, axis=0)
    lines = {"mean": values[:, kept].mean(0), "low": low, "high": high}
    return {"at": (kept + first).tolist(), **{name: [_digits(v) for v in line] for name, line in lines.items()}}


def report(case: str, measured: Measured, *, write: bool, kind: str = "learn", directory: Path = DIRECTORY) -> bool:
    """Prints what a case measured, and writes it if asked to; returns whether its bar was met."""
    print(f"{case}: {measured.extra['task']}")
    for name, runs in (("", measured.runs), *((control.name, control.runs) for control in measured.controls)):
        if runs:
            scores = [run.score for run in runs]
            span = f"{np.mean(scores):.4g} ({min(scores):.4g} to {max(scores):.4g})"
            print(f"  {span:28} {name}, {len(runs)} runs".replace(" ,", f" {case},"))
    if write:
        command = f"make learn CASE={case}"
        write_result(kind, case, command=command, **measured._asdict(), threads=1, directory=directory)
    return measured.bar is None or measured.bar.met_by(measured.runs)


def _digits(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def _one_thread() -> None:
    torch.set_num_threads(1)
