"""The same policy in both worlds: where dreams begin, when they end, and what the policy sees there."""

import copy

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

import zoo_core
from zoo_core.dream import DreamVecEnv
from zoo_core.evaluation import evaluate
from zoo_core.simulator import SimulatorModel
from zoo_core.testing.cases import model_cases
from zoo_core.testing.fakes import Altered

from .conftest import Controller, LineModel, balance, line, still, swing

CASES = {case.name: case for case in model_cases()}


def test_dreams_begin_where_reality_began():
    policy = swing()
    zoo_core.gap(policy, SimulatorModel("Pendulum-v1"), episodes=3, horizon=4)
    firsts = [obs for obs, _, start, _ in policy.seen if start.all()]
    assert len(firsts) == 2
    np.testing.assert_allclose(firsts[1], firsts[0], atol=1e-6)


def test_episodes_are_those_of_an_evaluation():
    found = zoo_core.gap(balance(), SimulatorModel("CartPole-v1"), episodes=4, horizon=200).returns
    evaluated = evaluate(balance(), "CartPole-v1", episodes=4)
    assert found.real == tuple(evaluated.returns)
    assert len(set(found.real)) > 1


def test_a_bonus_a_step_is_what_dreams_promise_more():
    report = zoo_core.gap(still(), LineModel(bonus=2.0, noise=0.0, ending=0.0), line(20), episodes=30, horizon=20)
    long = np.array(report.returns.dream_length)
    assert set(long) == {20}
    assert report.returns.difference == pytest.approx(2.0 * long.mean(), abs=4)
    assert f"dreams promise {report.returns.difference:.3g} more than reality gives" in report.verdict


def test_a_pessimist_promises_less():
    report = zoo_core.gap(still(), LineModel(bonus=-2.0), line(20), episodes=30, horizon=20)
    assert f"dreams promise {-report.returns.difference:.3g} less than reality gives" in report.verdict


def test_returns_are_of_reality_and_dreams_in_pairs():
    found = zoo_core.gap(still(), LineModel(), line(20), episodes=30, horizon=20).returns
    difference = np.subtract(found.dream, found.real)
    assert found.difference == pytest.approx(difference.mean())
    assert found.difference_std == pytest.approx(difference.std())
    assert found.standard_error == pytest.approx(difference.std(ddof=1) / np.sqrt(30))
    assert found.correlation == pytest.approx(np.corrcoef(found.dream, found.real)[0, 1])


def test_a_single_pair_has_no_standard_error():
    report = zoo_core.gap(still(), LineModel(), line(20), episodes=1, horizon=20)
    assert report.returns.standard_error is None
    assert report.summary()["standard_error_of_that"] == "unknown"
    assert "(standard error –)" in str(report)


def test_a_dream_is_cut_where_the_environment_cut_reality():
    """The line names no time limit, so a dream whose episode ended by itself goes on to the horizon."""
    found = zoo_core.gap(still(), LineModel(ending=0.0), line(7), episodes=30, horizon=30).returns
    pairs = set(zip(found.real_length, found.dream_length, strict=True))
    assert (7, 7) in pairs
    assert len(pairs) > 1
    assert all(dream == 30 for real, dream in pairs if real < 7)


def test_dreams_go_no_further_than_the_time_limit_that_the_environment_names():
    endless = Altered(SimulatorModel("CartPole-v1"), lambda step: step._replace(continues=torch.ones_like(step.reward)))
    env = gym.make("CartPole-v1", max_episode_steps=90)
    policy = Controller(lambda obs: np.ones(len(obs), np.int64))  # falls soon
    report = zoo_core.gap(policy, endless, env, episodes=2, horizon=300)
    assert report.returns.dream_length == (90, 90)
    assert max(report.returns.real_length) < 15


def test_what_a_policy_remembers_travels_in_its_state():
    policy = swing()
    zoo_core.gap(policy, SimulatorModel("Pendulum-v1"), episodes=2, horizon=5)
    states, starts = [state for _, state, *_ in policy.seen], [start.all() for *_, start, _ in policy.seen]
    assert states == [None, 1, 2, 3, 4] * 2
    assert starts == [True, False, False, False, False] * 2


