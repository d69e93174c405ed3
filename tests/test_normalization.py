"""SB3's wrappers around an agent's environment: who sees raw observations and rewards, and who normalised ones.

| | observations | rewards |
|---|---|---|
| policy, in reality and in dreams | normalised | normalised |
| replay and world model | raw | raw |
| log and evaluation | – | raw |
"""

import copy

import gymnasium as gym
import numpy as np
import pytest
import stable_baselines3 as sb3
import torch
from gymnasium import spaces
from stable_baselines3.common.callbacks import CheckpointCallback, EvalCallback
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecFrameStack, VecMonitor, VecNormalize

import zoo_core

SCALE = 1_000.0  # of observations and rewards: raw values are far from normalised ones
SMALL = {"policy_kwargs": {"net_arch": [16]}}
OFF_POLICY = {**SMALL, "learning_starts": 20, "batch_size": 16, "buffer_size": 1_000}
DREAMS = {
    "initial_steps": 40,
    "round_steps": 20,
    "dream_steps": 256,
    "num_dreams": 8,
    "horizon": 10,
    "model_config": {"hidden": 16, "num_layers": 1, "max_epochs": 2},
}


class Large(gym.Wrapper):
    """Observations and rewards a thousand times as large."""

    def __init__(self, env):
        super().__init__(env)
        low, high = (
            SCALE * bound.astype(np.float64) for bound in (env.observation_space.low, env.observation_space.high)
        )
        self.observation_space = spaces.Box(low.astype(np.float32), high.astype(np.float32), dtype=np.float32)

    def reset(self, **kwargs):
        obs, info = self.env.reset(**kwargs)
        return (SCALE * obs).astype(np.float32), info

    def step(self, action):
        obs, reward, *ends = self.env.step(action)
        return (SCALE * obs).astype(np.float32), float(SCALE * reward), *ends


def large(env_id="Pendulum-v1", num_envs=1):
    return DummyVecEnv([lambda: Monitor(Large(gym.make(env_id)))] * num_envs)


def make(name, env, **config):
    algorithm = name.removeprefix("dream-")
    arguments = {**SMALL, "n_steps": 16, "batch_size": 64} if algorithm == "ppo" else OFF_POLICY
    config = {algorithm: copy.deepcopy(arguments), **(DREAMS if name.startswith("dream-") else {}), **config}
    return zoo_core.make_agent(name, env, config, seed=0, device="cpu")


@pytest.fixture
def seen(monkeypatch):
    """Records the observations that SB3's policies act on, by the number of environments: 1 or 2 real, 8 dreams."""
    seen = {}
    predict = sb3.common.policies.BasePolicy.predict

    def record(policy, observation, *args, **kwargs):
        seen.setdefault(len(observation), []).append(np.array(observation))
        return predict(policy, observation, *args, **kwargs)

    monkeypatch.setattr(sb3.common.policies.BasePolicy, "predict", record)
    return seen


def learned_from(agent):
    """Observations and rewards as SB3 samples them for its updates, from a buffer of dreams."""
    algorithm = agent.learner.algorithm
    batch = algorithm.replay_buffer.sample(500, env=algorithm.get_vec_normalize_env())
    return batch.observations.numpy(), batch.rewards.numpy()


def test_a_baseline_behind_normalisation_is_that_of_sb3():
    weights = []
    for algorithm in (
        make("sac", VecNormalize(large())).learn(60).learner.algorithm,
        sb3.SAC("MlpPolicy", VecNormalize(large()), seed=0, device="cpu", **copy.deepcopy(OFF_POLICY)).learn(60),
    ):
        weights.append(algorithm.policy.state_dict())
    assert all(torch.equal(values, weights[1][name]) for name, values in weights[0].items())


def test_replay_and_world_model_are_raw():
    env = VecNormalize(large(num_envs=2))
    agent = make("dream-sac", env).learn(60)
    steps = agent.replay.transitions()
    # cos² + sin² = 1, in units of the environment: not so for normalised observations
    for obs in (steps.obs, steps.next_obs):
        np.testing.assert_allclose(np.hypot(obs[:, 0], obs[:, 1]), SCALE, rtol=1e-4)
    theta, speed = np.arctan2(steps.obs[:, 1], steps.obs[:, 0]), steps.obs[:, 2] / SCALE
    cost = theta**2 + 0.1 * speed**2 + 0.001 * steps.action[:, 0].clip(-2, 2) ** 2
    np.testing.assert_allclose(steps.reward, -SCALE * cost, rtol=1e-3, atol=1e-2)
    model = agent.world_model
    assert np.hypot(*model.starts[:, :2].T) == pytest.approx(SCALE, rel=1e-4)
    dreams = agent.make_dreams(50)
    obs = dreams.reset()
    np.testing.assert_allclose(np.hypot(obs[:, 0], obs[:, 1]), SCALE, rtol=1e-4)
    assert np.abs(dreams.step(np.zeros((50, 1), np.float32))[1]).mean() > 100


def test_the_policy_is_shown_the_same_normalisation_in_dreams_as_in_reality(seen):
    env = VecNormalize(large())
    agent = make("dream-sac", env).learn(60)
    assert len(seen[1]) == 20  # the first 40 real steps were random
    for num_envs in (1, 8):
        assert 0.5 < np.abs(np.concatenate(seen[num_envs])).max() <= 10
    obs, reward = learned_from(agent)
    assert 0.5 < np.abs(obs).max() <= 10
    assert np.abs(reward).max() <= 10
    stored = {row.tobytes() for row in env.normalize_obs(agent.replay.transitions().obs)}
    assert any(row.tobytes() in stored for row in obs)  # where dreams begin, by the statistics of reality


