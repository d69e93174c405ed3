"""One action planned as PETS does on half-cheetah, beside the networks that it runs; and the same plan in less.

The floor is the forward pass of the ensemble's networks on as many rows, each through one member, as many times as the
plan steps its model. `time_NAME` is that of a cheaper plan (`benchmarks.speed.cheaper_plans`), in parts of the whole
one's; `regret_NAME` is what it returns less (`benchmarks.speed.plan_regret`), in parts of what the whole one returns.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from gymnasium.spaces import Box

import zoo_core
from benchmarks.results import Bar, Condition, Control, Run
from benchmarks.speed.case import Measured
from benchmarks.speed.cheaper_plans import CHEAPER, PLANNER, SAME_PLAN, WHOLE, Cheaper
from benchmarks.speed.models import CONFIG, member_inputs
from benchmarks.speed.plan_regret import plan_regrets
from benchmarks.speed.timing import fastest, times, torch_threads
from zoo_core.planner import Plan
from zoo_ensemble.world_model import Ensemble

SPACES = Box(-np.inf, np.inf, (17,)), Box(-1.0, 1.0, (6,))  # of HalfCheetah-v5
ROWS = PLANNER["num_candidates"] * PLANNER["num_particles"]
CALLS = PLANNER["horizon"] * PLANNER["iterations"]
ROUNDS = 3
BAR = Bar((Condition("plan_over_forward", "<=", 1.15),))
ELSEWHERE = "milliseconds of the same plan by mbrl-lib, on another machine of this size"


def measure() -> Measured:
    model = zoo_core.make_model("ensemble", *SPACES, CONFIG, seed=0, device="cpu")  # its speed needs no fit
    assert isinstance(model, Ensemble)
    plans = {
        "forward": times(CALLS, _forward(model)),
        "plan": _planning(model, WHOLE),
        "medium_plan": _planning(model, CHEAPER["in_medium_precision"]),
    }
    ways = {"whole": WHOLE, **CHEAPER, **SAME_PLAN}
    iterations = {name: _planning(model, way, iterations=1) for name, way in ways.items()}  # all take as long
    with torch_threads(1):
        seconds = fastest(plans, rounds=ROUNDS)
        of_iteration = fastest(iterations, rounds=ROUNDS)
        regrets, std_error = plan_regrets(CHEAPER, reference=WHOLE)
    figures = {
        "plan_over_forward": seconds["plan"] / seconds["forward"],
        "plan_ms": 1e3 * seconds["plan"],
        "medium_precision_plan_ms": 1e3 * seconds["medium_plan"],
        **{f"time_{name}": of_iteration[name] / of_iteration["whole"] for name in (*SAME_PLAN, *CHEAPER)},
        **{f"regret_{name}": regret for name, regret in regrets.items()},
        "greatest_std_error_of_regret": std_error,
    }
    peers = [
        Control("mbrl-lib, elsewhere", score=3_337, note=ELSEWHERE),
        Control("mbrl-lib, elsewhere, medium precision", score=1_375, note=ELSEWHERE),
    ]
    return Measured(BAR, [Run(seed=0, score=figures["plan_over_forward"], figures=figures)], peers)


def _forward(model: Ensemble) -> Callable[[], object]:
    inputs = member_inputs(model, ROWS)

    def forward() -> None:
        with torch.no_grad():
            model.network(inputs)

    return forward


def _planning(model: Ensemble, way: Cheaper, **planner: int) -> Callable[[], Plan]:
    return way.planning(model, torch.zeros(1, model.obs_dim), seed=0, **planner)
