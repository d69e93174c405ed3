"""Data that several tests look at; nobody changes it."""

import gymnasium as gym
import numpy as np
import pytest
import torch

import zoo_core
from zoo_core.plugins import make_env

torch.set_num_threads(1)


def make_pendulum_replay(steps=500, *, mass=1.0, length=1.0, seed=0, policy=None):
    env = gym.make("Pendulum-v1")
    env.unwrapped.m, env.unwrapped.l = mass, length
    return zoo_core.Replay.collect(env, steps, policy, seed=seed)


def make_model(replay, **config):
    return zoo_core.make_model("parametric", replay.observation_space, replay.action_space, config, device="cpu")


def fit_model(replay, *, seed=0, **config):
    model = make_model(replay, **config)
    return model, model.fit(replay, rng=zoo_core.rng(seed))


@pytest.fixture(scope="session")
def pendulum():
    """Collects random steps of a pendulum of any mass and length."""
    return make_pendulum_replay


@pytest.fixture(scope="session")
def new_model():
    """Makes a model for the spaces of a replay."""
    return make_model


@pytest.fixture(scope="session")
def fitted():
    """Makes a model and fits it; returns it and its metrics."""
    return fit_model


@pytest.fixture(scope="session")
def pendulum_replay():
    return make_pendulum_replay()


@pytest.fixture(scope="session")
def cart_pole_replay():
    return zoo_core.Replay.collect("CartPole-v1", 500, seed=0)


@pytest.fixture(scope="session")
def swing_up_replay():
    return zoo_core.Replay.collect(make_env("zoo_envs/CartPoleSwingUp-v0"), 400, seed=0)


@pytest.fixture(scope="session")
def still_pendulum_replay():
    """A pendulum that nobody drives."""

    class Nobody:
        def predict(self, obs, state=None, episode_start=None, deterministic=False):
            return np.zeros((len(obs), 1), np.float32), None

    return make_pendulum_replay(200, policy=Nobody())
