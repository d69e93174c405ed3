"""Acting in environments and storing what happens."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.wrappers import TimeLimit
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecFrameStack, VecNormalize

from zoo_core import seeding
from zoo_core.acting import Collector, RandomPolicy, as_vec_env
from zoo_core.errors import NonFiniteError
from zoo_core.replay import Replay
from zoo_core.testing.checks.expect import same
from zoo_core.testing.fakes import Corridor


def naive(env, steps, seed):
    """Collects with a plain loop over a Gymnasium environment; returns rows like the oracle's."""
    policy, rows = RandomPolicy(env.action_space, seed=seed), []
    obs, _ = env.reset(seed=seed)
    for _ in range(steps):
        action = policy.predict(None)[0][0]
        after, reward, terminated, truncated, _ = env.step(action)
        rows.append((obs, action, np.float32(reward), after, terminated, truncated and not terminated))
        obs = env.reset()[0] if terminated or truncated else after
    return rows


@pytest.mark.parametrize("env_id", ["CartPole-v1", "Pendulum-v1"])
def test_collecting_stores_what_a_plain_loop_sees_final_observations_too(env_id):
    replay = Replay.collect(env_id, 250, seed=3)
    rows = naive(gym.make(env_id), 250, 3)
    for stored, column in zip(replay.transitions(), zip(*rows, strict=True), strict=True):
        assert np.array_equal(stored, np.array(column).astype(stored.dtype))
    assert replay.env_id == env_id
    assert (replay.transitions().terminated | replay.transitions().truncated).any()


def test_pixels_stay_bytes():
    replay = Replay.collect(Corridor("image"), 30, seed=0)
    assert replay.transitions().obs.dtype == np.uint8
    assert replay.sample_sequences(2, 3, rng=seeding.rng(0)).obs.shape == (2, 4, 36, 36, 1)


def test_the_same_seed_collects_the_same():
    first, again, other = (Replay.collect("Pendulum-v1", 60, seed=seed).transitions() for seed in (1, 1, 2))
    assert same(first, again)
    assert not same(first, other)


def test_a_policy_of_sb3_collects_the_same_under_one_seed():
    policy = PPO("MlpPolicy", "CartPole-v1", n_steps=8, batch_size=8, policy_kwargs={"net_arch": [8]}, device="cpu")
    torch.manual_seed(0)
    first = Replay.collect("CartPole-v1", 60, policy, seed=1).transitions()
    torch.manual_seed(1)
    before = torch.get_rng_state()
    again = Replay.collect("CartPole-v1", 60, policy, seed=1).transitions()
    assert same(first, again)
    assert torch.equal(before, torch.get_rng_state())


def test_several_environments_are_collected_side_by_side():
    venv = DummyVecEnv([lambda: TimeLimit(Corridor("vector"), 9)] * 3)
    replay = Replay.collect(venv, 100, seed=0)
    assert replay.num_envs == 3
    assert len(replay) == 102  # rounded up to whole steps of all three
    steps = replay.transitions()
    ends = np.flatnonzero(steps.terminated | steps.truncated)
    inner = np.setdiff1d(np.arange(101), [*ends, 33, 67])
    assert np.array_equal(steps.next_obs[inner], steps.obs[inner + 1])
    assert not np.array_equal(steps.next_obs[ends[0]], steps.obs[ends[0] + 1])  # the final one, not the reset


def test_collecting_goes_on_where_it_stood():
    venv, halves = as_vec_env("Pendulum-v1", seed=0), []
    whole = Replay.collect("Pendulum-v1", 90, RandomPolicy(venv.action_space, seed=5), seed=0).transitions()
    replay = Replay(venv.observation_space, venv.action_space)
    collector, policy = Collector(venv, replay), RandomPolicy(venv.action_space, seed=5)
    for steps in (30, 60):
        collector.collect(policy, steps, callback=halves.append)
    assert same(replay.transitions(), whole)
    assert halves == [*range(1, 31), *range(1, 61)]


