"""Learning tic-tac-toe: a smoke test that a broken value, target or mask fails."""

from zoo_alphazero.agent import AlphaZero
from zoo_mcts.games import solved

CONFIG = {  # the preset, smaller
    "network": "mlp",
    "num_blocks": 2,
    "channels": 64,
    "num_games": 64,
    "planner_config": {"num_simulations": 16, "noise_alpha": 1.0},
    "temperature_moves": 9,
    "random_openings": 6,
    "steps_per_iteration": 1_024,
    "samples_per_position": 8.0,
    "replay_size": 20_000,
    "batch_size": 128,
    "optimizer": "adam",
    "learning_rate": 3e-3,
    "learning_rate_drops": (),
}


def accuracy(agent):
    """Returns the share of the 3,191 decision states in which the network alone is right."""
    states = solved.decision_states()
    move, _ = agent.predict(agent.rules.decode(states), deterministic=True)
    return solved.accuracy(states, move)


def test_it_learns_tic_tac_toe():
    """Random moves are right in 0.405 of the decision states; with a wrong sign 0.62 are, however long it learns."""
    agent = AlphaZero("tictactoe_v3", CONFIG, seed=0)
    assert accuracy(agent) < 0.5
    agent.learn(12_000)
    assert accuracy(agent) > 0.8
