"""One action planned as PETS does on half-cheetah, beside the networks that it runs; and the same plan in less.

The floor is the forward pass of the ensemble's networks on as many rows, each through one member, as many times as the
plan steps its model. `NAME_time` and `NAME_quality` are those of a cheaper plan, in parts of the whole one's: see
`benchmarks.speed.cheaper_plans`. "seats" is what rows sorted by member would save at most: the share of a step of the
model in which rows find their members, and their way back.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from gymnasium.spaces import Box

import zoo_core
from benchmarks.results import Bar, Condition, Control, Run
from benchmarks.speed.case import Measured
from benchmarks.speed.cheaper_plans import CHEAPER, FRESH_ACTIVATIONS, PLANNER, Cheaper, plan_qualities, with_precision
from benchmarks.speed.models import CONFIG, member_inputs
from benchmarks.speed.timing import fastest, times, torch_threads
from zoo_core.world_model import State, repeat
from zoo_ensemble.networks import Seating
from zoo_ensemble.world_model import Ensemble

SPACES = Box(-np.inf, np.inf, (17,)), Box(-1.0, 1.0, (6,))  # of HalfCheetah-v5
ROWS = PLANNER["num_candidates"] * PLANNER["num_particles"]
CALLS = PLANNER["horizon"] * PLANNER["iterations"]
ROUNDS = 3
STEP_ROUNDS = 10  # of single steps
BAR = Bar((Condition("plan_over_forward", "<=", 1.15),))
ELSEWHERE = "milliseconds of the same plan by mbrl-lib 0.2.0 on another machine, 2 threads"


def measure() -> Measured:
    model = zoo_core.make_model("ensemble", *SPACES, CONFIG, seed=0, device="cpu")  # its speed needs no fit
    assert isinstance(model, Ensemble)
    whole = Cheaper()
    forward = times(CALLS, _forward(model))
    functions = {
        "forward": forward,
        "plan": _plan(model, whole),
        "medium_forward": with_precision("medium", forward),
        "fresh_activations": _plan(model, FRESH_ACTIVATIONS),
        **{name: _plan(model, cheaper) for name, cheaper in CHEAPER.items()},
    }
    with torch_threads(1):
        seconds = fastest(functions, rounds=ROUNDS)
        step = fastest({"step": _step(model), "seats": _seats(model)}, rounds=STEP_ROUNDS)
        quality = plan_qualities({"again": whole, **CHEAPER}, reference=whole)
    figures = {
        "plan_over_forward": seconds["plan"] / seconds["forward"],
        "medium_plan_over_forward": seconds["medium"] / seconds["medium_forward"],
        "plan_ms": 1e3 * seconds["plan"],
        "medium_plan_ms": 1e3 * seconds["medium"],
        **{f"{name}_time": seconds[name] / seconds["plan"] for name in ("fresh_activations", *CHEAPER)},
        **{f"{name}_quality": value for name, value in quality.items()},
        "seats_of_step": step["seats"] / step["step"],
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


def _plan(model: Ensemble, cheaper: Cheaper) -> Callable[[], object]:
    model, rng = cheaper.model(model), zoo_core.rng(0)
    planner = zoo_core.make_planner("cem", {**PLANNER, **cheaper.planner})
    root = _root(model)
    return with_precision(cheaper.precision, lambda: planner.plan(model, root, rng=rng))


def _root(model: Ensemble) -> State:
    return model.observe(None, None, torch.zeros(1, model.obs_dim), None, rng=zoo_core.rng(0))


def _step(model: Ensemble) -> Callable[[], object]:
    rng = zoo_core.rng(0)
    state = model.particles(repeat(_root(model), ROWS), 1, rng=rng)
    action = torch.zeros(ROWS, model.action_dim)

    def step() -> None:
        with torch.no_grad():
            model.step(state, action, rng=rng)

    return step


def _seats(model: Ensemble) -> Callable[[], object]:
    seating = Seating(torch.arange(ROWS) % model.config.num_members, model.config.num_members)
    inputs = torch.zeros(ROWS, model.obs_dim + model.action_dim)
    outputs = torch.zeros(model.config.num_members, seating.length, 2 * (model.obs_dim + 1))
    return lambda: (seating.spread(inputs), seating.gather(outputs))
