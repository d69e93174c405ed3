"""Mistakes, each with an error that says what to do."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

import zoo_core
from zoo_core.errors import NonFiniteError, UnsupportedSpaceError
from zoo_core.simulator import SimulatorModel
from zoo_core.testing.fakes import Altered, TicTacToe

from .conftest import LineModel, still, swing

PENDULUM = SimulatorModel("Pendulum-v1")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"episodes": 0}, "episodes must be at least 1, got 0"),
        ({"horizon": 0}, "horizon must be at least 1, got 0"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"temperature": -0.5}, r"temperature must be in \[0, inf\), got -0.5"),
        ({"temperature": float("nan")}, r"temperature must be in \[0, inf\), got nan"),
        ({"observation": "pixels"}, 'observation must be "decoded", "latent" or None, got \'pixels\''),
    ],
)
def test_numbers_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        zoo_core.gap(swing(), PENDULUM, **arguments)


def test_a_policy_must_predict():
    with pytest.raises(TypeError, match=r"policy must have SB3's predict\(observation, state, ...\), got int"):
        zoo_core.gap(3, PENDULUM)


def test_an_agent_without_a_model_says_what_it_needs():
    with pytest.raises(ValueError, match="Controller has no world model: pass model=, or an agent that learns one"):
        zoo_core.gap(swing())
    with pytest.raises(ValueError, match="a random policy has no world model"):
        zoo_core.gap()


def test_a_model_is_a_model_or_a_path():
    with pytest.raises(TypeError, match="model must be a WorldModel or the path of a saved one, got list"):
        zoo_core.gap(swing(), [])


def test_two_players_are_one_too_many():
    with pytest.raises(ValueError, match="TicTacToe has 2 players: the reality gap is measured for models of one"):
        zoo_core.gap(None, TicTacToe())


def test_an_environment_must_be_known():
    with pytest.raises(ValueError, match="LineModel names no environment: pass env=, an id or an environment"):
        zoo_core.gap(still(), LineModel())


def test_an_environment_must_have_the_spaces_of_the_model():
    with pytest.raises(UnsupportedSpaceError, match=r"observation space of the environment is Box.*SimulatorModel has"):
        zoo_core.gap(swing(), PENDULUM, "CartPole-v1")


def test_a_policy_must_see_what_the_model_shows():
    policy = swing()
    policy.observation_space = gym.spaces.Box(-1, 1, (4,))
    with pytest.raises(
        UnsupportedSpaceError, match=r"Controller acts on Box.* but decoded observations of SimulatorModel are"
    ):
        zoo_core.gap(policy, PENDULUM)


def test_a_policy_must_act_as_the_model_does():
    policy = swing()
    policy.action_space = gym.spaces.Discrete(3)
    with pytest.raises(UnsupportedSpaceError, match=r"actions of Controller are Discrete\(3\), those of Simulator"):
        zoo_core.gap(policy, PENDULUM)


def test_a_vec_normalize_must_not_learn_from_it():
    env = VecNormalize(DummyVecEnv([lambda: gym.make("Pendulum-v1")]))
    with pytest.raises(ValueError, match=r"is training, and would learn from this: set env\.training = False"):
        zoo_core.gap(swing(), PENDULUM, env)


def test_latents_and_normalised_observations_do_not_go_together():
    env = VecNormalize(DummyVecEnv([lambda: gym.make("Pendulum-v1")]), training=False)
    with pytest.raises(ValueError, match=r"wrap env in VecNormalize\(..., norm_obs=False\)"):
        zoo_core.gap(swing(), PENDULUM, env, observation="latent")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda step: step._replace(reward=step.reward * torch.nan), "a reward"),
        (lambda step: step._replace(continues=step.continues * torch.nan), "a termination"),
        (lambda step: step._replace(state=step.state._replace(obs=step.state.obs / 0)), "an observation"),
    ],
)
def test_a_model_that_predicts_nonsense_is_named(change, what):
    with pytest.raises(NonFiniteError, match=f"Altered predicted {what} that is NaN or infinite"):
        zoo_core.gap(swing(), Altered(PENDULUM, change), "Pendulum-v1", episodes=1, horizon=3)


def test_an_object_that_is_no_environment_is_refused():
    with pytest.raises(TypeError, match=r"env must be an id, a gymnasium\.Env"):
        zoo_core.gap(swing(), PENDULUM, np.zeros(3))
