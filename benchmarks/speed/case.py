"""What a speed case returns, and the list of cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.results import Bar, Control, Run

CASES = {  # name: module with `measure() -> Measured`
    "dream-overhead": "benchmarks.speed.dream_overhead",
    "dream-rate": "benchmarks.speed.dream_rate",
    "ensemble-batch": "benchmarks.speed.ensemble_batch",
    "sb3-overhead": "benchmarks.speed.sb3_overhead",
    "startup": "benchmarks.speed.startup",
}


@dataclass(frozen=True)
class Measured:
    """The part of a result that a case measures; see `benchmarks.results.write_result`."""

    bar: Bar | None
    runs: Sequence[Run]
    controls: Sequence[Control] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    threads: int | None = None
