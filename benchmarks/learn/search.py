"""Monte-Carlo tree search in the exact model of FrozenLake-v1: how near to value iteration each kind of tree comes."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch

import zoo_core
from benchmarks.learn.report import Measured, for_all_seeds
from benchmarks.results import Control, Run
from zoo_tabular.dynamic_programming import policy_evaluation, value_iteration
from zoo_tabular.lookup import Lookup

CASE = "mcts-uct-frozen-lake"
ENV_ID = "FrozenLake-v1"  # slippery
SEEDS = tuple(range(10))
GAMMA = 0.9
NUM_SIMULATIONS = (1_000, 10_000, 100_000)  # from each place; the last is judged
TREES = ("chance", "transposition", "open-loop", "deterministic")  # the first is that of the runs, the others controls
CONFIG = {"gamma": GAMMA, "exploration": 1.0, "rollout_depth": 20}


def measure(seeds: Sequence[int] = SEEDS, jobs: int = 2, num_simulations: Sequence[int] = NUM_SIMULATIONS) -> Measured:
    """The worth of acting as a search says, as a share of the optimum, with the mean error of its values."""
    model = Lookup.from_env(ENV_ID)
    solution = value_iteration(model.table(), GAMMA)
    places = np.flatnonzero(solution.value)
    uniform = policy_evaluation(model.table(), np.full((model.num_states, model.num_actions), 0.25), GAMMA)
    chance, optimum = uniform[places].mean(), solution.value[places].mean()
    runs = dict(
        zip(TREES, for_all_seeds(judge, [(tree, tuple(num_simulations)) for tree in TREES], seeds, jobs), strict=True)
    )
    first, *others = TREES
    return Measured(
        None,
        runs[first],
        [
            *(Control(f"{tree} tree", runs[tree]) for tree in others),
            Control("random policy", score=float(chance / optimum), note="exact"),
        ],
        {
            "task": f"mcts-uct, {first} tree, in the exact model of {ENV_ID}: share of the optimum",
            "config": CONFIG,
            "places": len(places),
            "mean_optimum": float(optimum),
        },
    )


def judge(tree: str, num_simulations: Sequence[int], seed: int) -> Run:
    """Searches from every place from which the goal can be reached, with more and more simulations."""
    begun = time.perf_counter()
    model = Lookup.from_env(ENV_ID)
    table = model.table()
    solution = value_iteration(table, GAMMA)
    places = np.flatnonzero(solution.value)
    rng = zoo_core.rng(seed, "search")
    roots = model.observe(None, None, torch.from_numpy(places), None, rng=rng)
    figures = {}
    for num in num_simulations:
        planner = zoo_core.make_planner("mcts-uct", {**CONFIG, "tree": tree, "num_simulations": num})
        plan = planner.plan(model, roots, rng=rng)
        policy = np.zeros(table.num_states, np.int64)
        policy[places] = plan.action.numpy()
        figures[f"worth_{num}"] = float(
            policy_evaluation(table, policy, GAMMA)[places].mean() / solution.value[places].mean()
        )
        figures[f"value_error_{num}"] = float(np.abs(plan.value.numpy() - solution.value[places]).mean())
    score = figures[f"worth_{num_simulations[-1]}"]
    return Run(seed, score, env_steps=0, wall_s=round(time.perf_counter() - begun, 2), figures=figures)
