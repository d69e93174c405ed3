"""Spaces that begin elsewhere, several environments, scaled rewards; and what does not fit, which is refused."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.wrappers import TransformObservation
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecNormalize

import zoo_core
from zoo_core.errors import ConfigError, UnknownNameError, UnsupportedSpaceError
from zoo_dyna.agent import DynaQAgent

TAKES_A_BOX = r"takes Discrete observation spaces, got Box\(.*agents that take it: .*ppo"


def test_states_and_actions_may_begin_at_any_number(agent, shifted, name):
    plain = agent(name, gym.make("FrozenLake-v1", is_slippery=False), explore_prob=1.0).learn(1_500)
    moved = agent(name, shifted(is_slippery=False), explore_prob=1.0).learn(1_500)
    assert plain.q.max() > 0.0
    np.testing.assert_array_equal(moved.q, plain.q)
    for states in (np.arange(16), 3):
        expected, _ = plain.predict(states, deterministic=True)
        np.testing.assert_array_equal(moved.predict(states + 10, deterministic=True)[0], expected - 2)


@pytest.mark.parametrize("observation", [9, 26, -1, np.array([12, 40])], ids=str)
def test_an_observation_outside_the_space_is_refused(agent, shifted, observation):
    learner = agent("dyna-q", shifted())
    with pytest.raises(ValueError, match=r"observations must be in Discrete\(16, start=10\), got"):
        learner.predict(observation)


@pytest.mark.parametrize("observation", [3.7, np.nan, "3", True, np.array([[3]])], ids=repr)
def test_an_observation_that_is_no_number_of_a_state_is_refused(agent, observation):
    with pytest.raises(ValueError, match=r"whole numbers, one or a batch \[B\] of them, got"):
        agent("dyna-q").predict(observation, deterministic=True)


def test_an_environment_that_leaves_its_space_is_refused(agent, name):
    env = gym.make("FrozenLake-v1", disable_env_checker=True)
    learner = agent(name, TransformObservation(env, lambda obs: obs + 5, spaces.Discrete(16)))
    with pytest.raises(ValueError, match=r"observations must be in Discrete\(16\), got \[1[6-9]\]"):
        learner.learn(5_000)


def test_a_box_is_refused_and_those_who_take_it_are_named(name):
    with pytest.raises(UnsupportedSpaceError, match=f"agent '{name}' {TAKES_A_BOX}"):
        zoo_core.make_agent(name, "CartPole-v1")


def test_so_it_is_by_the_class_itself(name):
    with pytest.raises(UnsupportedSpaceError, match=f"agent '{name}' {TAKES_A_BOX}"):
        type(zoo_core.make_agent(name, "FrozenLake-v1"))("CartPole-v1")


def test_a_subclass_that_is_not_registered_refuses_a_box_as_well():
    class Mine(DynaQAgent):
        pass

    with pytest.raises(UnsupportedSpaceError, match="Mine takes Discrete observation spaces, got Box"):
        Mine("CartPole-v1")


@pytest.mark.parametrize("model", ["ensemble", "linear"])
def test_a_model_that_is_no_table_is_refused(agent, model):
    with pytest.raises(ConfigError, match=f"must be a table, 'lookup' or 'lookup-deterministic', got '{model}'"):
        agent("dyna-q", "FrozenLake-v1", model=model)


def test_a_model_that_is_misspelt_is_named(agent):
    with pytest.raises(UnknownNameError, match="did you mean 'lookup-deterministic'"):
        agent("prioritized-sweeping", "FrozenLake-v1", model="lookup-determinstic")


@pytest.mark.parametrize(
    ("name", "config", "message"),
    [
        ("q-learning", {"learning_rate": 0.0}, "learning_rate must be"),
        ("q-learning", {"gamma": 1.1}, "gamma must be"),
        ("dyna-q", {"planning_updates": -1}, "planning_updates must be"),
        ("dyna-q-plus", {"bonus": -1e-3}, "bonus must be"),
        ("prioritized-sweeping", {"threshold": float("nan")}, "threshold must be"),
        ("value-iteration", {"round_steps": 0}, "round_steps must be"),
        ("policy-iteration", {"explore_prob": 2.0}, "explore_prob must be"),
    ],
)
def test_settings_out_of_range_are_refused(agent, name, config, message):
    with pytest.raises(ConfigError, match=message):
        agent(name, "FrozenLake-v1", **config)


def test_it_learns_raw_rewards_where_they_are_scaled(agent, name):
    settings = {"explore_prob": 1.0} | ({} if name.endswith("iteration") else {"learning_rate": 0.5})
    scaled = VecNormalize(make_vec_env("CliffWalking-v1", 2), norm_obs=False, norm_reward=True)
    plain = agent(name, make_vec_env("CliffWalking-v1", 2), **settings).learn(400)
    learner = agent(name, scaled, **settings).learn(400)
    assert scaled.ret_rms.var > 10.0  # rewards of 1 / 3 and less were handed out
    np.testing.assert_array_equal(learner.q, plain.q)


def test_several_environments_share_one_memory(agent):
    learner = agent("dyna-q", make_vec_env("zoo_envs/DynaMaze-v0", 4)).learn(400)
    assert learner.memory.clock[0] == learner.num_timesteps == 400
    assert learner.model.outcomes.count.sum() == 400
    assert learner.updates == 400 * (1 + 50)
