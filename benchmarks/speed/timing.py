"""Timing things that take turns, so that whatever else the machine does slows all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch

BLOCK_S = 0.05  # seconds that one thing runs before the next takes its turn


def fastest(
    functions: Mapping[str, Callable[[], object]], *, rounds: int, block_s: float = BLOCK_S
) -> dict[str, float]:
    """Calls each function for about `block_s` seconds, all of them in turn, `rounds` times.

    Returns:
        Seconds that a call of each function took in its fastest round: what else runs on the machine only adds to it.
    """
    calls = {name: _calls_in(function, block_s) for name, function in functions.items()}
    best = dict.fromkeys(functions, float("inf"))
    for _ in range(rounds):
        for name, function in functions.items():
            begun = time.perf_counter()
            for _ in range(calls[name]):
                function()
            best[name] = min(best[name], (time.perf_counter() - begun) / calls[name])
    return best


def times(num: int, function: Callable[[], object]) -> Callable[[], None]:
    """Returns a function that calls another one `num` times."""

    def repeat() -> None:
        for _ in range(num):
            function()

    return repeat


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
