"""What an argument of SB3 is answered with, and the policy that goes with the observations."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from stable_baselines3.common.envs import BitFlippingEnv, FakeImageEnv

import zoo_core
from zoo_core.errors import ConfigError, UnknownNameError, UnsupportedSpaceError
from zoo_core.plugins import agent_spec
from zoo_core.sb3_arguments import ACTION_SPACES, ALGORITHMS
from zoo_sb3.agent import SACAgent


@pytest.mark.parametrize(
    ("name", "config", "message"),
    [
        ("ppo", {"ppo.n_step": 5}, r"SB3's PPO has no argument 'n_step': did you mean 'n_steps'\?"),
        ("dream-ppo", {"ppo.n_step": 5}, r"SB3's PPO has no argument 'n_step': did you mean 'n_steps'\?"),
        ("sac", {"sac.bufer_size": 5}, r"SB3's SAC has no argument 'bufer_size': did you mean 'buffer_size'\?"),
        ("ppo", {"ppo.seed": 5}, r"ppo\.seed is set for the algorithm; remove it"),
        ("ppo", {"ppo.device": "cpu"}, r"ppo\.device is set for the algorithm; remove it"),
        ("ppo", {"sac.gamma": 0.9}, r"agent 'ppo': unknown setting 'sac\.gamma'"),
        ("ppo", {"ppo": 5}, "ppo must be a mapping, got 5"),
        ("sac", {"sac.learning_rate": -1}, r"^sac\.learning_rate must be in \(0\.0, inf\), got -1\.0$"),
        ("sac", {"sac.learning_rate": "fast"}, r"sac\.learning_rate must be a number or a function .*, got 'fast'"),
        ("sac", {"sac.buffer_size": 0}, r"sac\.buffer_size must be in \[1, inf\), got 0"),
        ("sac", {"sac.train_freq": [0, "step"]}, r"sac\.train_freq must be in \[1, inf\), got 0"),
        ("sac", {"sac.action_noise": -0.1}, r"sac\.action_noise must be in \[0\.0, inf\), got -0\.1"),
        (
            "sac",
            {"sac.action_noise": "ou"},
            r"sac\.action_noise must be a number or of type ActionNoise or none, got 'ou'",
        ),
        (
            "sac",
            {"sac.replay_buffer_class": "HerBuffer"},
            r"sac\.replay_buffer_class must be .* got 'HerBuffer': did you mean 'HerReplayBuffer'\?",
        ),
        ("dream-ppo", {"ppo.gamma": 1.5}, r"ppo\.gamma must be in \[0\.0, 1\.0\], got 1\.5"),
        ("ppo", {"ppo.n_steps": 2.5}, r"ppo\.n_steps must be an integer, got 2\.5"),
        ("ppo", {"ppo.batch_size": 1}, r"ppo\.batch_size must be in \[2, inf\), got 1"),
        ("ppo", {"ppo.policy": "ConvPolicy"}, "SB3's PPO rejects its arguments: Policy ConvPolicy unknown"),
        ("dqn", {"dqn.policy_kwargs.nett_arch": [8]}, "SB3's DQN rejects its arguments: .*'nett_arch'"),
        (
            "ppo",
            {"ppo.policy_kwargs.activation_fn": "Relu"},
            r"ppo\.policy_kwargs\.activation_fn must name a class of torch\.nn such as 'ReLU', got 'Relu'",
        ),
        ("ppo", {"ppo.policy_kwargs.activation_fn": "functional"}, r"must name a class of torch\.nn"),
        ("dream-dqn", {"initial_steps": 1}, r"initial_steps must be in \[2, inf\), got 1"),
        ("dream-dqn", {"horizon": 0}, r"horizon must be in \[1, inf\), got 0"),
        ("dream-dqn", {"explore_prob": 1.5}, r"explore_prob must be in \[0.0, 1.0\], got 1.5"),
        ("dream-dqn", {"starts": "episode"}, r"starts has no choice 'episode': did you mean 'episodes'\?"),
        ("dream-dqn", {"observation": "pixels"}, "observation has no choice 'pixels'; choose one of 'decoded'"),
        ("dream-dqn", {"model.hiden": 3}, r"model 'ensemble': unknown setting 'hiden': did you mean 'hidden'\?"),
        ("dream-dqn", {"temperature": -1}, r"temperature must be in \[0.0, inf\), got -1"),
        ("dream-dqn", {"num_dreams": 2.5}, "num_dreams must be an integer, got 2.5"),
        (
            "dream-dqn",
            {"dream_step": 5},
            r"agent 'dream-dqn': unknown setting 'dream_step': did you mean 'dream_steps'\?",
        ),
    ],
)
def test_a_wrong_argument_is_named(name, config, message):
    with pytest.raises(ConfigError, match=message):
        zoo_core.make_agent(name, "Pendulum-v1" if "sac" in name else "CartPole-v1", config)


def test_a_batch_of_one_is_taken_where_no_advantage_is_normalised():
    config = {"ppo.batch_size": 1, "ppo.n_steps": 4, "ppo.normalize_advantage": False}
    assert zoo_core.make_agent("ppo", "CartPole-v1", config).learner.algorithm.batch_size == 1


@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_registry_says_which_actions_an_algorithm_takes(name):
    assert agent_spec(name.lower()).action_spaces == ACTION_SPACES[name]


def test_an_unknown_world_model_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match=r"did you mean 'ensemble'\?"):
        zoo_core.make_agent("dream-ppo", "CartPole-v1", {"model": "ensembel"})


@pytest.mark.parametrize(
    ("name", "env", "message"),
    [
        ("sac", "CartPole-v1", "agent 'sac' takes Box action spaces, got Discrete.*agents that take it: .*dqn"),
        ("dream-dqn", "Pendulum-v1", "agent 'dream-dqn' takes Discrete action spaces, got Box.*dream-sac"),
    ],
)
def test_a_wrong_action_space_is_answered_with_the_agents_that_take_it(name, env, message):
    with pytest.raises(UnsupportedSpaceError, match=message):
        zoo_core.make_agent(name, env)


def test_a_wrong_action_space_is_refused_without_the_registry_too():
    with pytest.raises(
        UnsupportedSpaceError, match=r"SAC takes Box action spaces, got Discrete\(2\); .*: PPO, A2C, DQN"
    ):
        SACAgent("CartPole-v1")


def test_a_world_model_that_does_not_take_the_observations_says_so():
    with pytest.raises(UnsupportedSpaceError, match="Box observations of one dimension and floating point type"):
        zoo_core.make_agent("dream-ppo", FakeImageEnv(36, 36, n_channels=1))


class CountsFromOne(gym.Env):
    """Its actions are 1 and 2."""

    observation_space = spaces.Box(-1, 1, (2,), np.float32)
    action_space = spaces.Discrete(2, start=1)


@pytest.mark.parametrize("name", ["dqn", "ppo", "dream-ppo"])
def test_actions_that_do_not_begin_at_0_are_refused_as_sb3_would_get_them_wrong(name):
    with pytest.raises(UnsupportedSpaceError, match=r"count from 0, got Discrete\(2, start=1\).*TransformAction"):
        zoo_core.make_agent(name, CountsFromOne())


@pytest.mark.parametrize(
    ("env", "policy"),
    [
        (lambda: gym.make("CartPole-v1"), "ActorCriticPolicy"),
        (lambda: FakeImageEnv(36, 36, n_channels=3), "ActorCriticCnnPolicy"),
        (lambda: BitFlippingEnv(4), "MultiInputActorCriticPolicy"),
    ],
)
def test_the_policy_goes_with_the_observations(env, policy):
    agent = zoo_core.make_agent("a2c", env(), {"a2c.n_steps": 4}, seed=0).learn(8)
    assert type(agent.learner.algorithm.policy).__name__ == policy
    obs = agent.get_env().reset()
    assert agent.predict(obs)[0].shape == (1,)


def test_a_policy_may_be_named():
    agent = zoo_core.make_agent("a2c", BitFlippingEnv(4, discrete_obs_space=False), {"a2c.policy": "MultiInputPolicy"})
    assert type(agent.learner.algorithm.policy).__name__ == "MultiInputActorCriticPolicy"


def test_spaces_of_a_new_environment_must_be_the_same():
    agent = zoo_core.make_agent("ppo", "CartPole-v1", seed=0)
    before = agent.get_env()
    with pytest.raises(ValueError, match="observation_space of the env is Box"):
        agent.set_env("Acrobot-v1")
    assert agent.get_env() is before
