"""Sampling a replay: sequences of images beside plain NumPy indexing of as many rows; single steps; adding steps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from gymnasium import spaces

import zoo_core
from benchmarks.results import Bar, Condition, Run
from benchmarks.speed.case import Measured
from benchmarks.speed.timing import fastest, torch_threads
from zoo_core import Replay

BATCH, LENGTH = 16, 64  # sequences in a batch of DreamerV3, and the steps of each
IMAGE = (64, 64, 3)
STEPS = 20_000  # images stored: many times more than a cache holds
EPISODE = 500
NUM_ENVS = 16  # of the vector environment whose steps are added, and sampled singly
NUM_TRANSITIONS = 256
ROUNDS = 25
BAR = Bar((Condition("sequences_over_numpy", "<=", 1.5),))


def measure() -> Measured:
    with torch_threads(1):
        seconds = fastest(
            {
                "sequences": _sequences(_images(1)),
                "sequences_of_16_envs": _sequences(_images(NUM_ENVS)),
                "numpy": _plain_indexing(1),
                "numpy_of_16_envs": _plain_indexing(NUM_ENVS),
                "transitions": _transitions(_vectors()),
                "add": _add(),
            },
            rounds=ROUNDS,
        )
    figures = {
        "sequences_over_numpy": seconds["sequences"] / seconds["numpy"],
        "sequences_of_16_envs_over_numpy": seconds["sequences_of_16_envs"] / seconds["numpy_of_16_envs"],
        **{f"{name}_us": value * 1e6 for name, value in seconds.items()},
        "added_steps_per_s": NUM_ENVS / seconds["add"],
    }
    return Measured(BAR, [Run(seed=0, score=figures["sequences_over_numpy"], figures=figures)])


def _images(num_envs: int) -> Replay:
    replay = Replay(spaces.Box(0, 255, IMAGE, np.uint8), spaces.Discrete(4), num_envs=num_envs)
    source = np.random.default_rng(0)
    obs = source.integers(0, 256, (num_envs, *IMAGE), np.uint8)
    for t in range(STEPS // num_envs):
        next_obs = source.integers(0, 256, (num_envs, *IMAGE), np.uint8)
        ends = np.full(num_envs, t % EPISODE == EPISODE - 1)
        replay.add(obs, np.full(num_envs, t % 4), np.zeros(num_envs), np.zeros(num_envs, bool), ends, next_obs)
        obs = next_obs
    return replay


def _vectors() -> Replay:
    replay = Replay(spaces.Box(-1.0, 1.0, (17,)), spaces.Box(-1.0, 1.0, (6,)), num_envs=NUM_ENVS)
    add = _add(replay)
    for _ in range(STEPS // NUM_ENVS):
        add()
    return replay


def _sequences(replay: Replay) -> Callable[[], object]:
    rng = zoo_core.rng(0)
    return lambda: replay.sample_sequences(BATCH, LENGTH, rng=rng)


def _plain_indexing(num_envs: int) -> Callable[[], object]:
    """Returns what a learner would write by hand: rows of an array of images `[steps, num_envs, ...]`."""
    steps = (STEPS + STEPS // EPISODE) // num_envs
    images = np.random.default_rng(0).integers(0, 256, (steps, num_envs, *IMAGE), np.uint8)
    rng = zoo_core.rng(0)

    def sample() -> np.ndarray:
        begin = torch.randint(steps - LENGTH, (BATCH, 1), generator=rng).numpy()
        which = torch.randint(num_envs, (BATCH, 1), generator=rng).numpy()
        return images[begin + np.arange(LENGTH + 1), which]

    return sample


def _transitions(replay: Replay) -> Callable[[], object]:
    rng = zoo_core.rng(0)
    return lambda: replay.sample_transitions(NUM_TRANSITIONS, rng=rng)


def _add(replay: Replay | None = None) -> Callable[[], object]:
    """Returns a step of a vector environment that is stored; without a replay in one of a capacity that is full."""
    if replay is None:
        replay = Replay(spaces.Box(-1.0, 1.0, (17,)), spaces.Box(-1.0, 1.0, (6,)), num_envs=NUM_ENVS, capacity=STEPS)
    source = np.random.default_rng(0)
    obs = source.uniform(-1.0, 1.0, (NUM_ENVS, 17)).astype(np.float32)
    action = source.uniform(-1.0, 1.0, (NUM_ENVS, 6)).astype(np.float32)
    never, reward = np.zeros(NUM_ENVS, bool), np.zeros(NUM_ENVS, np.float32)
    return lambda: replay.add(obs, action, reward, never, never, obs)
