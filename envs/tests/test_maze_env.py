"""Mazes as environments: a wall that moves once in a life, states, pictures, and what is refused."""

import copy
import json
import pickle
import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as sb3_check_env

import zoo_envs
from zoo_envs.canvas import Canvas

IDS = [f"zoo_envs/{name}-v0" for name in zoo_envs.MAZES]
every_env = pytest.mark.parametrize("env_id", IDS)
UP, DOWN, RIGHT, LEFT = range(4)
NEXT_TO_THE_GAP, GAP = 44, 35  # (4, 8) and (3, 8) of the blocking maze


def make(env_id: str = "zoo_envs/BlockingMaze-v0", **kwargs: Any) -> zoo_envs.MazeEnv:
    env = gym.make(env_id, **kwargs).unwrapped
    assert isinstance(env, zoo_envs.MazeEnv)
    env.reset(seed=0)
    return env


def walk(env: Any, actions: list[Any]) -> list[Any]:
    """Returns what steps show; an episode that is over is followed by the next one."""
    seen = []
    for action in actions:
        seen.append(env.step(action))
        if seen[-1][2]:
            env.reset()
    return seen


def random_actions(num: int) -> list[int]:
    return np.random.default_rng(0).integers(4, size=num).tolist()


@every_env
@pytest.mark.parametrize("resolution", [1, 3])
def test_both_checkers_pass(env_id: str, resolution: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gym.make(env_id, resolution=resolution, render_mode="rgb_array").unwrapped)
        sb3_check_env(gym.make(env_id, resolution=resolution))


@every_env
def test_spaces_count_all_cells(env_id: str) -> None:
    env = make(env_id, resolution=2)
    assert env.observation_space == gym.spaces.Discrete(12 * 18)
    assert env.action_space == gym.spaces.Discrete(4)


def test_the_time_limit_truncates() -> None:
    env = gym.make("zoo_envs/DynaMaze-v0")
    env.reset(seed=0)
    flags = [env.step(LEFT)[2:4] for _ in range(10_000)]
    assert flags[-1] == (False, True)
    assert set(flags[:-1]) == {(False, False)}


@pytest.mark.parametrize("action", [2, np.int64(2), np.array(2)])
def test_an_action_may_be_any_whole_number(action: Any) -> None:
    obs, reward, *_ = make("zoo_envs/DynaMaze-v0").step(action)
    assert (obs, type(obs), reward, type(reward)) == (19, int, 0.0, float)


def test_the_wall_moves_after_a_number_of_steps_in_all_episodes() -> None:
    env = make(wall_moves_at=6)
    before = env.maze.wall.copy()
    for _ in range(5):
        env.step(LEFT)
        env.reset(seed=0)
        np.testing.assert_array_equal(env.maze.wall, before)
    env.step(LEFT)
    env.reset(seed=0)
    assert (env.maze.wall != before).sum() == 2
    env.set_state({"position": 27 + 9, "life_steps": 6})
    assert env.step(UP)[0] == 27


def test_the_step_that_moves_the_wall_still_meets_it() -> None:
    env = make(wall_moves_at=1)
    env.set_state({"position": 36, "life_steps": 0})
    assert [env.step(UP)[0] for _ in range(2)] == [36, 27]


def test_the_exact_arrays_follow_the_wall() -> None:
    env = make(wall_moves_at=1)
    before = env.P, env.transition_arrays()
    assert before[0][NEXT_TO_THE_GAP][UP] == [(1.0, GAP, 0.0, False)]
    env.step(LEFT)
    assert env.P[NEXT_TO_THE_GAP][UP] == [(1.0, NEXT_TO_THE_GAP, 0.0, False)]
    assert env.P[36][UP] == [(1.0, 27, 0.0, False)]
    assert not np.array_equal(env.transition_arrays().next_state, before[1].next_state)


def test_an_agent_under_the_wall_is_put_back_to_the_start() -> None:
    env = make(wall_moves_at=8)
    start = env.reset(seed=0)[0]
    env.set_state({"position": NEXT_TO_THE_GAP, "life_steps": 6})
    assert env.step(UP)[0] == GAP
    assert env.step(RIGHT) == (start, 0.0, False, False, {})
    assert env.get_state() == {"position": start, "life_steps": 8}


