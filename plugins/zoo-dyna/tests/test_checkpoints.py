"""A run across the move of a wall, stopped before it, ends as one that never was."""

import gymnasium as gym
import pytest

from zoo_core.plugins import agent_spec, load_object, make_env
from zoo_core.testing import check_resume

EVERY = 400  # steps between checkpoints; the run is stopped after 1,000 and goes on from 800


@pytest.fixture(scope="module")
def moving_maze():
    """The id of a shortcut maze whose wall moves between the checkpoint and the end."""
    env_id = "test/MovingMaze-v0"
    gym.register(env_id, lambda **_: make_env("zoo_envs/ShortcutMaze-v0", wall_moves_at=900).unwrapped)
    yield env_id
    del gym.registry[env_id]


@pytest.mark.parametrize("name", ["dyna-q-plus", "prioritized-sweeping", "policy-iteration"])
def test_a_run_goes_on_byte_for_byte_across_the_move_of_a_wall(name, moving_maze):
    spec = agent_spec(name)
    check_resume(load_object(spec.entry_point), moving_maze, {"explore_prob": 0.3}, steps=EVERY)
