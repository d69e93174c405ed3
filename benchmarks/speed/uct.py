"""Simulations of Monte-Carlo tree search (`mcts-uct`) from the start of FrozenLake-v1, slippery, in its exact table.

A simulation goes down the tree and plays on at random for ten steps, or until it falls through the ice. The table is
searched in a compiled loop; beside it the same loop in plain Python, and the same search by calls of the model, as of
any other model.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np

import zoo_core
from benchmarks.results import Run
from benchmarks.speed.case import Measured
from benchmarks.speed.interpreted import interpreted
from benchmarks.speed.timing import fastest, torch_threads
from zoo_core.planner import Plan
from zoo_mcts import table_search
from zoo_tabular.lookup import Lookup

ENV = "FrozenLake-v1"
ROLLOUT_DEPTH = 10
BATCHES = (1, 64)  # roots
SIMULATIONS = {"compiled": 1_000, "model": 100, "python": 100}  # from each root
ROUNDS = 10


class Untold(Lookup):
    """The same table, but it does not say that it is one."""

    @property
    def table(self) -> Any:
        """Is not there."""
        raise AttributeError("this model keeps its table to itself")


def measure() -> Measured:
    functions: dict[str, Callable[[], object]] = {}
    for num_roots in BATCHES:
        functions[f"compiled_{num_roots}"] = search(Lookup, num_roots, SIMULATIONS["compiled"])
        functions[f"model_{num_roots}"] = search(Untold, num_roots, SIMULATIONS["model"])
    functions["python_1"] = in_plain_python(search(Lookup, 1, SIMULATIONS["python"]))
    with torch_threads(1):
        seconds = fastest(functions, rounds=ROUNDS)
    rate = {}
    for name, value in seconds.items():
        path, num_roots = name.split("_")
        rate[name] = SIMULATIONS[path] * int(num_roots) / value
    figures = {"over_python": rate["compiled_1"] / rate["python_1"]}
    figures |= {f"over_model_{num}": rate[f"compiled_{num}"] / rate[f"model_{num}"] for num in BATCHES}
    figures |= {f"{name}_simulations_per_s": value for name, value in rate.items()}
    figures["rollout_depth"] = ROLLOUT_DEPTH
    return Measured(None, [Run(seed=0, score=figures["over_python"], figures=figures)])


def search(model_class: type[Lookup], num_roots: int, num_simulations: int) -> Callable[[], Plan]:
    """Returns a search from so many roots, all at the start."""
    model = model_class.from_env(ENV)
    config = {"num_simulations": num_simulations, "rollout_depth": ROLLOUT_DEPTH}
    planner, rng = zoo_core.make_planner("mcts-uct", config), zoo_core.rng(0)
    state = model.initial_state(num_roots, rng=rng)
    return lambda: planner.plan(model, state, rng=rng)


def in_plain_python(function: Callable[[], Plan]) -> Callable[[], Plan]:
    """Returns the same call with the loop over simulations interpreted."""
    plain = interpreted(table_search._search)

    def call() -> Plan:
        # Random numbers are made of uint64 that overflow, of which NumPy warns outside of compiled code.
        with mock.patch.object(table_search, "_search", plain), np.errstate(over="ignore"):
            return function()

    return call
