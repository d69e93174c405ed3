"""The SB3 face among SB3's own tools: wrappers, masks, goals, evaluation."""

import numpy as np
import pytest
from gymnasium import spaces
from stable_baselines3 import PPO, SAC, HerReplayBuffer
from stable_baselines3.common.env_util import is_wrapped, make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecCheckNan, VecFrameStack, VecMonitor, VecNormalize

from zoo_core.dream import DreamEnv, DreamVecEnv
from zoo_core.simulator import SimulatorModel
from zoo_core.testing.checks.expect import same
from zoo_core.testing.fakes import TicTacToe, random_opponent

PPO_SIZE = {"n_steps": 32, "batch_size": 64, "n_epochs": 1, "policy_kwargs": {"net_arch": [16]}, "device": "cpu"}


def ppo(env, **kwargs):
    policy = "MultiInputPolicy" if isinstance(env.observation_space, spaces.Dict) else "MlpPolicy"
    return PPO(policy, env, seed=0, **{**PPO_SIZE, "policy_kwargs": {"net_arch": [16]}, **kwargs})


@pytest.mark.parametrize("name", ["kalman", "dict"])
def test_vec_normalize_normalises_for_the_policy_and_leaves_the_model_alone(case_named, name):
    model = case_named(name).model
    before = repr(model.observation_space)
    keys = ["place"] if name == "dict" else None
    env = VecNormalize(DreamVecEnv(model, 4, horizon=10, seed=0), norm_obs_keys=keys)
    ppo(env).learn(256)
    normalised, raw = env.get_original_obs(), env.venv.imagination.state
    assert repr(model.observation_space) == before
    assert not same(env.normalize_obs(normalised), normalised)
    decoded = model.decode(raw)
    decoded = decoded["place"] if name == "dict" else decoded
    shown = normalised["place"] if name == "dict" else normalised
    assert np.allclose(shown, decoded.detach().numpy())


def test_vec_normalize_sees_raw_rewards_and_hands_out_normalised_ones(case_named):
    plain = DreamVecEnv(case_named("kalman").model, 2, seed=0)
    env = VecNormalize(DreamVecEnv(case_named("kalman").model, 2, seed=0))
    plain.reset()
    env.reset()
    action = np.zeros((2, 1), np.float32)
    for _ in range(20):
        _, raw, _, _ = plain.step(action)
        _, normalised, _, _ = env.step(action)
    assert np.array_equal(env.get_original_reward(), raw)
    assert not np.allclose(normalised, raw)


def test_vec_monitor_counts_the_same_episodes_as_the_dream(case_named):
    env = DreamVecEnv(case_named("kalman").model, 2, horizon=7, seed=0)
    with pytest.warns(UserWarning, match="already wrapped with a `Monitor`"):
        monitored = VecMonitor(env)
    monitored.reset()
    for _ in range(7):
        _, _, done, infos = monitored.step(np.zeros((2, 1), np.float32))
    assert done.all()
    assert [info["episode"]["l"] for info in infos] == [7, 7]
    ppo(monitored).learn(256)


def test_vec_frame_stack_stacks_the_frames_of_one_dream(case_named):
    env = VecFrameStack(DreamVecEnv(case_named("kalman").model, 2, horizon=10, seed=0), 3)
    assert env.observation_space.shape == (9,)
    stacked = env.reset()
    assert not stacked[:, :6].any()
    ppo(env).learn(256)


def test_vec_check_nan_finds_nothing(case_named):
    ppo(VecCheckNan(DreamVecEnv(case_named("rssm").model, 2, seed=0), raise_exception=True)).learn(128)


def test_a_dream_counts_as_monitored(case_named):
    env = DreamVecEnv(case_named("kalman").model, 2, horizon=11, seed=0)
    assert env.env_is_wrapped(Monitor) == [True, True]
    assert not is_wrapped(DreamEnv(case_named("kalman").model), Monitor)
    agent = ppo(env)
    returns, lengths = evaluate_policy(agent, env, n_eval_episodes=4, return_episode_rewards=True)
    assert lengths == [11] * 4
    assert len(set(returns)) > 1


