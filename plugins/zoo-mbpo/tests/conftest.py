"""A world that a reader can compute in the head, its model, and real steps in it."""

from typing import NamedTuple

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import Tensor

import zoo_core
from zoo_core.world_model import ModelStep, WorldModel

OBSERVATIONS = spaces.Box(-np.inf, np.inf, (2,), np.float32)
ACTIONS = spaces.Box(np.array([-1.0], np.float32), np.array([3.0], np.float32))


class Place(NamedTuple):
    """Belief: where the row is, and how many steps it has made."""

    obs: Tensor


class LineModel(WorldModel):
    """The first number grows by the action, the second by 1; the reward is the new place, the episode ends at `end`.

    It is as uncertain as the place is far from 0.
    """

    def __init__(self, observation_space=OBSERVATIONS, action_space=ACTIONS, *, end=float("inf"), epistemic=True):
        super().__init__(observation_space, action_space)
        self.end, self.epistemic = end, epistemic
        self.weight = torch.nn.Parameter(torch.ones(()))
        self.num_steps, self.fitted_to, self.fault = 0, [], {}

    def fit(self, replay, *, rng, max_updates=None, callback=None):
        self.remember(replay)
        self.fitted_to.append(len(replay))
        return {"loss": 0.0}

    def observe(self, state, action, obs, is_first, *, rng):
        return Place(obs.float())

    def step(self, state, action, *, rng, temperature=1.0, uncertainty=False):
        self.num_steps += 1
        place = self.weight * (state.obs[:, 0] + action[:, 0])
        doubts = {"epistemic": state.obs[:, 0].abs()} if uncertainty and self.epistemic else None
        after = Place(torch.stack([place, state.obs[:, 1] + 1], dim=1))
        step = ModelStep(after, place, (place < self.end).float(), uncertainty=doubts)
        return step._replace(**self.fault)

    def decode(self, state):
        return state.obs


class Line(gym.Env):
    """The world of `LineModel`, from 0; it ends at 5."""

    observation_space, action_space = OBSERVATIONS, ACTIONS

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.obs = np.zeros(2, np.float32)
        return self.obs.copy(), {}

    def step(self, action):
        self.obs += np.array([action[0], 1.0], np.float32)
        return self.obs.copy(), float(self.obs[0]), bool(self.obs[0] >= 5), False, {}


@pytest.fixture
def line_model():
    """Makes a `LineModel`."""
    return LineModel


@pytest.fixture
def line_env():
    """Makes the environment, cut after 20 steps."""
    return lambda: gym.wrappers.TimeLimit(Line(), 20)


@pytest.fixture(scope="session")
def pendulum_replay():
    return zoo_core.Replay.collect("Pendulum-v1", 300, seed=0)