def test_held_back_steps_are_counted():
    held = Altered(
        SimulatorModel("Pendulum-v1"), lambda step: step._replace(held=torch.arange(len(step.reward)) % 2 == 0)
    )
    assert zoo_core.gap(swing(), held, episodes=4, horizon=5).returns.held_fraction == 0.5


def test_a_policy_behind_vec_normalize_sees_normalised_observations_in_both_worlds():
    env = VecNormalize(DummyVecEnv([lambda: gym.make("Pendulum-v1")] * 3), norm_reward=True)
    env.obs_rms.mean, env.obs_rms.var, env.training = np.full(3, 5.0), np.full(3, 4.0), False
    before = copy.deepcopy((env.obs_rms.mean, env.ret_rms.var))
    policy = Controller(lambda obs: np.zeros((len(obs), 1), np.float32))
    report = zoo_core.gap(policy, SimulatorModel("Pendulum-v1"), env, episodes=3, horizon=5)
    assert all(obs[:, :2].max() <= -1.99 for obs, *_ in policy.seen)  # (1 − 5) / 2 and less
    firsts = [obs for obs, _, start, _ in policy.seen if start.all()]
    np.testing.assert_allclose(firsts[1], firsts[0], atol=1e-6)
    assert report.open_loop.errors[0].model[0] < 1e-5  # the model was compared with raw observations
    assert report.returns.real == pytest.approx(report.returns.dream, rel=1e-4)  # and raw rewards
    assert np.array_equal(before[0], env.obs_rms.mean)


def ppo(env, policy="MlpPolicy", **settings):
    return PPO(policy, env, n_steps=8, batch_size=8, seed=0, device="cpu", **settings)


@pytest.mark.parametrize("training", [False, True])
def test_a_policy_that_learned_behind_vec_normalize_is_shown_its_observations(training):
    env = VecNormalize(DummyVecEnv([lambda: gym.make("Pendulum-v1")]), training=training)
    env.obs_rms.mean = np.full(3, 5.0)
    policy, model = ppo(env), SimulatorModel("Pendulum-v1")
    before = copy.deepcopy(vars(env.obs_rms))
    found = [zoo_core.gap(policy, model, given, episodes=2, horizon=20) for given in (None, "Pendulum-v1")]
    assert str(vars(env.obs_rms)) == str(before)
    assert env.training == training
    env.training = False
    expected = zoo_core.gap(policy, model, env, episodes=2, horizon=20)
    assert [each.returns.real for each in found] == [expected.returns.real] * 2
    assert found[0].returns.dream == pytest.approx(expected.returns.real, rel=1e-4)


def test_a_policy_is_measured_in_an_environment_made_like_its_own():
    policy, model = ppo(gym.make("Pendulum-v1", g=2.0)), SimulatorModel("Pendulum-v1", g=2.0)
    report = zoo_core.gap(policy, model, episodes=2, horizon=20)
    assert report.env_kwargs == {"g": 2.0}
    assert str(report).startswith('SimulatorModel against Pendulum-v1 with {"g": 2.0}, policy PPO')
    assert report.returns.dream == pytest.approx(report.returns.real, rel=1e-4)
    assert zoo_core.gap(policy, model, gym.make("Pendulum-v1", g=3.0), episodes=1, horizon=2).env_kwargs == {"g": 3.0}
    assert zoo_core.gap(policy, model, episodes=1, horizon=2, env_kwargs={"g": 4.0}).env_kwargs == {"g": 4.0}


def test_a_policy_of_images_is_shown_them_as_the_model_has_them():
    model = CASES["rssm-pixels"].model
    small = {"features_extractor_kwargs": {"features_dim": 8}}
    policy = ppo(DreamVecEnv(model, 2, horizon=10, seed=0), "CnnPolicy", policy_kwargs=small)
    assert policy.observation_space.shape == (1, 36, 36)
    report = zoo_core.gap(policy, model, CASES["rssm-pixels"].make_env(), episodes=2, horizon=4)
    assert len(report.returns.dream) == 2


