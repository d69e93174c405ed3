"""What tests of several modules share."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from zoo_mcts.games.game import Game, Played

torch.set_num_threads(1)  # networks are tiny

SMALL = {
    "num_games": 4,
    "network": "mlp",
    "num_blocks": 1,
    "channels": 16,
    "planner_config": {"num_simulations": 4},
    "temperature_moves": 4,
    "steps_per_iteration": 32,
    "samples_per_position": 2.0,
    "replay_size": 200,
    "batch_size": 8,
    "optimizer": "adam",
    "learning_rate": 0.01,
    "learning_rate_drops": (),
}


class Twice(Game):
    """Four moves, of which the second player makes the two in the middle; move 1 of the last pays its player 1."""

    id = "twice"
    kwargs = {}  # noqa: RUF012
    num_actions = 2
    view = spaces.Box(0, 1, (5,), np.int8)
    players = np.array([0, 1, 1, 0, 1])  # who is to move after so many moves

    def initial(self, num):
        return np.zeros(num, np.int64)

    def play(self, state, action):
        over = self.over(state)
        after = np.where(over, state, state + 1)
        reward = np.where((state == 3) & (action == 1), 1.0, 0.0).astype(np.float32)
        sign = np.where(self.player(after) == self.player(state), 1.0, -1.0).astype(np.float32)
        return Played(after, reward, after == 4, sign)

    def legal(self, state):
        return np.repeat(~self.over(state)[:, None], 2, 1)

    def observe(self, state):
        return np.eye(5, dtype=np.int8)[state]

    def player(self, state):
        return self.players[state]

    def over(self, state):
        return state == 4


@pytest.fixture
def small():
    """Settings of an agent that learns in a few dozen moves."""
    return dict(SMALL)


@pytest.fixture
def twice():
    """A game in which a player moves twice."""
    return Twice()
