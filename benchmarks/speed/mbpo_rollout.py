"""Transitions that MBPO dreams in a second, beside the rows that its networks alone could take, each through a member.

As many short rollouts from real observations of Hopper-v5 as MBPO starts at a time; the policy is a constant, so that
what is timed is the model, its learned termination included. First five networks that all carry dreams, then MBPO's
seven, of which five do.
"""

from __future__ import annotations

from collections.abc import Callable

import gymnasium as gym
import torch
from torch import Tensor

import zoo_core
from benchmarks.results import Run
from benchmarks.speed.case import Measured
from benchmarks.speed.models import CONFIG, REAL_STEPS, UPDATES, member_inputs
from benchmarks.speed.timing import fastest, torch_threads
from zoo_ensemble.world_model import Ensemble
from zoo_mbpo.rollouts import branched_rollouts

ENV = "Hopper-v5"
NUM_ROLLOUTS = 10_000
LENGTH = 5
ROUNDS = 5
MEMBERS = {"five": 5, "five_of_seven": 7}


def measure() -> Measured:
    functions: dict[str, Callable[[], object]] = {}
    num_steps: dict[str, int] = {}
    for name, num_members in MEMBERS.items():
        model, obs = _model(num_members)
        functions[f"{name}_rollouts"] = _rollouts(model, obs)
        functions[f"{name}_forward"] = _forward(model)
        num_steps[name] = len(_rollouts(model, obs)())
    with torch_threads(1):
        seconds = fastest(functions, rounds=ROUNDS)
    figures = {}
    for name in MEMBERS:
        rate = num_steps[name] / seconds[f"{name}_rollouts"]
        rows = NUM_ROLLOUTS / seconds[f"{name}_forward"]
        figures |= {f"{name}_forward_over_rollouts": rows / rate, f"{name}_transitions_per_s": rate}
    return Measured(None, [Run(seed=0, score=figures["five_forward_over_rollouts"], figures=figures)])


def _model(num_members: int) -> tuple[Ensemble, Tensor]:
    replay = zoo_core.Replay.collect(gym.make(ENV), REAL_STEPS, seed=0)
    config = {**CONFIG, "num_members": num_members}
    model = zoo_core.make_model("ensemble", replay.observation_space, replay.action_space, config, device="cpu")
    assert isinstance(model, Ensemble)
    model.fit(replay, rng=zoo_core.rng(0), max_updates=UPDATES)
    return model, replay.tensors().obs.float().repeat(NUM_ROLLOUTS // REAL_STEPS, 1)


def _rollouts(model: Ensemble, obs: Tensor) -> Callable[[], Tensor]:
    rng = zoo_core.rng(0)

    def still(seen: Tensor) -> Tensor:
        return torch.zeros(len(seen), model.action_dim)

    return lambda: branched_rollouts(model, obs, still, LENGTH, rng=rng).reward


def _forward(model: Ensemble) -> Callable[[], object]:
    inputs = member_inputs(model, NUM_ROLLOUTS)

    def forward() -> None:
        with torch.no_grad():
            model.network(inputs)

    return forward
