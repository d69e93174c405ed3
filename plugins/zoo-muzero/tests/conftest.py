"""Small agents and models."""

import pytest

import zoo_core
from zoo_muzero.agent import MuZeroAgent

MODEL = {
    "latent": 8,
    "hidden": 16,
    "channels": 4,
    "num_blocks": 1,
    "value_support": 5,
    "reward_support": 5,
    "batch_size": 8,
    "unroll_steps": 2,
}
TINY = {
    "num_games": 4,
    "initial_steps": 16,
    "updates_per_step": 0.25,
    "planner_config": {"num_simulations": 8, "noise_alpha": 1.0, "value_scale": "min-max"},
    "model_config": MODEL,
}


@pytest.fixture
def make():
    """A function that makes a small agent in an environment."""

    def build(env="CartPole-v1", config=None, *, seed=0):
        return zoo_core.make_agent("muzero", env, {**TINY, **(config or {})}, seed=seed, device="cpu")

    return build


@pytest.fixture
def player():
    """A function that makes a small agent for a board game."""

    def build(game="tictactoe_v3", config=None, *, seed=0):
        return MuZeroAgent(game, {**TINY, **(config or {})}, seed=seed, device="cpu")

    return build
