"""What a dream costs beside the network that it runs: contracts, checks, NumPy and infos.

The floor is the bare forward pass of the ensemble's networks for as many rows, each through one member, without gradient.
"""

from __future__ import annotations

import numpy as np
import torch

import zoo_core
from benchmarks.results import Bar, Condition, Control, Run
from benchmarks.speed.case import Measured
from benchmarks.speed.models import member_inputs, pendulum_ensemble
from benchmarks.speed.timing import median_us, ratio, take_turns, torch_threads
from zoo_core import DreamEnv, DreamVecEnv
from zoo_ensemble.world_model import Ensemble

BATCHES = (256, 4096)
BAR = Bar(
    (
        Condition("vec_env_256_over_forward", "<=", 1.3),
        Condition("vec_env_4096_over_forward", "<=", 1.15),
        Condition("env_1_over_model_step", "<=", 2.0),
    )
)


def measure() -> Measured:
    model = pendulum_ensemble()
    runs = {threads: _measure_with(model, threads) for threads in (1, 2)}
    return Measured(BAR, [runs[1]], [Control("2 threads", [runs[2]], note="torch with two threads")], threads=1)


def _measure_with(model: Ensemble, threads: int) -> Run:
    functions = {}
    for num in BATCHES:
        functions[f"forward_{num}"] = _forward(model, num)
        functions[f"vec_env_{num}"] = _vec_env_step(model, num)
    functions |= {
        "forward_1": _forward(model, 1),
        "model_step_1": _model_step(model),
        "env_1": _env_step(model),
    }
    with torch_threads(threads):
        times = take_turns(functions)
    figures = {
        "vec_env_256_over_forward": ratio(times["vec_env_256"], times["forward_256"]),
        "vec_env_4096_over_forward": ratio(times["vec_env_4096"], times["forward_4096"]),
        "env_1_over_model_step": ratio(times["env_1"], times["model_step_1"]),
        "env_1_over_forward": ratio(times["env_1"], times["forward_1"]),
        "model_step_1_over_forward": ratio(times["model_step_1"], times["forward_1"]),
    }
    figures |= {f"{name}_us": median_us(values) for name, values in times.items()}
    return Run(seed=0, score=figures["vec_env_256_over_forward"], figures=figures)


def _forward(model: Ensemble, num: int):
    inputs = member_inputs(model, num)

    def forward() -> None:
        with torch.no_grad():
            model.network(inputs)

    return forward


def _vec_env_step(model: Ensemble, num: int):
    env = DreamVecEnv(model, num, seed=0)
    env.reset()
    actions = np.random.default_rng(0).uniform(-2.0, 2.0, (num, 1)).astype(np.float32)
    return lambda: env.step(actions)


def _env_step(model: Ensemble):
    env = DreamEnv(model, seed=0)
    env.reset()
    action = np.array([0.5], dtype=np.float32)

    def step() -> None:
        *_, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            env.reset()

    return step


def _model_step(model: Ensemble):
    rng = zoo_core.rng(0)
    state = model.initial_state(1, rng=rng)
    action = torch.tensor([[0.5]])

    def step() -> None:
        nonlocal state
        with torch.no_grad():
            state = model.step(state, action, rng=rng).state

    return step
