"""Small agents and hand-made games that the tests of AlphaGo share."""

import numpy as np
import pytest

from zoo_alphazero.alphago.agent import AlphaGo
from zoo_alphazero.alphago.records import Records
from zoo_mcts.games.lookup import make_game

SMALL = {  # all phases in some 250 moves of tic-tac-toe
    "num_games": 4,
    "network": "mlp",
    "num_blocks": 1,
    "channels": 16,
    "record_games": 12,
    "record_players": ("minimax:2",),
    "batch_size": 8,
    "supervised_epochs": 2,
    "holdout": 0.25,
    "games_per_update": 4,
    "reinforce_updates": 3,
    "pool_interval": 2,
    "value_samples": 4.0,
    "planner_config": {"num_simulations": 4},
}
FIRST_WINS = [0, 3, 1, 4, 2]  # x takes the top row of tic-tac-toe
SECOND_WINS = [0, 3, 1, 4, 8, 5]  # o takes the middle one
DRAWN = [0, 1, 2, 4, 3, 5, 7, 6, 8]


@pytest.fixture
def small():
    """Makes a small agent."""

    def make(env="tictactoe_v3", *, seed=0, **changes):
        return AlphaGo(env, {**SMALL, **changes}, seed=seed, device="cpu")

    return make


@pytest.fixture
def until():
    """Lets an agent learn until it enters a phase."""

    def learn(agent, phase):
        iterate = agent.iterate

        def watched():
            metrics = iterate()
            agent.env.stop |= agent.phase == phase
            return metrics

        if agent.phase != phase:
            agent.iterate = watched
            agent.learn(10_000)
            del agent.iterate
        return agent

    return learn


@pytest.fixture
def game():
    return make_game("tictactoe_v3")


@pytest.fixture
def games(game):
    """Three games of tic-tac-toe: the first player wins, the second one does, nobody does."""
    return Records.of(game, [FIRST_WINS, SECOND_WINS, DRAWN], [1.0, -1.0, 0.0])


class ByPly:
    """A player that makes the same move everywhere, or the first that is legal."""

    deterministic = True

    def __init__(self, favourite, name="by-ply"):
        self.favourite, self.name, self.asked = favourite, name, 0

    def choose(self, game, state, *, rng):
        from zoo_mcts.players import Choice

        legal = game.legal(state)
        self.asked += len(legal)
        return Choice(np.where(legal[:, self.favourite], self.favourite, legal.argmax(1)))


@pytest.fixture
def favourite():
    """Makes a player that has a favourite move."""
    return ByPly
