"""AlphaGo on Connect Four: four players, each better than the one before, head to head."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Sequence
from typing import Any

import zoo_core
from benchmarks.learn.contest import SEEDS
from benchmarks.learn.report import Measured, for_all_seeds
from benchmarks.results import Bar, Condition, Control, Run
from zoo_alphazero.alphago.learner import VALUE
from zoo_alphazero.alphago.players import KINDS
from zoo_core.seeding import stream_seed
from zoo_mcts.arena import Games, play_games
from zoo_mcts.players import make_player

CASE = "alphago-connect-four"
ENV_ID = "connect_four_v3"
PRESET = "connect-four"
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
    """The least score of the three duels, with the p-values of all, and points against minimax."""
    [of_seeds] = for_all_seeds(learn, [()], seeds, jobs)
    controls = [Control(name, [runs[name] for runs in of_seeds], note=NOTES[name]) for name in (UNTRAINED, NO_VALUE)]
    conditions = [Condition("score", ">=", 0.5)]
    conditions += [Condition(f"p_{_duel(*pair)}", "<=", SIGNIFICANT) for pair in _pairs()]
    extra = {
        "task": f"alphago on {ENV_ID}: least score of three duels between its players",
        "preset": PRESET,
        "games": GAMES,
        "openings": f"{OPENING_MOVES} random moves; each is played twice, with sides changed",
        "p_values": "two-sided, exact binomial on the games that were not drawn",
        "seeds_at_a_time": jobs,
    }
    return Measured(Bar(conditions, len(seeds)), [runs[CASE] for runs in of_seeds], controls, extra)


def learn(seed: int) -> dict[str, Run]:
    """Lets an agent learn, and judges it, and what it is without some of what it learned."""
    begun = time.perf_counter()
    agent: Any = zoo_core.make_agent("alphago", ENV_ID, preset=PRESET, seed=seed)
    runs = {UNTRAINED: judge(agent, seed, begun)}
    weights = {name: value.clone() for name, value in agent.learner.networks[VALUE].state_dict().items()}
    begun = time.perf_counter()
    agent.learn(ENV_STEPS, log_interval=10**9)
    runs[CASE] = judge(agent, seed, begun)
    agent.learner.set_weights(VALUE, weights)
    runs[NO_VALUE] = judge(agent, seed, begun)
    return runs


def judge(agent: Any, seed: int, begun: float) -> Run:
    """Lets the players of an agent play each other, and minimax.

    Args:
        agent: trained or not.
        seed: of the run.
        begun: when learning began.
    """
    wall_s = time.perf_counter() - begun
    players = {kind: agent.player(kind) for kind in KINDS}
    opponent = make_player(OPPONENT, agent.game)
    figures: dict[str, float] = {}
    for before, after in _pairs():
        name = _duel(before, after)
        games = _play(agent, players[after], players[before], seed, name)
        figures |= {name: _score(games), f"p_{name}": p_value(*games.record(0))}
        figures |= {f"{name}_{side}": _score(games, seat) for seat, side in enumerate(("first", "second"))}
    score = min(figures[_duel(*pair)] for pair in _pairs())
    for kind, player in players.items():
        figures[f"{SHORT[kind]}_vs_minimax"] = _score(_play(agent, player, opponent, seed, f"{kind} minimax"))
    print(f"  {CASE}, seed {seed}: {score:.3f}, {figures} ({agent.num_timesteps} moves, {wall_s:.0f} s)", flush=True)
    return Run(seed, score, env_steps=agent.num_timesteps, wall_s=round(wall_s, 1), figures=figures)


def p_value(wins: int, draws: int, losses: int) -> float:
    """Returns how likely a result as far from even would be between equals: exact, two-sided, without draws."""
    decided, more = wins + losses, max(wins, losses)
    tail = sum(math.comb(decided, k) for k in range(more, decided + 1)) / 2**decided
    return min(1.0, 2.0 * tail)


def _play(agent: Any, first: Any, second: Any, seed: int, name: str) -> Games:
    return play_games(agent.game, first, second, GAMES, seed=stream_seed(seed, name), opening_moves=OPENING_MOVES)


def _score(games: Games, seat: int | None = None) -> float:
    record = games.record(0, seat)
    return record.score / record.games


def _pairs() -> list[tuple[str, str]]:
    return list(itertools.pairwise(KINDS))


def _duel(before: str, after: str) -> str:
    return f"{SHORT[after]}_over_{SHORT[before]}"
