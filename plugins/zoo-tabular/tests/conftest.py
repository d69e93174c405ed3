"""Worlds that several tests look at, small enough to be solved by hand or by plain loops; nobody changes them."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.wrappers import TransformAction, TransformObservation
from hypothesis import settings

import zoo_core
from zoo_tabular.table import Table

torch.set_num_threads(1)
settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
settings.load_profile("repeatable")


def make_random_process(seed, num_states=4, num_actions=2, num_outcomes=3, ending=0.3):
    """Returns P of a random world: `ending` of its outcomes terminate, and some outcomes are there twice."""
    source = np.random.default_rng(seed)
    return {
        state: {
            action: [
                (
                    float(chance),
                    int(source.integers(num_states)),
                    float(source.integers(-3, 4)),
                    bool(source.random() < ending),
                )
                for chance in source.dirichlet(np.ones(num_outcomes))
            ]
            for action in range(num_actions)
        }
        for state in range(num_states)
    }


def make_steps(*steps):
    """Returns arrays `[N]` of (state, action, reward, next_state, terminated)."""
    dtypes = (np.int64, np.int64, np.float64, np.int64, np.bool_)
    return tuple(np.array([step[i] for step in steps], dtype) for i, dtype in enumerate(dtypes))


def make_model(name="lookup", num_states=4, num_actions=2, **config):
    return zoo_core.make_model(
        name, spaces.Discrete(num_states), spaces.Discrete(num_actions), config or None, device="cpu"
    )


def make_known(*steps, begin=(0,), **kwargs):
    """Returns a model that was shown steps (state, action, reward, next_state, terminated) one after the other."""
    model = make_model(**kwargs)
    model.begin(np.array(begin, np.int64))
    model.record(*make_steps(*steps))
    return model


@pytest.fixture(scope="session")
def random_process():
    return make_random_process


@pytest.fixture(scope="session")
def random_table():
    """Makes a random world as a table, with episodes that begin anywhere."""

    def make(seed, num_states=4, **kwargs):
        return Table.from_outcomes(make_random_process(seed, num_states, **kwargs), np.full(num_states, 1 / num_states))

    return make


@pytest.fixture(scope="session")
def steps_of():
    return make_steps


@pytest.fixture(scope="session")
def new_model():
    return make_model


@pytest.fixture(scope="session")
def known():
    return make_known


@pytest.fixture(scope="session")
def frozen_lake():
    """The table of slippery FrozenLake."""
    return Table.from_env("FrozenLake-v1")


@pytest.fixture(scope="session")
def frozen_replay():
    return zoo_core.Replay.collect("FrozenLake-v1", 2_000, seed=0)


@pytest.fixture(scope="session")
def shifted_lake():
    """Makes FrozenLake with states 10 to 25 and actions -2 to 1."""

    def make():
        env = gym.make("FrozenLake-v1")
        env = TransformObservation(env, lambda obs: obs + 10, spaces.Discrete(16, start=10))
        return TransformAction(env, lambda action: action + 2, spaces.Discrete(4, start=-2))

    return make
