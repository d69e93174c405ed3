"""The plans of 64 roots searched together, against one after the other: CEM in the model `mlp`, without particles."""

from __future__ import annotations

import torch

import zoo_core
from benchmarks.results import Bar, Condition, Run
from benchmarks.speed.case import Measured
from benchmarks.speed.timing import fastest, torch_threads
from zoo_core.world_model import index

ENV = "Pendulum-v1"
MODEL = {"num_layers": 2, "hidden": 64}
PLANNER = {"horizon": 12, "num_candidates": 64, "num_elites": 8, "iterations": 5, "min_variance": 0.0}
NUM_ROOTS = 64
REAL_STEPS = 1_000
UPDATES = 200
ROUNDS = 10
BAR = Bar((Condition("one_by_one_over_together", ">=", 3.0),))


def measure() -> Measured:
    replay = zoo_core.Replay.collect(ENV, REAL_STEPS, seed=0)
    model = zoo_core.make_model("mlp", replay.observation_space, replay.action_space, MODEL, seed=0, device="cpu")
    model.fit(replay, rng=zoo_core.rng(0), max_updates=UPDATES)
    planner, rng = zoo_core.make_planner("cem", PLANNER), zoo_core.rng(0)
    roots = model.initial_state(NUM_ROOTS, rng=rng)
    each = [index(roots, torch.tensor([row])) for row in range(NUM_ROOTS)]
    functions = {
        "together": lambda: planner.plan(model, roots, rng=rng),
        "one_by_one": lambda: [planner.plan(model, root, rng=rng) for root in each],
    }
    with torch_threads(1):
        seconds = fastest(functions, rounds=ROUNDS)
    figures = {
        "one_by_one_over_together": seconds["one_by_one"] / seconds["together"],
        **{f"{name}_ms": 1e3 * value for name, value in seconds.items()},
    }
    return Measured(BAR, [Run(seed=0, score=figures["one_by_one_over_together"], figures=figures)])
