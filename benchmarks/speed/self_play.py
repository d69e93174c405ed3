"""Self-play of AlphaZero on Connect Four: games a second, 64 at once, and the share of the time spent in the network,
its input made of positions included.

The network has the size of the preset `connect-four`, and its first weights; every move is a search.
"""

from __future__ import annotations

import time
from typing import Any

import torch

from benchmarks.results import Run
from benchmarks.speed.case import Measured
from benchmarks.speed.timing import torch_threads
from zoo_alphazero.agent import AlphaZero
from zoo_core.config import build_config
from zoo_core.planner import Evaluation

NUM_GAMES = 64
WARM_UP_MOVES = 10  # of every game: in the beginning all games are as old
MOVES = 60


class Timed:
    """The agent's network, and the seconds that were spent in it."""

    def __init__(self, agent: AlphaZero) -> None:
        self.agent, self.seconds = agent, 0.0

    def __call__(self, state: Any, *, rng: torch.Generator) -> Evaluation:
        """Returns what the network says of positions."""
        begun = time.perf_counter()
        evaluation = self.agent.evaluate(state, rng=rng)
        self.seconds += time.perf_counter() - begun
        return evaluation


def measure() -> Measured:
    config = build_config(AlphaZero.config_class, {"num_games": NUM_GAMES}, preset="connect-four")
    agent = AlphaZero("connect_four_v3", config, seed=0, device="cpu")
    agent.begin_episodes()
    network = Timed(agent)
    planner: Any = agent.make_search(quiet=False, evaluate=network)
    with torch_threads(1):
        for _ in range(WARM_UP_MOVES):
            agent.self_play.move(agent.env, agent.positions, planner)
        network.seconds, begun, ended = 0.0, time.perf_counter(), 0
        for _ in range(MOVES):
            ended += len(agent.self_play.move(agent.env, agent.positions, planner))
        seconds = time.perf_counter() - begun
    simulations = planner.config.num_simulations
    figures = {
        "share_in_the_network": network.seconds / seconds,
        "games_per_s": ended / seconds,
        "moves_per_s": NUM_GAMES * MOVES / seconds,
        "simulations_per_s": NUM_GAMES * MOVES * simulations / seconds,
        "simulations_of_a_move": simulations,
    }
    return Measured(None, [Run(seed=0, score=figures["share_in_the_network"], figures=figures)])
