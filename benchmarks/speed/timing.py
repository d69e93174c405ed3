"""Timing things that take turns, so that whatever else the machine does slows all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray

Times = NDArray[np.float64]
BLOCK_S = 0.05  # seconds that one thing runs before the next takes its turn


def take_turns(
    functions: Mapping[str, Callable[[], object]], *, rounds: int = 60, block_s: float = BLOCK_S
) -> dict[str, Times]:
    """Calls each function for about `block_s` seconds, all of them in turn, `rounds` times.

    Returns:
        Seconds a call of each function, `[rounds]`. Quotients of one round compare like with like.
    """
    calls = {name: _calls_in(function, block_s) for name, function in functions.items()}
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            begun = time.perf_counter()
            for _ in range(calls[name]):
                function()
            times[name].append((time.perf_counter() - begun) / calls[name])
    return {name: np.array(values) for name, values in times.items()}


def ratio(times: Times, floor: Times) -> float:
    """Returns the median over rounds of how many times longer a call took than one of the floor."""
    return float(np.median(times / floor))


def median_us(times: Times) -> float:
    """Returns the median time of a call in microseconds."""
    return float(np.median(times) * 1e6)


@contextmanager
def torch_threads(num: int) -> Iterator[None]:
    """Gives torch `num` threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(num)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _calls_in(function: Callable[[], object], seconds: float) -> int:
    """Returns how often a function can be called in so many seconds, found by calling it (which warms it up)."""
    function()
    calls, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        function()
        calls += 1
    return max(1, calls)
