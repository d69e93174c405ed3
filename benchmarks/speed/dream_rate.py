"""Steps a second in a dream, by the number of dreams, beside those of the real environment in one process."""

from __future__ import annotations

from collections.abc import Callable

import gymnasium as gym
import numpy as np
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from benchmarks.results import Control, Run
from benchmarks.speed.case import Measured
from benchmarks.speed.models import ENV, ensemble_of
from benchmarks.speed.timing import fastest, times, torch_threads
from zoo_core import DreamVecEnv

BATCHES = (1, 16, 256, 4096)
NUM_REAL = 16  # environments in the DummyVecEnv
STEPS = 200  # timed at once: an episode of Pendulum-v1
ROUNDS = 10


def measure() -> Measured:
    model = ensemble_of(ENV)
    functions: dict[str, Callable[[], object]] = {
        f"dream_{num}": _vec_step(DreamVecEnv(model, num, horizon=STEPS, seed=0)) for num in BATCHES
    }
    functions["real_1"] = _real_step()
    functions[f"real_{NUM_REAL}"] = _vec_step(DummyVecEnv([lambda: gym.make(ENV)] * NUM_REAL))
    with torch_threads(1):
        seconds = fastest({name: times(STEPS, function) for name, function in functions.items()}, rounds=ROUNDS)
    rates = {name: int(name.split("_")[1]) * STEPS / value for name, value in seconds.items()}
    figures = {f"{name}_steps_per_s": rate for name, rate in rates.items() if name.startswith("dream")}
    return Measured(
        bar=None,
        runs=[Run(seed=0, score=rates["dream_256"], figures=figures)],
        controls=[
            Control("the real environment alone", score=rates["real_1"], note=f"steps a second of {ENV}"),
            Control(
                f"DummyVecEnv of {NUM_REAL}", score=rates[f"real_{NUM_REAL}"], note=f"steps a second of {ENV} in SB3"
            ),
        ],
    )


def _vec_step(env: VecEnv) -> Callable[[], object]:
    env.reset()
    actions = np.random.default_rng(0).uniform(-2.0, 2.0, (env.num_envs, 1)).astype(np.float32)
    return lambda: env.step(actions)


def _real_step() -> Callable[[], object]:
    env = gym.make(ENV)
    env.reset(seed=0)
    action = np.array([0.5], dtype=np.float32)

    def step() -> None:
        _, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            env.reset()

    return step
