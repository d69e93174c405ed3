"""Sweeps of value iteration over 1,000 states and 4 actions, beside a matrix product of the same table.

The floor is what NumPy makes of a sweep: one product of the whole table with the values, and the maximum over actions,
in float64. A table with ten outcomes a pair leaves out all the others; and because a sweep goes on with the values
that it has just found, it takes fewer of them to the solution, which is timed as well.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks.results import Run
from benchmarks.speed.case import Measured
from benchmarks.speed.timing import fastest, torch_threads
from zoo_tabular.dynamic_programming import (
    MAX_SWEEPS,
    TOLERANCE,
    Array,
    as_matrix,
    is_dense,
    prepare,
    sweep_matrix_until,
    sweep_until,
)
from zoo_tabular.table import Table

NUM_STATES, NUM_ACTIONS = 1_000, 4
NUM_OUTCOMES = {"sparse": 10, "dense": 1_000}  # of a pair
GAMMA = 0.95
SWEEPS = 10  # of a call
ROUNDS = 10


def measure() -> Measured:
    functions: dict[str, Callable[[], object]] = {}
    for name, num_outcomes in NUM_OUTCOMES.items():
        table = random_table(NUM_STATES, NUM_ACTIONS, num_outcomes)
        for what, tolerance, max_sweeps in (("sweep", 0.0, SWEEPS), ("solution", TOLERANCE, MAX_SWEEPS)):
            functions[f"{name}_{what}"] = sweeps(table, tolerance, max_sweeps)
            functions[f"{name}_{what}_floor"] = matrix_products(table, tolerance, max_sweeps)
    with torch_threads(1):
        seconds = fastest(functions, rounds=ROUNDS)
    figures = {
        f"{name}_{what}_over_floor": seconds[f"{name}_{what}"] / seconds[f"{name}_{what}_floor"]
        for name in NUM_OUTCOMES
        for what in ("sweep", "solution")
    }
    figures |= {f"{name}s_per_s": SWEEPS / value for name, value in seconds.items() if name.endswith("sweep")}
    return Measured(None, [Run(seed=0, score=figures["sparse_sweep_over_floor"], figures=figures)])


def random_table(num_states: int, num_actions: int, num_outcomes: int) -> Table:
    """Returns a table of random outcomes, each pair's all different."""
    rng = np.random.default_rng(0)
    shape = num_states, num_actions, num_outcomes
    chance = rng.random(shape)
    return Table(
        next_state=rng.random((num_states, num_actions, num_states)).argsort(-1)[..., :num_outcomes],
        probability=chance / chance.sum(-1, keepdims=True),
        reward=rng.normal(size=shape),
        terminated=np.zeros(shape, bool),
        initial=np.full(num_states, 1.0 / num_states),
    )


def sweeps(table: Table, tolerance: float, max_sweeps: int) -> Callable[[], Array]:
    backups = prepare(table, GAMMA)
    once = partial(sweep_matrix_until, *as_matrix(backups)) if is_dense(backups) else partial(sweep_until, *backups)

    def sweep() -> Array:
        value = np.zeros(table.num_states)
        once(value, tolerance, max_sweeps)
        return value

    return sweep


def matrix_products(table: Table, tolerance: float, max_sweeps: int) -> Callable[[], Array]:
    reward, matrix = table.expected_reward(), GAMMA * table.continuing_matrix().reshape(-1, table.num_states)

    def sweep() -> Array:
        value = np.zeros(table.num_states)
        for _ in range(max_sweeps):
            before, value = value, (reward + (matrix @ value).reshape(reward.shape)).max(-1)
            if np.abs(value - before).max() <= tolerance:
                break
        return value

    return sweep
