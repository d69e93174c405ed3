"""Runs speed cases and writes their results: `python -m benchmarks.bench [CASE ...]`; without names all of them."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from benchmarks.results import DIRECTORY, Result, Run, write_result
from benchmarks.speed.case import CASES
from zoo_core.errors import did_you_mean


def run_case(name: str, directory: Path = DIRECTORY) -> Result:
    """Measures a case and writes its file."""
    begun = time.perf_counter()
    measured = import_module(CASES[name]).measure()
    wall_s = round(time.perf_counter() - begun, 1)
    return write_result(
        "speed",
        name,
        command=f"make bench CASE={name}",
        bar=measured.bar,
        runs=[_tidy(run, wall_s) for run in measured.runs],
        controls=[
            replace(c, runs=[_tidy(run) for run in c.runs], score=None if c.runs else _digits(c.score))
            for c in measured.controls
        ],
        threads=1,
        directory=directory,
    )


def main(names: list[str]) -> int:
    """Returns 0 if all cases met their bars, 1 if one did not, 2 if there is no such case."""
    for name in names:
        if name not in CASES:
            print(f"no speed case {name!r}{did_you_mean(name, CASES)}", file=sys.stderr)
            return 2
    passed = True
    for name in names or CASES:
        result = run_case(name)
        print(f"{name}: {'passed' if result.passed else 'MISSED ITS BAR'}")
        for run in result.runs:
            for figure, value in {"score": run.score, **run.figures}.items():
                print(f"  {figure:32} {value:12.4g}")
        for control in result.controls:
            print(f"  {control.name:32} {control.score:12.4g}")
        passed &= result.passed
    return 0 if passed else 1


def _tidy(run: Run, wall_s: float = 0.0) -> Run:
    figures = {name: _digits(value) for name, value in run.figures.items()}
    return replace(run, score=_digits(run.score), figures=figures, wall_s=wall_s)


def _digits(value: float) -> float:
    """Rounds to five digits: more of a measured time are noise."""
    return float(f"{value:.5g}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
