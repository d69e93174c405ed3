"""Evaluation: fixed starts, whole episodes, any policy, any environment."""

from __future__ import annotations

import json

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from stable_baselines3 import A2C
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

import zoo_core
from zoo_core import env_state
from zoo_core.acting import as_vec_env
from zoo_core.errors import NonFiniteError
from zoo_core.evaluation import EvaluationResult, evaluate
from zoo_core.testing.fakes import Corridor


class Lean:
    """Pushes the cart to where its pole leans."""

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        return (observation[:, 2] > 0).astype(np.int64), state


class Counting:
    """A recurrent policy: it counts the steps of each episode, and pushes left and right in turn."""

    def __init__(self) -> None:
        self.counts: list[np.ndarray] = []

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        count = np.where(episode_start, 0, 0 if state is None else state)
        self.counts.append(count)
        return count % 2, count + 1


class Countdown(gym.Env):
    """An episode of as many steps as its seed says, each with reward 0.5."""

    observation_space = spaces.Dict({"left": spaces.Box(-np.inf, np.inf, (1,))})
    action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.left = seed if seed is not None else 1
        return self._obs(), {}

    def step(self, action):
        self.left -= 1
        return self._obs(), 0.5, self.left <= 0, False, {}

    def _obs(self):
        return {"left": np.array([self.left], np.float32)}


class Idle:
    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        return np.zeros(len(episode_start), np.int64), state


class ThroughTheShortcut:
    """Goes right along the lowest row of the maze, then up where the wall opens one day."""

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        return np.where(observation % 9 < 8, 2, 0), state


@pytest.fixture
def countdown():
    gym.register("Countdown-v0", Countdown, disable_env_checker=True)
    yield "Countdown-v0"
    del gym.registry["Countdown-v0"]


def by_hand(seed: int) -> tuple[float, np.ndarray]:
    env = gym.make("CartPole-v1")
    first, _ = env.reset(seed=seed)
    obs, total, over = first, 0.0, False
    while not over:
        action, _ = Lean().predict(obs[None])
        obs, reward, terminated, truncated, _ = env.step(int(action[0]))
        total, over = total + float(reward), terminated or truncated
    return total, first


def test_episode_i_begins_with_seed_plus_i():
    result = evaluate(Lean(), "CartPole-v1", episodes=4, seed=7)
    expected = [by_hand(7 + i) for i in range(4)]
    np.testing.assert_array_equal(result.returns, [total for total, _ in expected])
    np.testing.assert_array_equal(result.lengths, [total for total, _ in expected])
    np.testing.assert_array_equal(result.first_obs, [first for _, first in expected])


@pytest.mark.parametrize("num_envs", [1, 2, 3, 64])
def test_the_number_of_environments_changes_nothing(countdown, num_envs):
    result = evaluate(Idle(), countdown, episodes=5, seed=3, num_envs=num_envs)
    np.testing.assert_array_equal(result.lengths, [3, 4, 5, 6, 7])
    np.testing.assert_array_equal(result.returns, [1.5, 2.0, 2.5, 3.0, 3.5])
    np.testing.assert_array_equal(result.first_obs["left"][:, 0], [3, 4, 5, 6, 7])


def test_a_recurrent_policy_gets_its_state_and_the_starts(countdown):
    policy = Counting()
    evaluate(policy, countdown, episodes=4, seed=2, num_envs=2)
    np.testing.assert_array_equal(policy.counts[:3], [[0, 0], [1, 1], [0, 2]])  # the first episode was over
    np.testing.assert_array_equal(policy.counts[3], [0, 0])  # a new batch begins anew


def test_evaluation_agrees_with_sb3():
    model = A2C("MlpPolicy", "CartPole-v1", n_steps=8, seed=0, device="cpu").learn(64)
    env = as_vec_env("CartPole-v1", num_envs=3)
    env.seed(5)
    expected, _ = evaluate_policy(model, env, n_eval_episodes=3, return_episode_rewards=True)
    assert sorted(evaluate(model, "CartPole-v1", episodes=3, seed=5).returns) == sorted(expected)


def test_deterministic_is_passed_on():
    seen = []

    class Policy(Idle):
        def predict(self, observation, state=None, episode_start=None, deterministic=False):
            seen.append(deterministic)
            return super().predict(observation, state, episode_start)

    evaluate(Policy(), "CartPole-v1", episodes=1)
    assert set(seen) == {True}
    seen.clear()
    evaluate(Policy(), "CartPole-v1", episodes=1, deterministic=False)
    assert set(seen) == {False}