def test_ppo_seeds_the_dream(case_named):
    weights = []
    for _ in range(2):
        agent = ppo(DreamVecEnv(case_named("rssm").model, 4)).learn(128)  # the dream itself draws its seed
        weights.append({name: value.numpy() for name, value in agent.policy.state_dict().items()})
    assert same(*weights)


def test_make_vec_env_makes_different_dreams(case_named):
    env = make_vec_env(lambda: DreamEnv(case_named("rssm").model), n_envs=2, seed=0)
    first, second = env.reset()
    assert not np.array_equal(first, second)


def test_seeding_and_resetting_gives_the_dream_of_that_seed(case_named):
    env = DreamVecEnv(case_named("rssm").model, 3, seed=1)
    env.seed(8)
    assert np.array_equal(env.reset(), DreamVecEnv(case_named("rssm").model, 3, seed=8).reset())
    assert not np.array_equal(env.reset(), DreamVecEnv(case_named("rssm").model, 3, seed=8).reset())


# -- masks -------------------------------------------------------------------------------------------------------------


def test_masks_of_a_game_are_its_free_fields():
    env = DreamVecEnv(TicTacToe(), 3, opponent=random_opponent, seed=0)
    obs = env.reset()
    for _ in range(12):
        masks = np.stack(env.env_method("action_masks"))
        assert masks.dtype == bool
        assert np.array_equal(masks, obs == 0)
        assert env.has_attr("action_masks")  # how MaskablePPO asks
        obs, *_ = env.step(masks.argmax(1))
    assert np.array_equal(env.env_method("action_masks", indices=[2])[0], obs[2] == 0)


def test_legal_moves_never_lose_by_breaking_the_rules():
    env = DreamEnv(TicTacToe(), opponent=random_opponent, seed=0)
    env.reset()
    for _ in range(100):
        obs, _, terminated, truncated, _ = env.step(int(env.action_masks().argmax()))
        if terminated:
            assert np.count_nonzero(obs) >= 5  # three of the dreamer's and two replies, at least
            env.reset()
        assert not truncated


def test_without_rules_every_action_is_legal(case_named):
    assert DreamVecEnv(case_named("mdn-rnn").model, 2, seed=0).env_method("action_masks")[0].tolist() == [True, True]


def test_other_methods_do_not_exist(case_named):
    env = DreamVecEnv(case_named("kalman").model, 2, seed=0)
    with pytest.raises(AttributeError, match="dreams have no method 'fly'; they have action_masks and compute_reward"):
        env.env_method("fly")
    with pytest.raises(AttributeError, match="compute_reward"):
        env.env_method("compute_reward", 0, 0, {})


# -- goals -------------------------------------------------------------------------------------------------------------


def test_goals_are_rewarded_by_the_model(case_named):
    env = DreamVecEnv(case_named("goal").model, 2, seed=0)
    goals = np.array([[0.5], [0.9]], np.float32)
    rewards = env.env_method("compute_reward", goals, goals - 0.2, [{}, {}], indices=[0])
    assert rewards[0].tolist() == [-1.0, -1.0]
    assert DreamEnv(case_named("goal").model).compute_reward(goals, goals, [{}, {}]).tolist() == [0.0, 0.0]


def test_hindsight_replay_learns_in_a_dream(case_named):
    env = DreamVecEnv(case_named("goal").model, 4, horizon=10, seed=0)
    agent = SAC(
        "MultiInputPolicy",
        env,
        replay_buffer_class=HerReplayBuffer,
        replay_buffer_kwargs={"n_sampled_goal": 2},
        learning_starts=100,
        batch_size=16,
        train_freq=4,
        policy_kwargs={"net_arch": [16]},
        seed=0,
        device="cpu",
    ).learn(256)
    batch = agent.replay_buffer.sample(200)
    assert (batch.rewards == 0).any()  # hindsight: goals that were reached
    assert (batch.rewards == -1).any()


def test_the_horizon_of_running_dreams_can_be_set():
    env = DreamVecEnv(SimulatorModel("Pendulum-v1"), 2, horizon=50, seed=0)
    env.reset()
    env.set_attr("horizon", 2)
    assert env.get_attr("horizon") == [2, 2]
    assert not env.step(np.zeros((2, 1)))[2].any()
    assert env.step(np.zeros((2, 1)))[2].all()
