"""Worlds that can be followed by hand: a script of episodes, a maze, a lake with shifted numbers."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.wrappers import TransformAction, TransformObservation
from hypothesis import settings

import zoo_core
from zoo_dyna.tabular_agent import Steps

torch.set_num_threads(1)
settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
settings.load_profile("repeatable")

NAMES = ("q-learning", "dyna-q", "dyna-q-plus", "prioritized-sweeping", "value-iteration", "policy-iteration")
MAZE = "zoo_envs/DynaMaze-v0"


class Scripted(gym.Env):
    """Plays episodes [(state, reward, next state, how it ends or ""), ...] one after the other, whatever is done."""

    def __init__(self, *episodes, num_states=4, num_actions=1):
        self.observation_space = spaces.Discrete(num_states)
        self.action_space = spaces.Discrete(num_actions)
        self.episodes, self.begun, self.place = episodes, 0, 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.episode = self.episodes[self.begun % len(self.episodes)]
        self.begun, self.place = self.begun + 1, 0
        return self.episode[0][0], {}

    def step(self, action):
        _, reward, next_state, end = self.episode[self.place]
        self.place += 1
        return next_state, reward, end == "terminated", end == "truncated", {}

    @property
    def num_steps(self):
        return sum(map(len, self.episodes))


def make_steps(*steps):
    """Returns real steps (state, action, reward, next state, terminated) as an agent is given them."""
    columns = zip(*steps, strict=True)
    dtypes = (np.int64, np.int64, np.float64, np.int64, np.bool_)
    return Steps(*(np.array(column, dtype) for column, dtype in zip(columns, dtypes, strict=True)))


def make_agent(name, env=MAZE, seed=0, **config):
    return zoo_core.make_agent(name, env, config, seed=seed, device="cpu")


def follow(name, *episodes, **config):
    """Returns an agent that has learned from the script, without a step beyond it."""
    env = Scripted(*episodes)
    return make_agent(name, env, **config).learn(env.num_steps)


def make_certain(name):
    """Returns the settings by which an agent takes each step for all there is to know: α = 1, no bonus, γ = 0.9."""
    if name.endswith("iteration"):
        return {"gamma": 0.9}
    return {"gamma": 0.9, "learning_rate": 1.0} | ({"bonus": 0.0} if name == "dyna-q-plus" else {})


@pytest.fixture(scope="session")
def scripted():
    return Scripted


@pytest.fixture(scope="session")
def steps_of():
    return make_steps


@pytest.fixture(scope="session")
def agent():
    return make_agent


@pytest.fixture(scope="session")
def followed():
    return follow


@pytest.fixture(params=NAMES)
def name(request):
    """Each of the six agents."""
    return request.param


@pytest.fixture(scope="session")
def certain():
    return make_certain


@pytest.fixture(scope="session")
def shifted():
    """Makes FrozenLake with states 10 to 25 and actions -2 to 1."""

    def make(**kwargs):
        env = TransformObservation(
            gym.make("FrozenLake-v1", **kwargs), lambda obs: obs + 10, spaces.Discrete(16, start=10)
        )
        return TransformAction(env, lambda action: action + 2, spaces.Discrete(4, start=-2))

    return make


@pytest.fixture(scope="session")
def visited():
    """Shows an agent every outcome of a deterministic table that is not absorbing, once; it does not plan."""

    def show(agent, table):
        absorbing = table.terminated.all((1, 2)) & (table.next_state[:, 0, 0] == np.arange(table.num_states))
        for state in np.flatnonzero(~absorbing):
            for action in range(table.num_actions):
                pair = state, action, 0
                outcome = table.reward[pair], table.next_state[pair], table.terminated[pair]
                agent.update(make_steps((state, action, *outcome)))
        return ~absorbing

    return show
