"""Simulations of `mcts-uct` from the start of Connect Four, beside OpenSpiel's C++ search by the same rollouts.

Both play every simulation to its end at random. OpenSpiel searches one position at a time; `mcts-uct` as many as it is
given, in lockstep.
"""

from __future__ import annotations

from collections.abc import Callable

import pyspiel

import zoo_core
from benchmarks.results import Run
from benchmarks.speed.case import Measured
from benchmarks.speed.timing import fastest, torch_threads
from zoo_mcts.games.lookup import make_game
from zoo_mcts.games.rules import RulesModel

BATCHES = (1, 64, 256)  # roots
SIMULATIONS = 500  # from each root
MOVES = 42  # of the longest game
ROUNDS = 5


def measure() -> Measured:
    functions: dict[str, Callable[[], object]] = {f"uct_{num}": search(num) for num in BATCHES}
    functions["open_spiel"] = search_of_open_spiel()
    with torch_threads(1):
        seconds = fastest(functions, rounds=ROUNDS)
    rates = {f"uct_{num}": num * SIMULATIONS / seconds[f"uct_{num}"] for num in BATCHES}
    rates["open_spiel"] = SIMULATIONS / seconds["open_spiel"]
    figures = {f"over_open_spiel_{num}": rates[f"uct_{num}"] / rates["open_spiel"] for num in BATCHES}
    figures |= {f"{name}_simulations_per_s": rate for name, rate in rates.items()}
    return Measured(None, [Run(seed=0, score=figures[f"over_open_spiel_{BATCHES[-1]}"], figures=figures)])


def search(num_roots: int) -> Callable[[], object]:
    """Returns a search from so many roots, all at the start of the game."""
    model = RulesModel.of(make_game("connect_four_v3"))
    config = {"num_simulations": SIMULATIONS, "gamma": 1.0, "rollout_depth": MOVES, "tree": "deterministic"}
    planner, rng = zoo_core.make_planner("mcts-uct", config), zoo_core.rng(0)
    state = model.game.initial(num_roots)
    return lambda: planner.plan(model, state, rng=rng)


def search_of_open_spiel() -> Callable[[], object]:
    """Returns the same search by OpenSpiel's bot, from one root."""
    game = pyspiel.load_game("connect_four")
    evaluator = pyspiel.RandomRolloutEvaluator(1, 0)
    exploration, max_memory_mb, solve, seed, verbose = 2.0, 1_000, False, 0, False
    bot = pyspiel.MCTSBot(game, evaluator, exploration, SIMULATIONS, max_memory_mb, solve, seed, verbose)
    state = game.new_initial_state()
    return lambda: bot.step(state)