@pytest.mark.parametrize("who", ["random", "PPO"])
def test_pairs_hold_beyond_one_batch_of_environments(who, monkeypatch):
    monkeypatch.setattr("zoo_core.reality_gap.measure.MAX_ENVS", 3)
    policy = None if who == "random" else ppo("CartPole-v1")
    report = zoo_core.gap(policy, SimulatorModel("CartPole-v1"), episodes=7, horizon=60, deterministic=False)
    assert len(set(report.returns.real)) > 3
    assert report.returns.dream == report.returns.real


def test_more_environments_than_episodes_change_nothing():
    wide = DummyVecEnv([lambda: gym.make("CartPole-v1")] * 5)
    found = [zoo_core.gap(balance(), SimulatorModel("CartPole-v1"), env, episodes=2).returns for env in (wide, None)]
    assert found[0] == found[1]
    assert len(found[0].dream) == 2


def test_dreams_are_of_the_temperature_asked_for():
    model = LineModel(ending=0.0)

    def dreams(**settings):
        report = zoo_core.gap(still(), model, line(20), episodes=3, horizon=20, **settings)
        return report.returns.dream

    assert dreams() == dreams()
    assert len({dreams(), dreams(temperature=0.0), dreams(temperature=2.0)}) == 3
    sure = zoo_core.gap(still(), LineModel(ending=0.0, noise=0.0), line(20), episodes=3, horizon=20)
    assert dreams(temperature=0.0) == sure.returns.dream


def test_dreams_follow_from_the_seed():
    """Each episode begins alike, so that only noise can make dreams differ."""
    env = Standing(line(20))
    found = [zoo_core.gap(still(), LineModel(ending=0.0), env, episodes=1, seed=s).returns.dream for s in (1, 1, 2)]
    assert found[0] == found[1] != found[2]


class Standing(gym.Wrapper):
    """Begins at one place, whatever the seed."""

    def reset(self, **kwargs):
        return self.env.reset(seed=0)


def latent_ppo(model):
    env = DreamVecEnv(model, 4, horizon=10, observation="latent", seed=0)
    return PPO("MlpPolicy", env, n_steps=8, batch_size=32, policy_kwargs={"net_arch": [8]}, seed=0, device="cpu")


@pytest.mark.parametrize("name", ["rssm", "value-equivalent", "kalman"])
def test_a_latent_policy_acts_in_both_worlds(name):
    case = CASES[name]
    report = zoo_core.gap(
        latent_ppo(case.model), case.model, case.make_env(), episodes=2, horizon=6, observation="latent"
    )
    assert report.observation == "latent"
    assert len(report.returns.dream) == 2
    assert np.isfinite(report.returns.dream).all()


class LatentAgent:
    """Acts on observations, by a policy on the features of its model, as agents with latent policies do."""

    def __init__(self, model):
        self.world_model, self.env_id = model, "Pendulum-v1"
        self.latent_policy = Controller(lambda features: features[:, :1].clip(-2, 2))

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        raise AssertionError("the features are at hand")


def test_an_agent_hands_over_what_acts_on_features():
    agent = LatentAgent(CASES["kalman"].model)
    report = zoo_core.gap(agent, episodes=2, horizon=6)
    assert report.observation == "latent"
    assert {obs.shape for obs, *_ in agent.latent_policy.seen} == {(2, 6)}


def test_features_of_another_model_mean_nothing_to_an_agent():
    agent = LatentAgent(CASES["kalman"].model)
    with pytest.raises(AssertionError, match="the features are at hand"):
        zoo_core.gap(agent, CASES["rssm"].model, episodes=2, horizon=6)


def test_dreams_without_observations_have_no_returns_for_a_policy_on_them():
    case = CASES["value-equivalent"]
    policy = Controller(lambda obs: np.zeros(len(obs), np.int64))
    report = zoo_core.gap(policy, case.model, "CartPole-v1", episodes=2, horizon=6)
    assert report.returns is None
    why = 'ValueEquivalentModel dreams latents, which a policy sees that is given as observation="latent"'
    assert f"returns       {why}" in str(report)
    assert report.summary()["dream_minus_real_return"] == why
