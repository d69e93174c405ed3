"""Worlds of which everything is known: to compare plans with the best there are."""

from typing import NamedTuple

import gymnasium as gym
import pytest
import torch

import zoo_envs  # noqa: F401  # registers its environments
from zoo_core import seeding
from zoo_core.world_model import ModelStep, WorldModel


class Position(NamedTuple):
    """State `[B, 2]`: place and speed."""

    x: torch.Tensor


class LinearModel(WorldModel):
    """`zoo_envs/LinearSystem-v0` as it is: x' = A x + B u, reward -(x'Qx + u'Ru), with A, B, Q, R as parameters."""

    def __init__(self):
        env = gym.make("zoo_envs/LinearSystem-v0").unwrapped
        super().__init__(env.observation_space, env.action_space)
        self.env = env
        for name, matrix in zip("ABQR", env.system, strict=True):
            setattr(self, name, torch.nn.Parameter(torch.as_tensor(matrix, dtype=torch.float32)))

    def observe(self, state, action, obs, is_first, *, rng):
        return Position(obs)

    def step(self, state, action, *, rng, temperature=1.0, uncertainty=False):
        x = state.x
        cost = ((x @ self.Q) * x).sum(-1) + ((action @ self.R) * action).sum(-1)
        return ModelStep(Position(x @ self.A.T + action @ self.B.T), -cost, torch.ones_like(cost))

    def decode(self, state):
        return state.x

    def initial_state(self, num, *, rng):
        return Position(2.0 * torch.rand(num, 2, generator=rng) - 1.0)


@pytest.fixture(scope="session")
def linear_model_class():
    return LinearModel


@pytest.fixture(scope="session")
def linear_model():
    return LinearModel()


@pytest.fixture(scope="session")
def positions():
    """Makes states of lists."""
    return lambda *rows: Position(torch.tensor(rows, dtype=torch.float32))


@pytest.fixture
def rng():
    return seeding.rng(0, "plan")


def returns_of(model, state, sequence):
    """Returns `[B]`: what `[B, H, ...]` actions come to, in a model without chance."""
    total = torch.zeros(len(sequence))
    with torch.no_grad():
        for t in range(sequence.shape[1]):
            step = model.step(state, sequence[:, t], rng=None)
            total, state = total + step.reward, step.state
    return total


@pytest.fixture(scope="session")
def true_returns():
    return returns_of
