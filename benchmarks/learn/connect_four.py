"""How well an agent plays Connect Four: against a search of fixed depth, and where the best moves are known."""

from __future__ import annotations

from typing import Any

from benchmarks.learn.positions import mistake_rate, read_positions
from zoo_core.world_model import State
from zoo_mcts.arena import play_games
from zoo_mcts.games.connect_four import ConnectFour
from zoo_mcts.players import Player
from zoo_mcts.players.minimax import MinimaxPlayer
from zoo_mcts.players.search import AgentPlayer

NUM_SIMULATIONS = 50
MANY_SIMULATIONS = 600  # of AlphaZero.jl, whose error in known positions is the bar
NUM_GAMES = 200  # half of them begun
DEPTH = 5
CENTRE = 3
HARD = "begin-hard"


def figures(agent: Any, seed: int) -> dict[str, float]:
    """Returns what is measured of an agent of board games.

    Args:
        agent: has `network_alone` and `search`.
        seed: of the games.

    Returns:
        "search" and "network": shares of the points against `minimax:5`, draws half; "opens_in_centre": 1
        if the search does; "error_CLASS" with many simulations, "error_CLASS_search" and "error_CLASS_network": shares
        of positions in which the move gives away a win or a draw.
    """
    game = ConnectFour()
    players = {
        "": AgentPlayer(agent, "many simulations", num_simulations=MANY_SIMULATIONS),
        "_search": AgentPlayer(agent, "search", num_simulations=NUM_SIMULATIONS),
        "_network": AgentPlayer(agent, "network", network=True),
    }
    first: State = game.initial(1)
    opening = agent.search(first, num_simulations=NUM_SIMULATIONS).action
    found = {
        "search": points(players["_search"], seed),
        "network": points(players["_network"], seed),
        "opens_in_centre": float(int(opening[0]) == CENTRE),
    }
    for name, positions in read_positions().items():
        for how, player in players.items():
            found[f"error_{name}{how}".replace("-", "_")] = mistake_rate(player, positions, seed=seed)
    return found


def points(player: Player, seed: int, *, num_games: int = NUM_GAMES) -> float:
    """Returns the share of points that a player wins against `minimax:5`."""
    games = play_games(ConnectFour(), player, MinimaxPlayer(DEPTH), num_games, seed=seed)
    return games.record(0).score / num_games


def network_alone(agent: Any) -> float:
    """Returns the share of the points that the network alone wins against `minimax:5`."""
    return points(AgentPlayer(agent, "network", network=True), 0)
