"""Planning updates of Dyna-Q: the compiled loop beside the same loop in plain Python, and beside NumPy on whole batches.

Each plans from what an agent remembers of the Dyna maze (one outcome a pair), and of FrozenLake-v1, which is slippery
(several, in proportion to their counts).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import zoo_core
from benchmarks.results import Bar, Condition, Run
from benchmarks.speed.case import Measured
from benchmarks.speed.timing import fastest
from zoo_dyna.kernels import plan

WORLDS = {  # model and environment
    "maze": ("lookup-deterministic", "zoo_envs/DynaMaze-v0"),
    "lake": ("lookup", "FrozenLake-v1"),
}
REAL_STEPS = 5_000
NUM_UPDATES = {"compiled": 50_000, "python": 500, "numpy": 50_000, "call": 50}  # of a call; the last is n = 50
ROUNDS = 20
BAR = Bar((Condition("maze_over_python", ">=", 50.0), Condition("lake_over_python", ">=", 50.0)))


def measure() -> Measured:
    agents = {name: trained(*world) for name, world in WORLDS.items()}
    planners = {"compiled": compiled, "call": compiled, "python": plain, "numpy": in_batches}
    functions = {
        f"{world}_{name}": planner(agents[world], NUM_UPDATES[name])
        for world in WORLDS
        for name, planner in planners.items()
    }
    seconds = fastest(functions, rounds=ROUNDS)
    rates = {name: NUM_UPDATES[name.partition("_")[2]] / value for name, value in seconds.items()}
    figures = {}
    for world in WORLDS:
        figures |= {f"{world}_over_{peer}": rates[f"{world}_compiled"] / rates[f"{world}_{peer}"] for peer in ("python", "numpy")}
    figures |= {f"{name}_updates_per_s": rate for name, rate in rates.items()}
    return Measured(BAR, [Run(seed=0, score=figures["maze_over_python"], figures=figures)])


def trained(model: str, env_id: str) -> Any:
    """Returns an agent that has seen its world."""
    agent: Any = zoo_core.make_agent("dyna-q", env_id, {"model": model, "explore_prob": 1.0}, seed=0)
    return agent.learn(REAL_STEPS)


def compiled(agent: Any, num: int) -> Callable[[], object]:
    return lambda: plan(*_arguments(agent, num))
