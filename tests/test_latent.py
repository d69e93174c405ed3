"""A policy on latents, trained in a dream, acting in reality."""

import numpy as np
import pytest
import torch
from gymnasium.wrappers import TimeLimit
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import DummyVecEnv

from zoo_core import seeding
from zoo_core.acting import as_vec_env
from zoo_core.dream import DreamVecEnv, LatentObservation, LatentVecEnv
from zoo_core.dream.latent import LatentPolicy
from zoo_core.replay import Replay
from zoo_core.testing.cases import model_cases
from zoo_core.testing.fakes import MDNRNN, Corridor

LATENT = [case for case in model_cases() if case.make_env is not None]
CASES = {case.name: case for case in LATENT}


def short(case, steps=15):
    """The real environment of a case, with short episodes."""
    return TimeLimit(case.make_env().unwrapped, steps)


def train(case):
    """Trains a policy on latents in the dream of a case."""
    env = DreamVecEnv(case.model, 4, horizon=10, observation="latent", seed=0)
    return PPO("MlpPolicy", env, n_steps=32, n_epochs=1, policy_kwargs={"net_arch": [8]}, seed=0, device="cpu").learn(
        128
    )


@pytest.mark.parametrize("case", LATENT, ids=str)
def test_a_latent_policy_trained_in_a_dream_runs_in_reality(case):
    agent = train(case)
    single = LatentObservation(short(case), case.model)
    several = LatentVecEnv(DummyVecEnv([lambda: short(case)] * 2), case.model)
    for env in (single, several):
        assert env.observation_space == agent.observation_space
        mean, _ = evaluate_policy(agent, env, n_eval_episodes=2, warn=False)
        assert np.isfinite(mean)


@pytest.mark.parametrize("case", LATENT, ids=str)
def test_the_vec_env_shows_what_the_single_env_shows(case):
    single, several = LatentObservation(short(case), case.model), vec_env_of_one(case)
    several.seed(5)
    shown, theirs = single.reset(seed=5)[0], several.reset()
    single.action_space.seed(0)
    ends = 0
    for _ in range(40):
        assert np.array_equal(shown, theirs[0])
        action = single.action_space.sample()
        shown, reward, terminated, truncated, _ = single.step(action)
        theirs, their_reward, done, infos = several.step(np.asarray(action)[None])
        assert their_reward[0] == pytest.approx(reward)
        assert done[0] == (terminated or truncated)
        if done[0]:
            ends += 1
            assert np.array_equal(infos[0]["terminal_observation"], shown)
            shown, _ = single.reset()
    assert ends >= 2


def vec_env_of_one(case):
    return LatentVecEnv(DummyVecEnv([lambda: short(case)]), case.model)


@pytest.mark.parametrize("name", ["rssm", "mdn-rnn", "kalman"])
def test_a_seed_gives_the_same_episode_again(name):
    env = LatentObservation(CASES[name].make_env(), CASES[name].model)
    episodes = []
    for _ in range(2):
        env.action_space.seed(0)
        episodes.append([env.reset(seed=1)[0], *(env.step(env.action_space.sample())[0] for _ in range(5))])
    assert np.array_equal(*episodes)
    assert all(env.observation_space.contains(features) for features in episodes[0])


def test_a_seed_gives_the_same_episodes_again_in_a_vec_env():
    env = vec_env_of_one(CASES["rssm"])
    episodes = []
    for _ in range(2):
        env.seed(1)
        episodes.append([env.reset(), *(env.step(np.zeros((1, 1), np.float32))[0] for _ in range(20))])
    assert np.array_equal(*episodes)


def test_a_belief_remembers_what_an_observation_does_not_show():
    case = CASES["mdn-rnn"]
    env = LatentObservation(case.make_env(), case.model)
    env.reset(seed=0)
    remembered = env.step(1)[0]
    obs = torch.as_tensor(env.unwrapped.state, dtype=torch.float32)[None]
    forgotten = case.model.features(case.model.observe(None, None, obs, None, rng=seeding.rng(0)))[0]
    assert not np.allclose(remembered, forgotten.detach().numpy())


def test_an_episode_begins_with_a_fresh_belief():
    env = TimeLimit(Corridor("vector"), 20)
    model = MDNRNN(env.observation_space, env.action_space)
    model.fit(Replay.collect(env, 200, seed=0), rng=seeding.rng(0), max_updates=3)
    latent = LatentVecEnv(as_vec_env(TimeLimit(Corridor("vector"), 5)), model)
    latent.reset()
    for _ in range(5):
        features, _, done, _ = latent.step(np.array([1]))
    assert done[0]
    place = torch.tensor([[latent.get_attr("position")[0], 0.0]])
    begun = model.features(model.observe(None, None, place, None, rng=seeding.rng(0)))
    assert np.allclose(features, begun.detach().numpy())


@pytest.mark.parametrize("case", LATENT, ids=str)
def test_a_latent_policy_travels_with_its_belief(case):
    """`LatentPolicy` on plain observations acts as the policy does in `LatentVecEnv`."""
    agent = train(case)
    policy = LatentPolicy(agent, case.model, seed=5)
    plain, latent = DummyVecEnv([lambda: short(case)]), vec_env_of_one(case)
    for env in (plain, latent):
        env.seed(5)
    obs, features = plain.reset(), latent.reset()
    state, start = None, np.ones(1, dtype=bool)
    for _ in range(20):
        action, state = policy.predict(obs, state=state, episode_start=start, deterministic=True)
        theirs, _ = agent.predict(features, deterministic=True)
        assert np.array_equal(action, theirs)
        obs, _, start, _ = plain.step(action)
        features, _, done, _ = latent.step(theirs)
        if done[0]:
            break  # the vec env filters the final observation too, and so has drawn once more
    single, _ = policy.predict(_first(obs))
    assert np.shape(single) == plain.action_space.shape


def test_a_latent_policy_goes_on_from_a_checkpoint():
    """Its filter draws: the latent of this model is sampled."""
    case = next(case for case in LATENT if case.name.startswith("rssm"))
    agent = train(case)
    one, two = (LatentPolicy(agent, case.model, seed=seed) for seed in (1, 2))
    obs = as_vec_env(short(case)).reset()
    one.predict(obs, deterministic=True)
    two.load_checkpoint(one.to_checkpoint())
    (_, (first, _)), (_, (second, _)) = (each.predict(obs, deterministic=True) for each in (one, two))
    assert torch.equal(case.model.features(first), case.model.features(second))
    third, _ = one.predict(obs, deterministic=True)[1]
    assert not torch.equal(case.model.features(first), case.model.features(third))


def _first(obs):
    return {key: part[0] for key, part in obs.items()} if isinstance(obs, dict) else obs[0]
