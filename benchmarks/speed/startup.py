"""How long a user waits for the command `zoo list`, beside a Python that does nothing."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.results import Bar, Condition, Control, Run
from benchmarks.speed.case import Measured

ROUNDS = 15
BAR = Bar((Condition("zoo_list_s", "<=", 0.5),))
COMMANDS = {
    "zoo list": [str(Path(sys.executable).with_name("zoo")), "list"],
    "python": [sys.executable, "-c", "pass"],
}


def measure() -> Measured:
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        for name, command in COMMANDS.items():
            begun = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - begun)
    median = {name: statistics.median(values) for name, values in seconds.items()}
    return Measured(
        BAR,
        [Run(seed=0, score=median["zoo list"], figures={"zoo_list_s": median["zoo list"]})],
        [Control("python -c pass", score=median["python"], note="seconds")],
    )
