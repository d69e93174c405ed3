"""A noisy line whose every probability is known, its exact model, and policies."""

from __future__ import annotations

from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from gymnasium.wrappers import TimeLimit

from zoo_core.reality_gap.episodes import Episodes
from zoo_core.world_model import ModelStep, WorldModel

SPACE = gym.spaces.Box(-np.inf, np.inf, (2,), np.float32)
ACTIONS = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)
DECAY, NOISE, ENDING = 0.9, 0.3, 0.04  # of a step; the deviation of its noise; the probability that it is the last


class Line(gym.Env):
    """The next position is 0.9 of this one, plus the action and Gaussian noise; any step may be the last."""

    observation_space, action_space = SPACE, ACTIONS

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place = self.np_random.normal(size=2)
        return self.place.astype(np.float32), {}

    def step(self, action):
        self.place = DECAY * self.place + action + NOISE * self.np_random.normal(size=2)
        return self.place.astype(np.float32), float(self.place.sum()), self.np_random.random() < ENDING, False, {}


class Place(NamedTuple):
    place: torch.Tensor


class LineModel(WorldModel):
    """Knows the line, but for what it is told instead.

    Args:
        noise: Deviation that it believes in.
        ending: Probability that it believes in.
        bonus: Added to every reward.
        doubt: Reports |action| as its epistemic uncertainty, and errs by so much.
    """

    def __init__(self, noise=NOISE, ending=ENDING, bonus=0.0, doubt=False):
        super().__init__(SPACE, ACTIONS)
        self.noise, self.ending, self.bonus, self.doubt = noise, ending, bonus, doubt

    def observe(self, state, action, obs, is_first, *, rng):
        return Place(obs)

    def step(self, state, action, *, rng, temperature=1.0, uncertainty=False):
        noise = torch.randn(state.place.shape, generator=rng)
        place = DECAY * state.place + action + temperature**0.5 * self.noise * noise
        epistemic = None
        if self.doubt:
            place, epistemic = place + 9.0 * action, {"epistemic": action.norm(dim=-1)}
        ending = torch.full((len(action),), 1.0 - self.ending)
        return ModelStep(Place(place), place.sum(-1) + self.bonus, ending, uncertainty=epistemic)

    def decode(self, state):
        return state.place


def line(steps: int = 50) -> gym.Env:
    return TimeLimit(Line(), steps)


class Controller:
    """Acts on what it sees, by a function, and notes what that was."""

    def __init__(self, function: Any) -> None:
        self.function, self.seen = function, []

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        self.seen.append((np.array(observation), state, np.array(episode_start), deterministic))
        return np.asarray(self.function(observation)), (0 if state is None else state) + 1


def swing() -> Controller:
    """A policy for Pendulum-v1."""
    return Controller(lambda obs: np.clip(obs[:, 2:] * 0.5 - obs[:, 1:2], -2, 2).astype(np.float32))


def balance() -> Controller:
    """A policy for CartPole-v1 that falls after some 40 steps."""
    return Controller(lambda obs: (obs[:, 2] > 0).astype(np.int64))


def still() -> Controller:
    """A policy for the line that does nothing."""
    return Controller(lambda obs: np.zeros((len(obs), 2), np.float32))


def ramp(*lengths: int) -> Episodes:
    """Episodes in which the observation counts steps from 100 times the episode, and the reward is the next count."""
    steps = max(lengths)
    counts = 100.0 * np.arange(len(lengths))[:, None] + np.arange(steps + 1)
    length = np.array(lengths)
    past = np.arange(steps + 1) > length[:, None]
    counts = np.where(past, -9e9, counts).astype(np.float32)  # what lies past the end must not be read
    return Episodes(
        obs=counts[..., None],
        action=np.ones((len(lengths), steps, 1), np.float32),
        reward=np.where(past[:, 1:], -9e9, counts[:, 1:]).astype(np.float32),
        length=length,
        terminated=np.ones(len(lengths), bool),
        truncated=np.zeros(len(lengths), bool),
    )


class CountingModel(WorldModel):
    """Adds the action to the observation; the reward is the sum."""

    def __init__(self):
        super().__init__(gym.spaces.Box(-np.inf, np.inf, (1,)), gym.spaces.Box(-1, 1, (1,)))

    def observe(self, state, action, obs, is_first, *, rng):
        return Place(obs)

    def step(self, state, action, *, rng, temperature=1.0, uncertainty=False):
        place = state.place + action
        return ModelStep(Place(place), place[:, 0], torch.ones(len(place)))

    def decode(self, state):
        return state.place
