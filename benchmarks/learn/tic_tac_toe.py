"""How well an agent plays tic-tac-toe, measured against its solution."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

import zoo_core
from zoo_core.world_model import index, put
from zoo_mcts.games import solved
from zoo_mcts.games.tic_tac_toe import TicTacToe

NUM_SIMULATIONS = 25
NUM_GAMES = 200  # as each colour


def figures(agent: Any, seed: int, *, num_simulations: int = NUM_SIMULATIONS) -> dict[str, float]:
    """Returns what is measured of an agent of board games.

    Args:
        agent: has `predict` for the network alone, and `search`.
        seed: of the games.
        num_simulations: of its search.

    Returns:
        "network" and "search": shares of the 3,191 decision states in which the move is right; "losses_first" and
        "losses_second": shares of games lost against moves drawn from the optimal ones.
    """
    states = solved.decision_states()
    rng = zoo_core.rng(seed, "judging")
    found = agent.search(states, num_simulations=num_simulations, rng=rng).action.numpy()
    return {
        "network": accuracy_alone(agent),
        "search": solved.accuracy(states, found),
        "losses_first": losses(agent, 0, rng, seed, num_simulations),
        "losses_second": losses(agent, 1, rng, seed, num_simulations),
    }


def losses(agent: Any, seat: int, rng: torch.Generator, seed: int, num_simulations: int) -> float:
    """Returns the share of games that the agent's search loses to moves drawn from the optimal ones."""
    game, opponent = TicTacToe(), np.random.default_rng(seed)
    state, lost = game.initial(NUM_GAMES), np.zeros(NUM_GAMES, np.bool_)
    for ply in range(9):
        rows = np.flatnonzero(~game.over(state))
        if len(rows) == 0:
            break
        running = index(state, rows)
        if ply % 2 == seat:
            action = agent.search(running, num_simulations=num_simulations, rng=rng).action.numpy()
        else:
            action = solved.random_optimal(running, rng=opponent)
        played = game.play(running, action)
        if ply % 2 != seat:
            lost[rows] = played.reward > 0.0
        state = put(state, rows, played.state)
    return float(lost.mean())


def accuracy_alone(agent: Any) -> float:
    """Returns the share of decision states in which the likeliest move of the network is right."""
    states = solved.decision_states()
    move, _ = agent.predict(agent.rules.decode(states), deterministic=True)
    return solved.accuracy(states, move)