def test_a_wall_may_have_moved_before_the_first_step() -> None:
    np.testing.assert_array_equal(make(wall_moves_at=0).maze.wall[3], [False] + [True] * 8)


def test_a_maze_without_a_later_layout_never_changes() -> None:
    env = make("zoo_envs/DynaMaze-v0")
    before = env.maze.wall.copy()
    env.set_state({"position": 0, "life_steps": 10**9})
    env.step(DOWN)
    np.testing.assert_array_equal(env.maze.wall, before)


@pytest.mark.parametrize("stop", [100, 299, 300, 301, 500])
def test_a_life_that_is_taken_up_again_sees_the_same_wall(stop: int) -> None:
    actions = random_actions(600)
    whole = walk(make(wall_moves_at=300), actions)
    first, second = make(wall_moves_at=300), make(wall_moves_at=300)
    seen = walk(first, actions[:stop])
    second.set_state(json.loads(json.dumps(first.get_state())))
    assert seen + walk(second, actions[stop:]) == whole


def test_setting_an_earlier_state_brings_the_wall_back() -> None:
    env = make(wall_moves_at=2)
    state, before = env.get_state(), env.transition_arrays().next_state
    walk(env, [LEFT, LEFT, LEFT])
    assert not np.array_equal(env.transition_arrays().next_state, before)
    env.set_state(state)
    np.testing.assert_array_equal(env.transition_arrays().next_state, before)
    assert env.get_state() == state


@every_env
@pytest.mark.parametrize(
    "clone", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))], ids=["deepcopy", "pickle"]
)
def test_a_copy_goes_on_by_itself(env_id: str, clone: Any) -> None:
    env = gym.make(env_id, render_mode="rgb_array")
    env.reset(seed=0)
    walk(env, random_actions(50))
    env.render()
    twin, state = clone(env), env.unwrapped.get_state()
    seen = walk(env, random_actions(80))
    assert twin.unwrapped.get_state() == state
    assert walk(twin, random_actions(80)) == seen


def test_an_episode_can_start_where_told_without_moving_later_starts() -> None:
    env = zoo_envs.MazeEnv("SSSSSSSSS.G")
    told = {"position": 9, "life_steps": 3}
    assert env.reset(seed=3, options={"state": told})[0] == 9
    assert env.get_state() == told
    after_told = [env.reset()[0] for _ in range(5)]
    env.reset(seed=3)
    assert [env.reset()[0] for _ in range(5)] == after_told


def test_every_environment_of_a_vector_has_a_life_of_its_own() -> None:
    together = gym.make_vec("zoo_envs/BlockingMaze-v0", num_envs=2, resolution=2, wall_moves_at=3)
    together.reset(seed=0)
    for _ in range(2):
        together.step(np.array([LEFT, RIGHT]))
    assert [state["life_steps"] for state in together.call("get_state")] == [2, 2]
    obs, rewards, *_ = together.step(np.array([LEFT, UP]))
    assert obs.tolist() == [10 * 18 + 3, 9 * 18 + 8]
    assert rewards.tolist() == [0.0, 0.0]
    together.close()


def test_text_shows_walls_start_goal_and_agent() -> None:
    env = make("zoo_envs/DynaMaze-v0", render_mode="ansi")
    assert env.render() == ".......#G\n..#....#.\nA.#....#.\n..#......\n.....#...\n.........\n"
    env.step(DOWN)
    assert env.render() == ".......#G\n..#....#.\nS.#....#.\nA.#......\n.....#...\n.........\n"


def pixel(picture: Any, row: int, column: int) -> tuple[int, ...]:
    """Returns the colour in the lower left quarter of a cell: letters and the agent are in the middle."""
    top, left, side = 12, 18, 564 / 9
    return tuple(picture[round(top + (row + 0.9) * side), round(left + (column + 0.1) * side)].tolist())


def test_a_picture_shows_walls_start_goal_and_agent() -> None:
    env = make(wall_moves_at=3, render_mode="rgb_array")
    first, same = env.render(), env.render()
    assert first.shape == (400, 600, 3)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, same)
    wall, gap, start, goal = pixel(first, 3, 0), pixel(first, 3, 8), pixel(first, 5, 3), pixel(first, 0, 8)
    assert len({wall, gap, start, goal}) == 4
    assert pixel(first, 1, 4) == gap
    env.step(LEFT)
    moved = np.argwhere((env.render() != first).any(-1))
    assert moved[:, 0].min() > 12 + 5 * 62  # in the lowest row, where it came from and went to
    assert 18 + 2 * 62 < moved[:, 1].min() < moved[:, 1].max() < 18 + 4 * 63
    walk(env, [LEFT, LEFT])
    later = env.render()
    assert (pixel(later, 3, 0), pixel(later, 3, 8)) == (gap, wall)


