"""Planning updates of Dyna-Q: the compiled loop beside the same loop in plain Python, and beside NumPy on batches.

Each plans from what an agent remembers of the Dyna maze (one outcome a pair), and of FrozenLake-v1, which is slippery
(several, in proportion to their counts): in one long call, and in calls of n = 50, as an agent makes after each real
step, where handing over the arguments takes longer than the updates.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

import zoo_core
from benchmarks.results import Bar, Condition, Run
from benchmarks.speed.case import Measured
from benchmarks.speed.interpreted import interpreted
from benchmarks.speed.timing import fastest
from zoo_dyna import kernels

WORLDS = {  # model and environment
    "maze": ("lookup-deterministic", "zoo_envs/DynaMaze-v0"),
    "lake": ("lookup", "FrozenLake-v1"),
}
REAL_STEPS = 2_000  # behind what is remembered
NUM_UPDATES = {"compiled": 50_000, "python": 500, "numpy": 50_000, "compiled_n_50": 50, "numpy_n_50": 50}  # of a call
ROUNDS = 20
BAR = Bar((Condition("maze_over_python", ">=", 50.0), Condition("lake_over_python", ">=", 50.0)))


def measure() -> Measured:
    plain = interpreted(kernels.plan)
    functions: dict[str, Callable[[], object]] = {}
    for world, (model, env_id) in WORLDS.items():
        agent = trained(model, env_id)
        for name, num in NUM_UPDATES.items():
            plan = {"compiled": kernels.plan, "python": plain, "numpy": plan_in_numpy}[name.partition("_")[0]]
            functions[f"{world}_{name}"] = planner(plan, agent, num)
    seconds = fastest(functions, rounds=ROUNDS)
    rate = {
        f"{world}_{name}": num / seconds[f"{world}_{name}"] for world in WORLDS for name, num in NUM_UPDATES.items()
    }
    figures = {}
    for world in WORLDS:
        figures[f"{world}_over_python"] = rate[f"{world}_compiled"] / rate[f"{world}_python"]
        figures[f"{world}_n_50_over_python"] = rate[f"{world}_compiled_n_50"] / rate[f"{world}_python"]
        figures[f"{world}_over_numpy"] = rate[f"{world}_compiled"] / rate[f"{world}_numpy"]
        figures[f"{world}_n_50_over_numpy"] = rate[f"{world}_compiled_n_50"] / rate[f"{world}_numpy_n_50"]
    figures |= {f"{name}_updates_per_s": value for name, value in rate.items()}
    return Measured(BAR, [Run(seed=0, score=figures["maze_over_python"], figures=figures)])


@cache
def trained(model: str, env_id: str) -> Any:
    """Returns an agent that has walked about in its world."""
    agent: Any = zoo_core.make_agent("dyna-q", env_id, {"model": model, "explore_prob": 1.0}, seed=0)
    return agent.learn(REAL_STEPS)


def planner(plan: Callable[..., object], agent: Any, num_updates: int) -> Callable[[], Any]:
    """Returns a call that plans so often from what the agent remembers, and learns a Q of its own, which it returns."""
    known, tried, q, rng = agent.model.outcomes, agent.memory, np.zeros_like(agent.q), np.random.default_rng(0)

    def call() -> Any:
        plan(q, *known, *tried, num_updates, 0.1, 0.95, False, 0.0, 0.0, rng)
        return q

    return call


def plan_in_numpy(
    q: Any,
    outcome_next: Any,
    outcome_count: Any,
    outcome_reward: Any,
    outcome_terminated: Any,
    states: Any,
    num_states: Any,
    actions: Any,
    num_actions: Any,
    _last_tried: Any,
    _clock: Any,
    num_updates: int,
    learning_rate: float,
    gamma: float,
    _curious: bool,
    _bonus: float,
    _unseen_reward: float,
    rng: np.random.Generator,
) -> None:
    """Makes all updates at once, from the Q of before: what one writes in NumPy to be spared the loop."""
    s = states[rng.integers(num_states[0], size=num_updates)]
    a = actions[s, (rng.random(num_updates) * num_actions[s]).astype(np.int64)]
    k = 0
    if outcome_count.shape[2] > 1:
        below = outcome_count[s, a].cumsum(-1)
        k = (below <= rng.random((num_updates, 1)) * below[:, -1:]).sum(-1)
    after = np.where(outcome_terminated[s, a, k], 0.0, q[outcome_next[s, a, k]].max(-1))
    q[s, a] += learning_rate * (outcome_reward[s, a, k] + gamma * after - q[s, a])  # of equal pairs, the last counts
