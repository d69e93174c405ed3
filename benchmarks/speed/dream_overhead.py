"""What a dream costs beside the network that it runs: contracts, checks, NumPy, infos and new beginnings.

The floor is the forward pass of the ensemble's networks on as many rows, each through one member, without gradients.

The bars are for Pendulum-v1, whose dreams end together, on one thread. Beside them, without a bar: two threads, and
CartPole-v1, whose dreams end by themselves, so that termination is predicted and rows begin anew at every step.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle

import numpy as np
import torch

import zoo_core
from benchmarks.results import Bar, Condition, Run
from benchmarks.speed.case import Measured
from benchmarks.speed.models import ENV, ensemble_of, member_inputs
from benchmarks.speed.timing import fastest, times, torch_threads
from zoo_core import DreamEnv, DreamVecEnv
from zoo_ensemble.world_model import Ensemble

HORIZON = 50  # steps of a dream, and of what is timed at once: every dream ends and begins again within it
ROUNDS = 25
ROUNDS_BESIDE = 8  # of what has no bar
BATCHES = (256, 4096)
BAR = Bar(
    (
        Condition("vec_env_256_over_forward", "<=", 1.3),
        Condition("vec_env_4096_over_forward", "<=", 1.15),
        Condition("env_1_over_model_step", "<=", 2.0),
    )
)


def measure() -> Measured:
    model = ensemble_of(ENV)
    functions = {"forward_1": _forward(model, 1), "model_step_1": _model_step(model), "env_1": _env_step(model)}
    for num in BATCHES:
        functions |= {f"forward_{num}": _forward(model, num), f"vec_env_{num}": _vec_env_step(model, num)}
    with torch_threads(1):
        seconds = fastest({name: times(HORIZON, function) for name, function in functions.items()}, rounds=ROUNDS)
    figures = {
        "vec_env_256_over_forward": seconds["vec_env_256"] / seconds["forward_256"],
        "vec_env_4096_over_forward": seconds["vec_env_4096"] / seconds["forward_4096"],
        "env_1_over_model_step": seconds["env_1"] / seconds["model_step_1"],
        "env_1_over_forward": seconds["env_1"] / seconds["forward_1"],
    }
    figures |= {f"{name}_us": value / HORIZON * 1e6 for name, value in seconds.items()}
    figures |= {f"two_threads_{name}": value for name, value in _ratios(model, threads=2).items()}
    figures |= {f"cartpole_{name}": value for name, value in _ratios(ensemble_of("CartPole-v1"), threads=1).items()}
    return Measured(BAR, [Run(seed=0, score=figures["vec_env_256_over_forward"], figures=figures)])


def _ratios(model: Ensemble, *, threads: int) -> dict[str, float]:
    functions: dict[str, Callable[[], object]] = {}
    for num in BATCHES:
        functions |= {f"forward_{num}": _forward(model, num), f"vec_env_{num}": _vec_env_step(model, num)}
    with torch_threads(threads):
        seconds = fastest({n: times(HORIZON, function) for n, function in functions.items()}, rounds=ROUNDS_BESIDE)
    return {f"{num}_over_forward": seconds[f"vec_env_{num}"] / seconds[f"forward_{num}"] for num in BATCHES}


def _forward(model: Ensemble, num: int) -> Callable[[], object]:
    inputs = member_inputs(model, num)

    def forward() -> None:
        with torch.no_grad():
            model.network(inputs)

    return forward


def _vec_env_step(model: Ensemble, num: int) -> Callable[[], object]:
    env = DreamVecEnv(model, num, horizon=HORIZON, seed=0)
    env.reset()
    model.action_space.seed(0)
    actions = cycle([np.stack([model.action_space.sample() for _ in range(num)]) for _ in range(8)])
    return lambda: env.step(next(actions))


def _env_step(model: Ensemble) -> Callable[[], object]:
    env = DreamEnv(model, horizon=HORIZON, seed=0)
    env.reset()
    action = np.array([0.5], dtype=np.float32)

    def step() -> None:
        _, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            env.reset()

    return step


def _model_step(model: Ensemble) -> Callable[[], object]:
    rng = zoo_core.rng(0)
    state = model.initial_state(1, rng=rng)
    action = torch.tensor([[0.5]])

    def step() -> None:
        nonlocal state
        with torch.no_grad():
            state = model.step(state, action, rng=rng).state

    return step