def test_an_agent_of_the_zoo_is_evaluated_in_a_made_environment():
    agent = zoo_core.make_agent("random", "CartPole-v1", seed=0)
    result = evaluate(agent, gym.make("CartPole-v1"), episodes=3)
    assert result.first_obs.shape == (3, 4)
    np.testing.assert_array_equal(result.returns, result.lengths)


def test_environment_arguments_are_passed_on():
    light, heavy = (
        evaluate(Idle(), "CartPole-v1", episodes=1, seed=0, env_kwargs={"sutton_barto_reward": reward})
        for reward in (False, True)
    )
    assert light.returns[0] == light.lengths[0]
    assert heavy.returns[0] == -1.0


def test_returns_are_those_before_a_vec_normalize():
    env = VecNormalize(as_vec_env("CartPole-v1", num_envs=2), training=False, norm_obs=False)
    env.ret_rms.var = np.array(1e4)
    raw = evaluate(Lean(), "CartPole-v1", episodes=2, seed=3)
    normalised = evaluate(Lean(), env, episodes=2, seed=3)
    np.testing.assert_array_equal(normalised.returns, raw.returns)


def test_a_dream_is_evaluated_as_an_environment_is():
    from zoo_core.testing.fakes import LookupTable

    replay = zoo_core.Replay.collect(Corridor("discrete"), 300, seed=0)
    model = LookupTable(replay.observation_space, replay.action_space)
    model.fit(replay, rng=zoo_core.rng(0))
    dreams = zoo_core.DreamVecEnv(model, 4, horizon=30)
    first, second = (evaluate(Idle(), dreams, episodes=6, seed=2) for _ in range(2))
    np.testing.assert_array_equal(first.returns, second.returns)
    assert first.lengths.max() <= 30


def test_the_summary_is_in_the_text_and_in_json():
    result = EvaluationResult(np.array([1.0, 3.0]), np.array([10, 20]), np.zeros((2, 1)), seed=5)
    assert str(result) == "return 2.00 ± 1.00 (min 1.00, max 3.00), length 15.0, over 2 episodes"
    assert result.to_json() == {
        "episodes": 2,
        "seed": 5,
        "mean": 2.0,
        "std": 1.0,
        "min": 1.0,
        "max": 3.0,
        "mean_length": 15.0,
        "returns": [1.0, 3.0],
        "lengths": [10, 20],
    }


def test_a_reward_that_is_no_number_is_an_error():
    class Broken(Countdown):
        def step(self, action):
            return self._obs(), float("nan"), True, False, {}

    with pytest.raises(NonFiniteError, match="gave a reward that is NaN or infinite"):
        evaluate(Idle(), DummyVecEnv([Broken]), episodes=1)


@pytest.mark.parametrize("argument", ["episodes", "num_envs"])
def test_there_must_be_an_episode_and_an_environment(argument):
    with pytest.raises(ValueError, match=f"{argument} must be at least 1, got 0"):
        evaluate(Idle(), "CartPole-v1", **{argument: 0})


def test_what_outlives_an_episode_can_be_as_training_left_it():
    env_id, moved = "zoo_envs/ShortcutMaze-v0", {"position": 54 - 8, "life_steps": 3_000}
    shortcut = ThroughTheShortcut()
    for state, length in ((None, 3_004), (moved, 10), ({**moved, "life_steps": 2_990}, 14)):
        result = evaluate(shortcut, env_id, episodes=3, env_state=state)
        np.testing.assert_array_equal(result.lengths, length)


def test_what_outlives_an_episode_is_read_as_json_has_it():
    env = as_vec_env("zoo_envs/ShortcutMaze-v0")
    env.reset()
    assert json.loads(json.dumps(env_state.read_first(env))) == {"position": 48, "life_steps": 0}
    assert env_state.read_first(as_vec_env("CartPole-v1")) is None
    system = as_vec_env("zoo_envs/LinearSystem-v0")
    assert env_state.read_first(system) is None  # before the first reset
    system.reset()
    assert isinstance(env_state.read_first(system), list)


@pytest.mark.parametrize("state", [b"bytes", object(), float("nan"), {1: 2}, np.zeros(100_000)], ids=type)
def test_a_state_that_json_does_not_hold_is_in_no_record(state):
    class Odd(Countdown):
        def get_state(self):
            return state

        def set_state(self, state):
            raise AssertionError

    assert env_state.read_first(DummyVecEnv([Odd])) is None
