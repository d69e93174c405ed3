"""AlphaGo on Connect Four: four players, each better than the one before, head to head."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from typing import Any

import zoo_core
from benchmarks.learn.contest import RUNS_REQUIRED, SEEDS
from benchmarks.learn.report import Measured, for_all_seeds
from benchmarks.results import Bar, Condition, Control, Run
from zoo_alphazero.alphago.learner import RL, ROLLOUT, SL
from zoo_alphazero.alphago.players import KINDS
from zoo_core.seeding import stream_seed
from zoo_mcts.arena import Games, play_games
from zoo_mcts.elo import sign_test
from zoo_mcts.players import make_player

CASE = "alphago-connect-four"
ENV_ID = "connect_four_v3"
PRESET = "connect-four"
CONFIG: dict[str, Any] = {}  # over the preset
ENV_STEPS = 1_600_000  # moves in one game each: of bots, of REINFORCE and for the values
GAMES = 400  # of a duel; each player begins half of them
OPENING_MOVES = 4  # at random; each opening is played twice, so that both players have both sides of it
OPPONENT = "minimax:3"
SIGNIFICANT = 0.05
SHORT = dict(zip(KINDS, ("sl", "rl", "value", "mix"), strict=True))

UNTRAINED = "untrained networks, same search"
NO_VALUE = "untrained value network"
NOTES = {
    UNTRAINED: "its four players against each other",
    NO_VALUE: "policies and rollouts are those of the run",
}


def measure(seeds: Sequence[int] = SEEDS, jobs: int = 2) -> Measured:
    """The least score of the three duels, with the p-values of all, and points against minimax.

    A control has no figures of what it lacks itself, so it is not held to the bar; the run beats it head to head.
    """
    [of_seeds] = for_all_seeds(learn, [()], seeds, jobs)
    controls = [Control(name, [runs[name] for runs in of_seeds], note=NOTES[name]) for name in (UNTRAINED, NO_VALUE)]
    compared = [*(_name(*pair) for pair in _pairs()), "mix_over_untrained_networks", "value_over_untrained_value"]
    conditions = [Condition("score", ">=", 0.5)]
    conditions += [Condition(name, ">=", 0.5) for name in compared[len(_pairs()) :]]
    conditions += [Condition(f"p_{name}", "<=", SIGNIFICANT) for name in compared]
    extra = {
        "task": f"alphago on {ENV_ID}: least score of three duels between its players",
        "preset": PRESET,
        "games": GAMES,
        "openings": f"{OPENING_MOVES} random moves; each is played twice, with sides changed",
        "p_values": "two-sided, exact binomial on the games that were not drawn",
        "seeds_at_a_time": jobs,
    }
    return Measured(Bar(conditions, min(RUNS_REQUIRED, len(seeds))), [runs[CASE] for runs in of_seeds], controls, extra)


def learn(seed: int) -> dict[str, Run]:
    """Lets an agent learn, and judges it, and what it is without what it learned, or without its value network."""
    begun = time.perf_counter()
    agent, without = (zoo_core.make_agent("alphago", ENV_ID, CONFIG, preset=PRESET, seed=seed) for _ in range(2))
    agent.learn(ENV_STEPS, log_interval=10**9)
    wall_s = round(time.perf_counter() - begun, 1)
    run = judge(agent, seed, wall_s)
    runs = {UNTRAINED: judge(without, seed, 0.0)}
    run.figures.update(_compare(agent, without, "search with mix", "untrained_networks", seed))
    for name in (SL, RL, ROLLOUT):
        without.learner.set_weights(name, agent.learner.networks[name].state_dict())
    runs[NO_VALUE] = judge(without, seed, wall_s)
    run.figures.update(_compare(agent, without, "search with value", "untrained_value", seed))
    return {**runs, CASE: run}


def judge(agent: Any, seed: int, wall_s: float) -> Run:
    """Lets the players of an agent play each other, and minimax.

    Args:
        agent: trained or not.
        seed: of the run.
        wall_s: that it learned.
    """
    players = {kind: agent.player(kind) for kind in KINDS}
    opponent = make_player(OPPONENT, agent.game)
    figures: dict[str, float] = {}
    for before, after in _pairs():
        figures |= _duel(agent, players[after], players[before], _name(before, after), seed)
    score = min(figures[_name(*pair)] for pair in _pairs())
    for kind, player in players.items():
        figures[f"{SHORT[kind]}_vs_minimax"] = _score(_play(agent, player, opponent, f"{kind} minimax", seed))
    print(f"  {CASE}, seed {seed}: {score:.3f}, {figures} ({agent.num_timesteps} moves, {wall_s:.0f} s)", flush=True)
    return Run(seed, score, env_steps=agent.num_timesteps, wall_s=wall_s, figures=figures)


def _compare(agent: Any, other: Any, kind: str, without: str, seed: int) -> dict[str, float]:
    """Returns how one kind of player does against the same of an agent that lacks something."""
    figures = _duel(agent, agent.player(kind), other.player(kind), f"{SHORT[kind]}_over_{without}", seed)
    print(f"  {CASE}, seed {seed}: {figures}", flush=True)
    return figures


def _duel(agent: Any, player: Any, rival: Any, name: str, seed: int) -> dict[str, float]:
    """Returns the score of a player, the p-value, and its scores as first and as second, as figures."""
    games = _play(agent, player, rival, name, seed)
    sides = {f"{name}_{side}": _score(games, seat) for seat, side in enumerate(("first", "second"))}
    return {name: _score(games), f"p_{name}": sign_test(games.record(0).wins, games.record(0).losses), **sides}


def _play(agent: Any, first: Any, second: Any, name: str, seed: int) -> Games:
    return play_games(agent.game, first, second, GAMES, seed=stream_seed(seed, name), opening_moves=OPENING_MOVES)


def _score(games: Games, seat: int | None = None) -> float:
    record = games.record(0, seat)
    return record.score / record.games


def _pairs() -> list[tuple[str, str]]:
    return list(itertools.pairwise(KINDS))


def _name(before: str, after: str) -> str:
    return f"{SHORT[after]}_over_{SHORT[before]}"
