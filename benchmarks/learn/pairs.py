"""Every registered planner in every registered model that it fits by their specs: whether it keeps the contract."""

from __future__ import annotations

import time
from collections.abc import Sequence

from benchmarks.learn.report import Measured, in_processes
from benchmarks.results import Bar, Condition, Run
from zoo_core.testing.pairs import all_pairs

CASE = "planners-in-every-model"


def measure(seeds: Sequence[int] = (0,), jobs: int = 2) -> Measured:
    """The share of pairs that keep the contract; seeds play no part."""
    names = [str(pair) for pair in all_pairs()]
    begun = time.perf_counter()
    broken = dict(zip(names, in_processes(check, [(name,) for name in names], jobs), strict=True))
    share = sum(not found for found in broken.values()) / len(names)
    run = Run(0, share, wall_s=round(time.perf_counter() - begun, 1), figures={"pairs": float(len(names))})
    extra = {"task": "every planner in every model that it fits: share that keeps the contract", "pairs": broken}
    return Measured(Bar((Condition("score", ">=", 1.0),)), [run], [], extra)


def check(name: str) -> str:
    """Tries one pair; returns what is broken, nothing if all is well."""
    pair = next(each for each in all_pairs() if str(each) == name)
    try:
        pair.check()
    except Exception as error:  # whatever it is, it is what is looked for
        return f"{type(error).__name__}: {error}"
    return ""
