"""How long MBPO takes to dream a transition, beside the networks that it runs: a member of the ensemble, and the actor.

What is timed is `MBPOCallback.dream` on Hopper-v5, as many rollouts as MBPO starts at a time: starts are drawn from the
replay, the model steps, its learned termination included, SAC's actor acts, and the steps are written to the ring. The
floor is one forward pass of each network on as many rows. First five networks that all carry dreams, then MBPO's seven,
of which five do.
"""

from __future__ import annotations

from collections.abc import Callable

import gymnasium as gym
import torch
from stable_baselines3 import SAC

import zoo_core
from benchmarks.results import Run
from benchmarks.speed.case import Measured
from benchmarks.speed.models import CONFIG, REAL_STEPS, UPDATES, member_inputs
from benchmarks.speed.timing import fastest, torch_threads
from zoo_ensemble.world_model import Ensemble
from zoo_mbpo.buffer import MixedReplayBuffer
from zoo_mbpo.callback import MBPOCallback

ENV = "Hopper-v5"
NUM_ROLLOUTS = 10_000
LENGTH = 5
ROUNDS = 5
MEMBERS = {"five": 5, "five_of_seven": 7}


def measure() -> Measured:
    replay = zoo_core.Replay.collect(gym.make(ENV), REAL_STEPS, seed=0)
    dreaming = {name: _dreaming(replay, num_members) for name, num_members in MEMBERS.items()}
    functions: dict[str, Callable[[], object]] = {}
    for name, callback in dreaming.items():
        functions |= {f"{name}_dream": _dream(callback), f"{name}_forward": _forward(callback)}
    with torch_threads(1):
        seconds = fastest(functions, rounds=ROUNDS)
    figures = {}
    for name, callback in dreaming.items():
        transitions = callback.buffer.dreams.num_added / callback.round  # of a call: episodes end, at random
        a_transition = seconds[f"{name}_dream"] / transitions
        figures[f"{name}_dream_over_forward"] = a_transition / (seconds[f"{name}_forward"] / NUM_ROLLOUTS)
        figures[f"{name}_transitions_per_s"] = 1 / a_transition
    return Measured(None, [Run(seed=0, score=figures["five_dream_over_forward"], figures=figures)])


def _dreaming(replay: zoo_core.Replay, num_members: int) -> MBPOCallback:
    config = {**CONFIG, "num_members": num_members}
    model = zoo_core.make_model("ensemble", replay.observation_space, replay.action_space, config, device="cpu")
    model.fit(replay, rng=zoo_core.rng(0), max_updates=UPDATES)
    buffer = {"replay_buffer_class": MixedReplayBuffer, "replay_buffer_kwargs": {"replay": replay}}
    sac = SAC("MlpPolicy", gym.make(ENV), seed=0, device="cpu", **buffer)
    callback = MBPOCallback(
        model, model_interval=1, rollouts_per_step=NUM_ROLLOUTS, rollout_schedule=(0, 1, LENGTH, LENGTH), epoch_steps=10
    )
    callback.init_callback(sac)
    return callback


def _dream(callback: MBPOCallback) -> Callable[[], object]:
    return lambda: callback.dream(0)


def _forward(callback: MBPOCallback) -> Callable[[], object]:
    """Returns one forward pass of the members, each with its part of the rows, and one of the actor on all rows."""
    model, actor = callback.world_model, callback.model.policy.actor
    assert isinstance(model, Ensemble)
    inputs, obs = member_inputs(model, NUM_ROLLOUTS), torch.zeros(NUM_ROLLOUTS, model.obs_dim)

    def forward() -> None:
        with torch.no_grad():
            model.network(inputs)
            actor(obs)

    return forward
