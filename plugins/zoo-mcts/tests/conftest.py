"""Small worlds of which everything is known, and the two ways in which a table is searched."""

import gymnasium as gym
import numpy as np
import pytest
import torch

import zoo_mcts.planner
from zoo_mcts.planner import UCT
from zoo_tabular.lookup import Lookup, TableState
from zoo_tabular.table import Table

TREES = ("open-loop", "chance", "transposition", "deterministic")


def make_world(outcomes):
    """Returns the exact model of `outcomes[state][action] = [(probability, next state, reward, terminated), ...]`."""
    table = Table.from_outcomes({s: dict(enumerate(row)) for s, row in enumerate(outcomes)}, np.eye(len(outcomes))[0])
    model = Lookup(gym.spaces.Discrete(table.num_states), gym.spaces.Discrete(table.num_actions))
    model.know(table)
    return model


def make_states(index):
    index = torch.as_tensor(index)
    return TableState(index, torch.zeros_like(index, dtype=torch.bool))


def make_planner(evaluate=None, **config):
    """Returns a planner that is small unless told otherwise."""
    return UCT({"num_simulations": 24, "rollout_depth": 4, **config}, evaluate=evaluate)


@pytest.fixture(scope="session")
def world():
    return make_world


@pytest.fixture(scope="session")
def states():
    return make_states


@pytest.fixture(scope="session")
def planner():
    return make_planner


@pytest.fixture(scope="session")
def chain():
    """Five places in a row: left pays 0.02 at the left end; right pays 1 at the right end, and ends the episode."""
    row = []
    for place in range(5):
        left = (1.0, max(place - 1, 0), 0.02 if place == 0 else 0.0, False)
        right = (1.0, min(place + 1, 4), float(place == 4), place == 4)
        row.append([[left], [right]])
    return make_world(row)


@pytest.fixture(params=["table", "model"])
def way(request, monkeypatch):
    """Searches tables in the compiled loop, or step by step, as any other model."""
    if request.param == "model":
        monkeypatch.setattr(zoo_mcts.planner, "is_table", lambda model, state: False)
    return request.param


@pytest.fixture(params=TREES)
def tree(request):
    return request.param