def test_a_restart_cuts_the_running_episode():
    venv = as_vec_env("Pendulum-v1", seed=0)
    replay = Replay(venv.observation_space, venv.action_space)
    collector, policy = Collector(venv, replay), RandomPolicy(venv.action_space)
    collector.collect(policy, 10)
    collector.restart()
    collector.collect(policy, 10)
    assert np.flatnonzero(replay.transitions().truncated).tolist() == [9]
    assert len(replay.first_observations()) == 2


def test_episode_records_are_returned():
    venv = as_vec_env(TimeLimit(Corridor("vector"), 5), seed=0)
    replay = Replay(venv.observation_space, venv.action_space)
    episodes = Collector(venv, replay).collect(RandomPolicy(venv.action_space), 15)
    assert [episode["l"] for episode in episodes] == [5, 5, 5]


@pytest.mark.parametrize("kind", ["vector", "dict"])
def test_behind_vec_normalize_the_replay_stores_raw_values(kind):
    def make():
        return DummyVecEnv([lambda: TimeLimit(Corridor(kind), 7)])

    keys = ["place"] if kind == "dict" else None
    raw = Replay.collect(make(), 80, seed=0).transitions()
    normalised = Replay.collect(VecNormalize(make(), norm_obs_keys=keys), 80, seed=0).transitions()
    assert same(raw, normalised, tolerance=1e-5)


def test_behind_vec_normalize_the_policy_sees_normalised_values():
    seen = []

    class Spy(RandomPolicy):
        def predict(self, observation, **kwargs):
            seen.append(np.array(observation))
            return super().predict(observation, **kwargs)

    env = VecNormalize(as_vec_env("Pendulum-v1"))
    replay = Replay.collect(env, 50, Spy(env.action_space), seed=0)
    assert not np.allclose(np.concatenate(seen), replay.transitions().obs)
    assert np.allclose(seen[-1], env.normalize_obs(replay.transitions().obs[-1:]), atol=0.2)


def test_stacked_frames_are_stored_as_they_are_shown():
    venv = VecFrameStack(DummyVecEnv([lambda: TimeLimit(Corridor("vector"), 6)]), 2)
    steps = Replay.collect(venv, 40, seed=0).transitions()
    assert np.array_equal(steps.obs[:, 2:], steps.next_obs[:, :2])


# -- NaN ---------------------------------------------------------------------------------------------------------------


class Failing(Corridor):
    """A corridor whose sensor or reward fails at some step."""

    def __init__(self, what, at):
        super().__init__("vector")
        self.what, self.at, self.t = what, at, 0

    def reset(self, **kwargs):
        obs, info = super().reset(**kwargs)
        return (obs * np.nan if self.what == "first observation" else obs), info

    def step(self, action):
        obs, reward, *rest = super().step(action)
        self.t += 1
        if self.t == self.at:
            obs, reward = (obs * np.inf, reward) if self.what == "observation" else (obs, float("nan"))
        return obs, reward, *rest


@pytest.mark.parametrize("what", ["observation", "reward", "first observation"])
def test_a_value_that_is_not_finite_is_an_error_that_names_the_environment(what):
    gym.register("Failing-v0", Failing, disable_env_checker=True, max_episode_steps=50)
    try:
        with pytest.raises(NonFiniteError, match=rf"Failing-v0 gave a {what.split()[-1]} that is NaN or infinite"):
            Replay.collect("Failing-v0", 20, seed=0, env_kwargs={"what": what, "at": 5})
    finally:
        del gym.registry["Failing-v0"]


def test_no_steps_are_refused():
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        Replay.collect("CartPole-v1", 0)


def test_something_that_is_no_environment_is_refused():
    with pytest.raises(TypeError, match=r"env must be an id, a gymnasium.Env or a stable_baselines3 VecEnv, got int"):
        Replay.collect(7, 10)
