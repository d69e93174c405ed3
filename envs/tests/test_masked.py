"""Gymnasium's CartPole and Pendulum with their velocities hidden: the same world, of which less is seen."""

import warnings
from collections.abc import Callable

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as sb3_check_env

import zoo_envs

SHOWN = {"CartPole": [0, 2], "Pendulum": [0, 1]}  # columns of Gymnasium's observation
WHOLE = {"CartPole": "CartPole-v1", "Pendulum": "Pendulum-v1"}
VELOCITIES = {"CartPole": [1, 3], "Pendulum": [1]}  # indices into the state
NAMES = {"CartPole": "x, x_dot, theta, theta_dot", "Pendulum": "theta, theta_dot"}
every_task = pytest.mark.parametrize("task", SHOWN)


def make(task: str, **kwargs: object) -> gym.Env:
    return gym.make(f"zoo_envs/Masked{task}-v0", **kwargs)


def settable(env: gym.Env) -> zoo_envs.MaskedCartPoleEnv | zoo_envs.MaskedPendulumEnv:
    assert isinstance(env.unwrapped, zoo_envs.MaskedCartPoleEnv | zoo_envs.MaskedPendulumEnv)
    return env.unwrapped


@every_task
def test_both_checkers_pass(task: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", r"(?s).*symmetric and normalized")  # Pendulum's torque is in ±2
        check_env(make(task, render_mode="rgb_array").unwrapped)
        sb3_check_env(make(task))


@every_task
def test_it_is_the_whole_task_with_columns_left_out(task: str) -> None:
    masked, whole = make(task), gym.make(WHOLE[task])
    masked.action_space.seed(3)
    for seed in (0, 1, None):
        obs, _ = masked.reset(seed=seed)
        expected, _ = whole.reset(seed=seed)
        over = False
        while not over:
            np.testing.assert_array_equal(obs, expected[SHOWN[task]])
            action = masked.action_space.sample()
            obs, *outcome = masked.step(action)
            expected, *whole_outcome = whole.step(action)
            assert outcome == whole_outcome
            over = outcome[1] or outcome[2]
        np.testing.assert_array_equal(obs, expected[SHOWN[task]])


@every_task
def test_time_limit_and_threshold_are_those_of_the_whole_task(task: str) -> None:
    masked, whole = make(task).spec, gym.spec(WHOLE[task])
    assert masked is not None
    assert masked.max_episode_steps == whole.max_episode_steps
    assert masked.reward_threshold == whole.reward_threshold


@every_task
def test_the_spaces_are_those_columns_of_the_whole_spaces(task: str) -> None:
    masked, whole = make(task), gym.make(WHOLE[task])
    assert isinstance(whole.observation_space, gym.spaces.Box)
    columns = SHOWN[task]
    low, high = whole.observation_space.low[columns], whole.observation_space.high[columns]
    assert masked.observation_space == gym.spaces.Box(low, high, dtype=np.float32)
    assert masked.action_space == whole.action_space


@every_task
def test_an_observation_does_not_tell_velocities_apart(task: str) -> None:
    env = make(task)
    env.reset(seed=0)
    slow = settable(env).get_state()
    fast, action = slow.copy(), env.action_space.sample()
    fast[VELOCITIES[task]] += 0.5
    shown, followed = [], []
    for state in (slow, fast):
        shown.append(env.reset(options={"state": state})[0])
        followed.append(env.step(action)[0])
    np.testing.assert_array_equal(shown[0], shown[1])
    assert not np.allclose(followed[0], followed[1])


@every_task
def test_an_episode_can_start_where_told_without_moving_later_starts(task: str) -> None:
    env, whole = make(task), gym.make(WHOLE[task])
    whole.reset(seed=0)
    told, shown = settable(env), whole.step(whole.action_space.sample())[0][SHOWN[task]]
    state = np.array(whole.unwrapped.state)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(env.reset(seed=0, options={"state": state})[0], shown)
    np.testing.assert_array_equal(told.get_state(), state)
    after_told = env.reset()[0]
    env.reset(seed=0)
    np.testing.assert_array_equal(env.reset()[0], after_told)


@every_task
def test_a_state_that_is_set_goes_on_bit_for_bit(task: str) -> None:
    env, other = make(task), make(task)
    env.reset(seed=0)
    other.reset(seed=1)
    env.action_space.seed(0)
    for _ in range(5):
        env.step(env.action_space.sample())
    settable(other).set_state(settable(env).get_state())
    action = env.action_space.sample()
    expected, got = env.step(action), other.step(action)
    np.testing.assert_array_equal(got[0], expected[0])
    assert got[1:] == expected[1:]
    np.testing.assert_array_equal(settable(other).get_state(), settable(env).get_state())


@every_task
def test_the_state_that_is_handed_out_is_a_copy(task: str) -> None:
    env = make(task)
    env.reset(seed=0)
    state = settable(env).get_state()
    assert state.dtype == np.float64
    state += 1.0
    assert not np.array_equal(settable(env).get_state(), state)
    settable(env).set_state(state)
    before = state.copy()
    state += 1.0
    np.testing.assert_array_equal(settable(env).get_state(), before)


@every_task
@pytest.mark.parametrize("bad", [[0.0], [np.nan] * 4, np.zeros((1, 4))])
def test_a_state_that_is_none_is_refused(task: str, bad: object) -> None:
    with pytest.raises(ValueError, match=rf"state must be \d finite numbers \({NAMES[task]}\), got"):
        settable(make(task)).set_state(bad)


@every_task
def test_there_is_no_state_before_the_first_reset(task: str) -> None:
    with pytest.raises(gym.error.ResetNeeded, match=r"call reset\(\) or set_state\(\) first"):
        settable(make(task)).get_state()


def test_a_fallen_pole_stands_again_where_a_state_is_set() -> None:
    env = settable(make("CartPole"))
    fallen = {"state": [0.0, 0.0, 0.5, 0.0]}
    env.reset(options=fallen)
    assert env.step(0)[2]
    env.set_state(fallen["state"])
    assert env.step(0)[1] == 1.0  # the reward of falling, which Gymnasium gives once


@every_task
def test_it_is_drawn_as_the_whole_task_is(task: str) -> None:
    masked, whole = make(task, render_mode="rgb_array"), gym.make(WHOLE[task], render_mode="rgb_array")
    for env in (masked, whole):
        env.reset(seed=0)
        env.step(env.action_space.high if task == "Pendulum" else 1)  # type: ignore[attr-defined]
    picture, expected = masked.render(), whole.render()
    assert isinstance(picture, np.ndarray)
    np.testing.assert_array_equal(picture, expected)
    settable(masked).set_state(settable(masked).get_state() + 0.3)
    assert not np.array_equal(masked.render(), picture)


def test_arguments_are_gymnasiums() -> None:
    assert make("Pendulum", g=5.0).unwrapped.g == 5.0  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="gravity"):
        make("CartPole", gravity=1.0)


def balanced_steps(push_right: Callable[[np.ndarray, np.ndarray], bool], seed: int) -> int:
    """Returns how long a policy of an observation and the one before it keeps the pole up."""
    env = make("CartPole")
    obs, _ = env.reset(seed=seed)
    before, steps, over = obs, 0, False
    while not over:
        (after, _, terminated, truncated, _), steps = env.step(int(push_right(obs, before))), steps + 1
        obs, before, over = after, obs, terminated or truncated
    return steps


def test_two_observations_balance_the_pole_and_one_does_not() -> None:
    alone = [balanced_steps(lambda obs, _: obs[1] > 0, seed) for seed in range(10)]
    together = [balanced_steps(lambda obs, before: obs[1] + 10 * (obs - before)[1] > 0, seed) for seed in range(10)]
    assert max(alone) < 100
    assert min(together) >= 200
