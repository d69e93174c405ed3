"""SB3's algorithms in dreams: what they learn from, when, and how much."""

import copy

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy

import zoo_core
from zoo_core.errors import NonFiniteError
from zoo_core.testing import check_agent, fakes

MODEL = {"hidden": 16, "num_layers": 1, "max_epochs": 3}
TINY = {"initial_steps": 40, "round_steps": 20, "dream_steps": 256, "num_dreams": 8, "horizon": 20}
OFF_POLICY = {"learning_starts": 64, "batch_size": 16, "buffer_size": 1_000, "gradient_steps": 1}
NETWORK = {"policy_kwargs": {"net_arch": [16]}}
ALGORITHMS = {
    "dream-ppo": ("CartPole-v1", {"ppo": {**NETWORK, "n_steps": 16, "batch_size": 64, "n_epochs": 2}}),
    "dream-a2c": ("CartPole-v1", {"a2c": {**NETWORK, "n_steps": 8}}),
    "dream-dqn": ("CartPole-v1", {"dqn": {**NETWORK, **OFF_POLICY}}),
    "dream-sac": ("Pendulum-v1", {"sac": {**NETWORK, **OFF_POLICY}}),
    "dream-td3": ("Pendulum-v1", {"td3": {**NETWORK, **OFF_POLICY, "action_noise": 0.1}}),
}


def make(name, env=None, seed=0, **config):
    usual_env, arguments = ALGORITHMS[name]
    config = {"model_config": MODEL, **TINY, **copy.deepcopy(arguments), **config}
    return zoo_core.make_agent(name, env or usual_env, config, seed=seed, device="cpu")


def weights(agent):
    return [values.clone() for values in agent.learner.algorithm.policy.state_dict().values()]


def same(first, second):
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def pairs(obs, next_obs):
    return {(a.tobytes(), b.tobytes()) for a, b in zip(obs, next_obs, strict=True)}


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize(
    "config",
    [
        {},
        {"model": "mlp"},
        {"observation": "latent", "starts": "episodes", "uncertainty_penalty": 1.0, "max_uncertainty": 9.0},
    ],
    ids=["ensemble", "mlp", "latent"],
)
def test_every_algorithm_learns_in_every_model(name, config):
    agent = make(name, **config)
    before = weights(agent)
    agent.learn(60)
    assert agent.num_timesteps == 60
    assert agent.round == 2
    assert not same(weights(agent), before)
    obs = agent.get_env().reset()
    action, state = agent.predict(obs)
    action, _ = agent.predict(obs, state=state, episode_start=np.zeros(1, bool))
    assert agent.action_space.contains(action[0])


@pytest.mark.parametrize("name", ["dream-ppo", "dream-dqn", "dream-sac"])
def test_the_contract_of_agents_is_kept(name):
    env, _ = ALGORITHMS[name]
    check_agent(lambda env_id, _, seed: make(name, env_id, seed=seed), env, steps=60)


@pytest.mark.parametrize("name", ["dream-ppo", "dream-sac"])
def test_the_seed_decides_everything(name):
    first, second, other = (make(name, seed=seed).learn(60) for seed in (1, 1, 2))
    assert same(weights(first), weights(second))
    assert same(first.model.state_dict().values(), second.model.state_dict().values())
    assert not same(weights(first), weights(other))


def test_policy_and_model_begin_with_weights_of_the_seed():
    first, second, other = (make("dream-sac", seed=seed) for seed in (1, 1, 2))
    for part in (weights, lambda agent: list(agent.model.parameters())):
        assert same(part(first), part(second))
        assert not same(part(first), part(other))


@pytest.mark.parametrize(("num_envs", "steps", "made"), [(1, 55, 55), (1, 30, 30), (3, 60, 60), (3, 50, 51)])
def test_no_more_real_steps_are_made_than_asked_for(num_envs, steps, made):
    """But for what is missing to a step of all environments."""
    agent = make("dream-ppo", make_vec_env("CartPole-v1", num_envs)).learn(steps)
    assert agent.num_timesteps == len(agent.replay) == made


def test_learning_goes_on_counting():
    agent = make("dream-ppo").learn(50).learn(30, reset_num_timesteps=False)
    assert agent.num_timesteps == len(agent.replay) == 80


class LatentDreams:
    """A registered name for one of the fakes, whose belief is not what it shows."""

    def __init__(self, fake):
        self.fake = fake

    def __call__(self, name, observation_space, action_space, config, *, seed, device):
        return self.fake(observation_space, action_space, config, seed=seed).to(device)


