"""The models that speed cases run: PETS's ensemble of five networks with four layers of 200."""

from __future__ import annotations

import functools

import gymnasium as gym
import torch

import zoo_core
from zoo_ensemble.world_model import Ensemble

ENV = "Pendulum-v1"
CONFIG = {"num_members": 5, "num_elites": 5, "num_layers": 4, "hidden": 200}
REAL_STEPS = 1_000
UPDATES = 200


@functools.cache
def ensemble_of(env_id: str) -> Ensemble:
    """Returns the model of an environment; a short fit is enough, since its speed does not depend on its weights."""
    env = gym.make(env_id)
    replay = zoo_core.Replay.collect(env, steps=REAL_STEPS, seed=0)
    model = zoo_core.make_model("ensemble", env.observation_space, env.action_space, CONFIG, seed=0, device="cpu")
    assert isinstance(model, Ensemble)
    model.fit(replay, rng=zoo_core.rng(0), max_updates=UPDATES)
    return model


def member_inputs(model: Ensemble, num_rows: int) -> torch.Tensor:
    """Returns network inputs `[E, ceil(B / E), I]`: B rows, each with one member."""
    num_members = model.config.num_members
    num_inputs = model.obs_dim + model.action_dim
    return torch.randn(num_members, -(-num_rows // num_members), num_inputs, generator=zoo_core.rng(0))
