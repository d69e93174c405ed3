"""MuZero: in environments, and on board games whose rules it is not told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

import zoo_core
from benchmarks.learn import connect_four, minatar, tic_tac_toe
from benchmarks.learn.alphazero import RANDOM_MOVES, Lesson, Pupil
from benchmarks.learn.contest import Contender, Contest
from benchmarks.results import Condition, Control
from zoo_mcts.games import solved

NO_UPDATES = {"updates_per_step": 0.0}
NUM_SIMULATIONS = 50


def muzero(
    name: str = "muzero", config: Mapping[str, Any] | None = None, *, preset: str = "cpu", **more: Any
) -> Contender:
    """MuZero by a preset, with other options."""
    return Contender(name, "muzero", preset, dict(config or {}), **more)


def untrained(preset: str) -> Contender:
    """The same search in a model that keeps the weights it began with."""
    return muzero("untrained model", NO_UPDATES, preset=preset, note="the same search; weights as they began")


CART_POLE = Contest(
    "muzero-cart-pole",
    "CartPole-v1",
    50_000,
    muzero(),
    (
        untrained("cpu"),
        Contender("ppo alone", "ppo", note="Stable-Baselines3, the same steps"),
        Contender("dqn alone", "dqn", note="Stable-Baselines3, the same steps"),
    ),
    (Condition("score", ">=", 400.0), Condition("env_steps", "<=", 50_000), Condition("untrained_model", "<=", 400.0)),
)
CONTESTS = (CART_POLE,)

BREAKOUT = Contest(
    "muzero-breakout",
    minatar.BREAKOUT,
    400_000,
    muzero(preset="minatar"),
    (untrained("minatar"), Contender("dqn alone", "dqn", note="Stable-Baselines3, the same steps")),
    (Condition("score", ">=", 10.0),),
    episodes=50,
    evaluate_every=20_000,
    curve_episodes=10,
    checkpoint_every=50_000,
    seeds=(0, 1),
)
LONG = (BREAKOUT,)


# -- board games -------------------------------------------------------------------------------------------------------


def board_figures(agent: Any, seed: int) -> dict[str, float]:
    """Returns what is measured on tic-tac-toe: shares of the decision states in which the move is right.

    Returns:
        "search" with 50 simulations in the learned model, "search_25" with 25, "network" alone; "losses_first" and
        "losses_second", shares of games lost against moves drawn from the optimal ones.
    """
    states, rng = solved.decision_states(), zoo_core.rng(seed, "judging")
    found = {
        name: solved.accuracy(states, agent.search(states, num_simulations=num, rng=rng).action.cpu().numpy())
        for name, num in (("search", NUM_SIMULATIONS), ("search_25", tic_tac_toe.NUM_SIMULATIONS))
    }
    losses = {
        f"losses_{name}": tic_tac_toe.losses(agent, seat, rng, seed, NUM_SIMULATIONS)
        for seat, name in enumerate(("first", "second"))
    }
    return {**found, "network": network_alone(agent), **losses}


def network_alone(agent: Any) -> float:
    """Returns the share of decision states in which the likeliest legal move of the network is right."""
    states = solved.decision_states()
    legal = torch.from_numpy(agent.game.legal(states))
    move = agent.network_alone(states).logits.cpu().masked_fill(~legal, -torch.inf).argmax(1)
    return solved.accuracy(states, np.asarray(move))


def pupil(
    name: str = "muzero", config: Mapping[str, Any] | None = None, *, preset: str = "board", **more: Any
) -> Pupil:
    """MuZero by a preset, with other options."""
    return Pupil(name, "muzero", preset, dict(config or {}), **more)


UNTRAINED = pupil("untrained model", untrained=True, note="the same search; weights as they began")

TIC_TAC_TOE = Lesson(
    "muzero-tic-tac-toe",
    "tictactoe_v3",
    160_000,
    pupil(),
    (UNTRAINED,),
    board_figures,
    "search",
    (Condition("score", ">=", 0.9), Condition("untrained_model", "<=", 0.9)),
    network_alone,
    20_000,
    "decision states, network alone",
    known=(Control("random moves", score=RANDOM_MOVES, note="exact"),),
)
LESSONS = (TIC_TAC_TOE,)

CONNECT_FOUR = Lesson(
    "muzero-connect-four-gpu",
    "connect_four_v3",
    3_000_000,
    pupil(preset="connect-four"),
    (replace(UNTRAINED, preset="connect-four"),),
    connect_four.figures,
    "network",
    (Condition("error_begin_easy_network", "<=", 0.2), Condition("error_middle_easy_network", "<=", 0.2)),
    connect_four.network_alone,
    100_000,
    "points against minimax:5, network alone",
    checkpoint_every=250_000,
    seeds=(0,),
)
HEADLINE = (CONNECT_FOUR,)