@pytest.mark.parametrize(("name", "fake"), [("dream-sac", fakes.SmallRSSM), ("dream-ppo", fakes.ValueEquivalentModel)])
def test_latent_policies_act_on_the_models_belief(monkeypatch, name, fake):
    monkeypatch.setattr("zoo_core.model_based_agent.make_model", LatentDreams(fake))
    agent = make(name, observation="latent", model_config=None, starts="episodes").learn(60)
    seen = agent.learner.algorithm.observation_space.shape
    assert seen == agent.make_dreams(2).observation_space.shape != agent.observation_space.shape
    episodes, _ = evaluate_policy(agent, make_vec_env(ALGORITHMS[name][0]), n_eval_episodes=1)
    assert np.isfinite(episodes)


# -- what is learned from ----------------------------------------------------------------------------------------------


def dreamed(agent):
    """What the algorithm's buffer holds: `[rows, num_dreams, ...]`."""
    buffer = agent.learner.algorithm.replay_buffer
    return buffer.observations[: buffer.pos], buffer.next_observations[: buffer.pos]


@pytest.mark.parametrize("name", ["dream-sac", "dream-dqn"])
def test_the_buffer_holds_the_dreams_of_the_last_round_and_no_real_step(name):
    agent = make(name).learn(100)
    assert agent.round == 4
    obs, next_obs = (values.reshape(-1, values.shape[-1]) for values in dreamed(agent))
    assert len(obs) == 256
    steps = agent.replay.transitions()
    assert not pairs(obs, next_obs) & pairs(steps.obs, steps.next_obs)


def test_a_policy_is_not_trained_while_it_acts_in_reality():
    agent = make("dream-sac").learn(40)
    seen = []
    agent.learn(20, callback=lambda *_: seen.append(weights(agent)) is None, reset_num_timesteps=False)
    assert len(seen) == 20
    assert all(same(weights_then, seen[0]) for weights_then in seen)
    assert not same(weights(agent), seen[0])


def test_the_model_learns_from_all_real_steps_so_far(monkeypatch):
    sizes = []
    agent = make("dream-ppo")
    fit = agent.model.fit
    monkeypatch.setattr(agent.model, "fit", lambda replay, **kwargs: sizes.append(len(replay)) or fit(replay, **kwargs))
    agent.learn(90)
    assert sizes == [40, 60, 80, 90]


def test_a_time_limit_is_stored_as_such_and_ends_no_dream():
    agent = make("dream-sac", gym.make("Pendulum-v1", max_episode_steps=15), horizon=50).learn(40)
    steps = agent.replay.transitions()
    assert steps.truncated.nonzero()[0].tolist() == [14, 29]
    assert not steps.terminated.any()
    dreams = agent.make_dreams(100)
    dreams.reset()
    assert not any(dreams.step(np.zeros((100, 1), np.float32))[2].any() for _ in range(20))


def test_dreams_begin_where_they_are_said_to():
    def begun(agent, **changes):
        return {row.tobytes() for row in agent.make_dreams(500, **changes).reset()}

    anywhere, at_the_start = (
        make("dream-sac", make_vec_env("Pendulum-v1", 4), starts=starts).learn(40)
        for starts in ("observations", "episodes")
    )
    stored = {row.tobytes() for row in anywhere.replay.transitions().obs}
    firsts = {row.tobytes() for row in anywhere.replay.first_observations()}
    assert begun(anywhere) == stored > firsts
    assert begun(anywhere, starts=None) == firsts
    assert begun(at_the_start) == {row.tobytes() for row in at_the_start.replay.first_observations()}


def test_dreams_are_made_as_the_config_says():
    agent = make("dream-sac", uncertainty_penalty=2.0, max_uncertainty=3.0, temperature=0.5, horizon=7).learn(40)
    dreams = agent.make_dreams(seed=3)
    imagination = dreams.imagination
    assert dreams.num_envs == 8
    assert (imagination.horizon, imagination.temperature, imagination.seed) == (7, 0.5, 3)
    assert (imagination.uncertainty_penalty, imagination.max_uncertainty) == (2.0, 3.0)
    assert agent.make_dreams(4, horizon=5).imagination.horizon == 5


def test_there_is_nothing_to_dream_of_before_the_first_fit():
    for starts in ("observations", "episodes"):
        with pytest.raises(zoo_core.ZooError, match="has not seen an episode begin"):
            make("dream-ppo", starts=starts).make_dreams()