def test_a_window_opens_shows_every_step_and_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    shown = []
    show = Canvas.show
    monkeypatch.setattr(Canvas, "show", lambda self, draw: shown.append(show(self, draw)))
    env = make(render_mode="human")
    env.step(LEFT)
    assert shown == [None, None]
    env.close()


def test_rendering_without_a_mode_warns() -> None:
    env = make()
    with pytest.warns(UserWarning, match='make the env with render_mode="rgb_array"'):
        assert env.render() is None


@pytest.mark.parametrize("call", [lambda env: env.step(0), lambda env: env.get_state(), lambda env: env.render()])
def test_what_needs_a_state_is_refused_before_the_first_reset(call: Any) -> None:
    env = zoo_envs.MazeEnv("S.G", render_mode="ansi")
    with pytest.raises(gym.error.ResetNeeded, match=r"call reset\(\) or set_state\(\) first"):
        call(env)


@pytest.mark.parametrize("action", [-1, 4, 1.0, None, "up", np.array([1])])
def test_an_action_outside_the_space_is_refused(action: Any) -> None:
    env = make()
    with pytest.raises(ValueError, match="action must be 0 up, 1 down, 2 right, 3 left, got "):
        env.step(action)
    assert env.get_state()["life_steps"] == 0


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"resolution": 0}, "resolution must be at least 1, got 0"),
        ({"resolution": 1.5}, "resolution must be a whole number, got 1.5"),
        ({"wall_moves_at": -1}, "wall_moves_at must be at least 0, got -1"),
        ({"wall_moves_at": "later"}, "wall_moves_at must be a whole number, got 'later'"),
        ({"wall_moves_at": None}, "needs both later_layout and wall_moves_at, got one"),
        ({"later_layout": None}, "needs both later_layout and wall_moves_at, got one"),
        ({"later_layout": "S.G"}, r"as many cells as layout, \(6, 9\), got \(1, 3\)"),
        ({"layout": "S.G.", "later_layout": ".SG."}, "only walls move: later_layout must have the start where"),
        ({"layout": "S.G.", "later_layout": "S..G"}, "only walls move: later_layout must have the goal where"),
        ({"render_mode": "text"}, "unknown render_mode 'text': choose from ansi, human, rgb_array or None"),
    ],
)
def test_an_argument_out_of_its_range_is_refused(kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        zoo_envs.MazeEnv(**{**zoo_envs.MAZES["BlockingMaze"], **kwargs})


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"position": GAP, "life_steps": 1000}, "must be a free cell, got 35, a wall after 1000 steps"),
        ({"position": 27, "life_steps": 999}, "must be a free cell, got 27, a wall after 999 steps"),
        ({"position": 54, "life_steps": 0}, "must be a free cell, got 54, outside the 54 cells"),
        ({"position": -1, "life_steps": 0}, "position must be at least 0, got -1"),
        ({"position": 0.5, "life_steps": 0}, "position must be a whole number, got 0.5"),
        ({"position": 0, "life_steps": -1}, "life_steps must be at least 0, got -1"),
        ({"position": 0}, "state must be a dict of position and life_steps, got {'position': 0}"),
        ([0, 0], r"state must be a dict of position and life_steps, got \[0, 0\]"),
    ],
)
def test_a_state_that_is_none_is_refused_and_changes_nothing(state: Any, message: str) -> None:
    env = make()
    before = env.get_state()
    with pytest.raises(ValueError, match=message):
        env.set_state(state)
    assert env.get_state() == before


def test_s_is_the_place_as_in_toy_text_and_may_be_in_a_wall_to_be_drawn() -> None:
    env = make(render_mode="rgb_array")
    assert env.s == env.get_state()["position"]
    env.s = 27
    assert env.s == 27
    assert env.render().shape[2] == 3
    with pytest.raises(ValueError, match=r"s must be in \[0, 54\), got 54"):
        env.s = 54
