"""Small worlds with Discrete actions, of which everything is known."""

import gymnasium as gym
import numpy as np
import pytest
import torch

from zoo_tabular.lookup import Lookup, TableState
from zoo_tabular.table import Table

NUM_STATES, NUM_ACTIONS = 6, 3


class World(Lookup):
    """A table, with `legal` `[S, A]` bool or None; with `takes_turns` the opponent moves next, whoever moved."""

    legal = None
    takes_turns = False

    def step(self, state, action, **kwargs):
        if self.legal is not None:
            assert self.legal[state.index, action].all(), "an illegal action was taken"
        step = super().step(state, action, **kwargs)
        return step._replace(sign=-1.0) if self.takes_turns else step

    def legal_actions(self, state):
        return None if self.legal is None else self.legal[state.index]


class EvenWorld(World):
    """Neighbouring rows have different outcomes: K rows of a pair with K equally likely ones have each of them once."""

    def _draw(self, count, temperature, *, rng):
        return torch.arange(len(count)) % count.shape[-1]


def make_world(outcomes, kind=World):
    """Returns the exact model of `outcomes[state][action] = [(probability, next state, reward, terminated), ...]`."""
    table = Table.from_outcomes({s: dict(enumerate(row)) for s, row in enumerate(outcomes)}, np.eye(len(outcomes))[0])
    model = kind(gym.spaces.Discrete(table.num_states), gym.spaces.Discrete(table.num_actions))
    model.know(table)
    return model


def make_random_world(num_outcomes, kind=World, *, ends=0.2):
    """Returns a world of so many equally likely outcomes a pair, a share `ends` of which end the episode."""
    random = np.random.default_rng(0)

    def outcome():
        reward = float(random.normal())
        return 1 / num_outcomes, int(random.integers(NUM_STATES)), reward, bool(random.random() < ends)

    rows = [[[outcome() for _ in range(num_outcomes)] for _ in range(NUM_ACTIONS)] for _ in range(NUM_STATES)]
    return make_world(rows, kind)


def make_lanes(length):
    """Returns a road of two lanes: 0 changes to the other, at a cost, 1 and 2 pay what is random; more in lane 1.

    Places 0 to `length` - 1 are those of lane 0, the others those of lane 1.
    """
    random = np.random.default_rng(0)

    def place(lane, at):
        ahead = min(at + 1, length - 1)
        ways = [[(1.0, length * lane + ahead, lane + float(random.normal(0.0, 0.3)), False)] for _ in range(2)]
        return [[(1.0, length * (1 - lane) + ahead, -1.0, False)], *ways]

    return make_world([place(lane, at) for lane in range(2) for at in range(length)])


def states_of(index):
    index = torch.as_tensor(index)
    return TableState(index, torch.zeros_like(index, dtype=torch.bool))


@pytest.fixture(scope="session")
def world():
    return make_world


@pytest.fixture(scope="session")
def states():
    return states_of


@pytest.fixture
def deterministic():
    return make_random_world(1)


@pytest.fixture
def stochastic():
    return make_random_world(3)


@pytest.fixture
def even():
    return make_random_world(2, EvenWorld)


@pytest.fixture
def lanes():
    return make_lanes(8)


@pytest.fixture
def endless():
    return make_random_world(1, ends=0.0)