# -- acting in reality -------------------------------------------------------------------------------------------------


def real_actions(agent, steps):
    seen = []
    agent.learn(steps, callback=lambda now, _: seen.append(now["actions"].copy()) is None, reset_num_timesteps=False)
    return np.concatenate(seen)


def test_the_first_steps_are_random_and_later_ones_the_policys():
    agent = make("dream-ppo", dream_steps=1, explore_prob=0.0)
    with torch.no_grad():
        agent.learner.algorithm.policy.action_net.bias[:] = torch.tensor([50.0, -50.0])  # always to the left
    agent.learner.algorithm.learning_rate = 0.0
    agent.learner.algorithm.lr_schedule = lambda _: 0.0
    assert set(real_actions(agent, 40)) == {0, 1}
    assert set(real_actions(agent, 40)) == {0}


def test_some_real_actions_are_random_if_asked_for():
    agent = make("dream-ppo", dream_steps=1, explore_prob=0.4, round_steps=500)
    with torch.no_grad():
        agent.learner.algorithm.policy.action_net.bias[:] = torch.tensor([50.0, -50.0])
    agent.learner.algorithm.lr_schedule = lambda _: 0.0
    real_actions(agent, 40)
    # Half of the random ones go right: 20 % of 500, with a deviation of 1.8 %.
    assert real_actions(agent, 500).mean() == pytest.approx(0.2, abs=0.08)


def test_dqn_explores_with_different_actions():
    """Its exploration draws from the action space, whose stream must not stand still between two real steps."""
    agent = make("dream-dqn", dream_steps=1, explore_prob=0.0).learn(40)
    agent.learner.algorithm.exploration_rate = 1.0
    obs = np.zeros((1, 4), np.float32)
    drawn = [int(agent.predict(obs)[0][0]) for _ in range(40)]
    assert 5 < sum(drawn) < 35


def test_acting_draws_nothing_from_the_streams_of_learning():
    def learn(act):
        agent = make("dream-dqn", seed=3).learn(40)
        if act:
            agent.learner.algorithm.exploration_rate, rate = 1.0, agent.learner.algorithm.exploration_rate
            for _ in range(7):
                agent.predict(np.zeros((1, 4), np.float32))
            agent.learner.algorithm.exploration_rate = rate
        return weights(agent.learn(40, reset_num_timesteps=False))

    assert same(learn(True), learn(False))


def test_an_evaluation_in_the_same_environment_does_not_spoil_the_replay():
    agent = make("dream-ppo").learn(45)
    evaluate_policy(agent, agent.get_env(), n_eval_episodes=2, warn=False)
    agent.learn(40, reset_num_timesteps=False)
    steps = agent.replay.transitions()
    # In CartPole the position moves by 0.02 times the speed; a step across a reset does not.
    np.testing.assert_allclose(steps.next_obs[:, 0], steps.obs[:, 0] + 0.02 * steps.obs[:, 1], atol=1e-5)


def test_a_callback_that_says_no_ends_collecting_and_trains_no_more():
    agent = make("dream-sac").learn(40)
    before = weights(agent)
    agent.learn(20, callback=lambda now, _: now["self"].num_timesteps < 47, reset_num_timesteps=False)
    assert agent.num_timesteps == 47
    assert agent.round == 1
    assert same(weights(agent), before)


# -- environments ------------------------------------------------------------------------------------------------------


def test_another_environment_with_the_same_spaces_keeps_what_was_learned():
    agent = make("dream-sac").learn(40)
    agent.set_env(gym.make("Pendulum-v1", g=5.0))
    agent.learn(20, reset_num_timesteps=False)
    assert len(agent.replay) == 60


class Broken(gym.Wrapper):
    """Its third reward is NaN."""

    def __init__(self, env, part):
        super().__init__(env)
        self.part, self.steps = part, 0

    def step(self, action):
        obs, reward, *ends = self.env.step(action)
        self.steps += 1
        if self.steps == 3:
            obs, reward = (obs, float("nan")) if self.part == "reward" else (obs * np.inf, reward)
        return obs, reward, *ends


@pytest.mark.parametrize("part", ["reward", "observation"])
def test_an_environment_that_gives_nan_is_named(part):
    agent = make("dream-sac", Broken(gym.make("Pendulum-v1", disable_env_checker=True), part))
    with np.errstate(invalid="ignore"), pytest.raises(NonFiniteError, match=f"Pendulum-v1 gave an? {part} that is NaN"):
        agent.learn(40)