def test_dreams_do_not_move_the_statistics():
    env = VecNormalize(large())
    make("dream-sac", env).learn(60)
    # 60 steps and a reset, beside the tiny count that the statistics begin with
    assert env.obs_rms.count == pytest.approx(61, abs=0.01)
    assert env.ret_rms.count == pytest.approx(60, abs=0.01)


@pytest.mark.parametrize(("norm_obs", "norm_reward"), [(True, False), (False, True)])
def test_each_half_of_the_normalisation_can_be_left_out(norm_obs, norm_reward):
    agent = make("dream-sac", VecNormalize(large(), norm_obs=norm_obs, norm_reward=norm_reward)).learn(60)
    obs, reward = learned_from(agent)
    assert (np.abs(obs).max() <= 10) == norm_obs
    assert (np.abs(reward).max() <= 10) == norm_reward


def test_final_observations_are_stored_raw():
    agent = make("dream-ppo", VecNormalize(large("CartPole-v1"))).learn(120)
    steps = agent.replay.transitions()
    assert steps.terminated.sum() >= 3
    x, _, angle, _ = (np.abs(steps.next_obs) / SCALE).T
    over = (x > 2.4) | (angle > 12 * np.pi / 180)
    np.testing.assert_array_equal(over, steps.terminated)


def test_latent_policies_take_normalised_rewards_but_raw_observations(seen):
    with pytest.raises(ValueError, match=r'observation="latent" needs raw observations.*norm_obs=False'):
        make("dream-sac", VecNormalize(large()), observation="latent")
    agent = make("dream-sac", VecNormalize(large(), norm_obs=False), observation="latent").learn(60)
    obs, reward = learned_from(agent)
    assert np.abs(obs).max() > 100
    assert np.abs(reward).max() <= 10
    assert all(np.abs(np.concatenate(batches)).max() > 100 for batches in seen.values())
    with pytest.raises(ValueError, match="needs raw observations"):
        agent.set_env(VecNormalize(large()))


@pytest.mark.parametrize("name", ["sac", "dream-sac"])
def test_log_and_evaluation_speak_of_raw_rewards(name):
    agent = make(name, VecNormalize(large())).learn(220)
    logged = agent.env.episodes[-1]["r"]
    assert logged < -100 * SCALE
    env = VecNormalize(large(), training=False)
    evaluation = EvalCallback(env, eval_freq=20, n_eval_episodes=1, verbose=0, warn=False)
    agent.learn(20, callback=evaluation, reset_num_timesteps=False)
    assert evaluation.last_mean_reward < -100 * SCALE
    statistics = agent.get_vec_normalize_env().obs_rms
    np.testing.assert_array_equal(env.obs_rms.mean, statistics.mean)  # the callback copies them


def test_the_statistics_are_saved_beside_the_agent(tmp_path):
    env = VecNormalize(large())
    agent = make("dream-sac", env)
    agent.learn(60, callback=CheckpointCallback(60, str(tmp_path), save_vecnormalize=True))
    loaded_env = VecNormalize.load(str(tmp_path / "rl_model_vecnormalize_60_steps.pkl"), large())
    loaded = zoo_core.load(tmp_path / "rl_model_60_steps", env=loaded_env)
    np.testing.assert_array_equal(loaded.get_vec_normalize_env().obs_rms.mean, env.obs_rms.mean)
    stored = len(loaded.replay)
    assert stored == 59  # the callback is called in the midst of the sixtieth step
    assert len(loaded.learn(20, reset_num_timesteps=False).replay) == stored + 20


@pytest.mark.parametrize("name", ["random", "sac", "dream-sac"])
def test_a_vec_monitor_gives_the_log_its_episodes(name):
    env = VecMonitor(DummyVecEnv([lambda: gym.make("Pendulum-v1")] * 2))
    agent = make(name, env) if name != "random" else zoo_core.make_agent(name, env, seed=0)
    agent.learn(420)
    assert [episode["l"] for episode in agent.env.episodes] == [200, 200]


def test_frames_are_stacked_for_everyone(seen):
    """Policy, replay and model see the same stack; what a dream shows is one too."""
    env = VecFrameStack(DummyVecEnv([lambda: Monitor(gym.make("CartPole-v1"))] * 2), 3)
    agent = make("dream-ppo", env, explore_prob=0.0).learn(120)
    assert agent.observation_space.shape == (12,)
    steps = agent.replay.transitions()
    np.testing.assert_array_equal(steps.next_obs[:, :8], steps.obs[:, 4:])
    starts = agent.world_model.starts
    assert not starts[:, :8].any()
    assert starts[:, 8:].any()
    assert {obs.shape for batches in seen.values() for obs in batches} == {(2, 12)}
    assert agent.make_dreams(4).reset().shape == (4, 12)
    assert np.isfinite(evaluate_policy(agent, env, n_eval_episodes=1)[0])


def test_final_frames_of_a_stack_are_those_of_the_episode_that_ended():
    env = VecFrameStack(DummyVecEnv([lambda: Monitor(gym.make("CartPole-v1"))]), 2)
    agent = make("dream-ppo", env).learn(100)
    steps = agent.replay.transitions()
    assert steps.terminated.sum() >= 2
    np.testing.assert_array_equal(steps.next_obs[steps.terminated][:, :4], steps.obs[steps.terminated][:, 4:])
