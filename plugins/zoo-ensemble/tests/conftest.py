"""Data and fitted models that several tests look at; nobody changes them."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

import zoo_core

SMALL = {"hidden": 32, "num_layers": 2, "learning_rate": 3e-3}

# x' = A x + B u + noise, with a different deviation in each coordinate
A = np.array([[1.0, 0.2], [-0.2, 0.9]])
B = np.array([0.0, 0.5])
NOISE_STD = np.array([0.05, 0.2])


def make_replay(obs, action, reward, next_obs, terminated=None, *, action_space=None, dtype=np.float32):
    """Returns a replay of unconnected steps `[N, ...]`."""
    if action_space is None:
        action_space = spaces.Box(-1.0, 1.0, action.shape[1:], np.float32)
    replay = zoo_core.Replay(spaces.Box(-np.inf, np.inf, obs.shape[1:], dtype), action_space)
    for i in range(len(obs)):
        end = np.zeros(1, bool) if terminated is None else terminated[i : i + 1]
        rows = (values[i : i + 1] for values in (obs, action, reward))
        replay.add(*rows, end, ~end, next_obs[i : i + 1])
    return replay


def make_linear_replay(num, seed=0):
    rng = np.random.default_rng(seed)
    obs, action = rng.standard_normal((num, 2)), rng.uniform(-1, 1, (num, 1))
    next_obs = obs @ A.T + action * B + NOISE_STD * rng.standard_normal((num, 2))
    return make_replay(obs, action, -(obs**2).sum(1), next_obs)


def make_model(replay, name="ensemble", *, seed=0, **config):
    spaces_ = replay.observation_space, replay.action_space
    return zoo_core.make_model(name, *spaces_, {**SMALL, **config}, seed=seed, device="cpu")


@pytest.fixture(scope="session")
def replay_of():
    return make_replay


@pytest.fixture(scope="session")
def model_for():
    """Makes a small model for the spaces of a replay."""
    return make_model


@pytest.fixture(scope="session")
def linear_system():
    return {"A": torch.tensor(A).float(), "B": torch.tensor(B).float(), "noise_std": NOISE_STD}


@pytest.fixture(scope="session")
def linear_replay():
    return make_linear_replay(2_000)


@pytest.fixture(scope="session")
def linear_model(linear_replay):
    model = make_model(linear_replay, max_epochs=60)
    model.fit(linear_replay, rng=zoo_core.rng(0))
    return model


@pytest.fixture(scope="session")
def cartpole_replay():
    return zoo_core.Replay.collect("CartPole-v1", 2_000, seed=0)


@pytest.fixture(scope="session")
def cartpole_model(cartpole_replay):
    model = make_model(cartpole_replay, max_epochs=60)
    model.fit(cartpole_replay, rng=zoo_core.rng(0))
    return model
