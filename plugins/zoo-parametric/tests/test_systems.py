"""The equations are those of the environments, to the rounding of float32; and how a system is chosen."""

import functools

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces

import zoo_core
from zoo_core.errors import ConfigError, UnsupportedSpaceError
from zoo_core.plugins import make_env
from zoo_parametric.cart_pole import CartPole
from zoo_parametric.pendulum import Pendulum
from zoo_parametric.swing_up import CartPoleSwingUp
from zoo_parametric.system import System, Unknown

BOX, TORQUE = spaces.Box(-1.0, 1.0, (2,)), spaces.Box(-1.0, 1.0, (1,))


def outcomes(env, states, actions):
    """Returns what steps of the real environment lead to, from states that `set_state` takes."""
    rows = []
    for state, action in zip(states, actions, strict=True):
        env.reset(seed=0)
        env.unwrapped.state = state.copy()
        rows.append(env.step(action)[:3])
    obs, reward, terminated = zip(*rows, strict=True)
    return torch.tensor(np.array(obs)), torch.tensor(np.array(reward, np.float32)), torch.tensor(terminated)


def predictions(system, obs, action, constants):
    constants = {name: torch.tensor(value) for name, value in constants.items()}
    obs, action = torch.tensor(np.asarray(obs, np.float32)), torch.tensor(action)
    next_obs = system.next_obs(obs, action, constants)
    each = (method(obs, action, next_obs, constants) for method in (system.reward, system.termination))
    return next_obs, *each


@pytest.mark.parametrize(("mass", "length"), [(1.0, 1.0), (0.3, 2.0)])
def test_the_pendulum_is_that_of_gymnasium(mass, length):
    rng = np.random.default_rng(0)
    states, actions = rng.uniform([-9, -8], [9, 8], (300, 2)), rng.uniform(-2, 2, (300, 1)).astype(np.float32)
    env = gym.make("Pendulum-v1")
    env.unwrapped.m, env.unwrapped.l = mass, length
    obs = np.stack([np.cos(states[:, 0]), np.sin(states[:, 0]), states[:, 1]], axis=1)
    predicted = predictions(Pendulum(), obs, actions, {"mass": mass, "length": length})
    real = outcomes(env, states, actions)
    assert (real[0][:, 2].abs() == 8).any()  # the clip is among them
    torch.testing.assert_close(predicted, real, atol=2e-5, rtol=1e-5)


def test_the_cart_pole_is_that_of_gymnasium():
    rng = np.random.default_rng(0)
    states, actions = rng.uniform([-2.4, -3, -0.25, -3], [2.4, 3, 0.25, 3], (300, 4)), rng.integers(2, size=300)
    env = gym.make("CartPole-v1", disable_env_checker=True).unwrapped
    env.length, env.masspole, env.masscart = 0.7, 0.3, 1.5
    env.total_mass, env.polemass_length = env.masscart + env.masspole, env.masspole * env.length
    predicted = predictions(CartPole(), states, actions, {"cart_mass": 1.5, "pole_mass": 0.3, "half_length": 0.7})
    real = outcomes(env, states, actions)
    assert 0 < real[2].sum() < 300
    torch.testing.assert_close(predicted, real, atol=2e-5, rtol=1e-5)


def test_the_swing_up_is_that_of_zoo_envs():
    truth = {"cart_mass": 3.0, "pole_mass": 2.0, "pole_length": 0.8, "pole_inertia": 0.2}
    truth |= {"cart_friction": 0.7, "pole_friction": 0.4}
    env = make_env("zoo_envs/CartPoleSwingUp-v0", **truth)
    rng = np.random.default_rng(0)
    obs, actions = [], rng.uniform(-3, 3, (300, 1)).astype(np.float32)
    real = []
    for state, action in zip(rng.uniform([-2.5, -4, -4, -8], [2.5, 4, 4, 8], (300, 4)), actions, strict=True):
        env.reset(seed=0)
        x, speed, angle, spin = state
        obs.append([x, speed, np.cos(angle), np.sin(angle), spin])
        env.unwrapped.set_state(state)
        real.append(env.step(action)[:3])
    next_obs, reward, terminated = (torch.tensor(np.array(part)) for part in zip(*real, strict=True))
    assert (next_obs[:, 0].abs() == 2.5).any()  # the walls are among them
    predicted = predictions(CartPoleSwingUp(), obs, actions, truth)
    torch.testing.assert_close(predicted[0], next_obs, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(predicted[1], reward.float(), atol=1e-4, rtol=1e-4)
    assert torch.equal(predicted[2], terminated)


# -- which system it is ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("env_id", "system"),
    [("Pendulum-v1", Pendulum), ("CartPole-v1", CartPole), ("zoo_envs/CartPoleSwingUp-v0", CartPoleSwingUp)],
)
def test_the_spaces_say_which_built_in_system_it_is(env_id, system):
    env = make_env(env_id)
    assert type(make(env.observation_space, env.action_space).system) is system


def make(observation_space=BOX, action_space=TORQUE, **config):
    return zoo_core.make_model("parametric", observation_space, action_space, config, device="cpu")


class Walk(System):
    unknowns = (Unknown("size", 1.0),)

    def __init__(self, dim=2):
        self.dim = dim

    def next_obs(self, obs, action, constants):
        return obs[:, : self.dim] + constants["size"] * action

    def reward(self, obs, action, next_obs, constants):
        return obs[:, 0]


class Shapeless(Walk):
    def reward(self, obs, action, next_obs, constants):
        return obs


def test_a_system_of_ones_own_is_a_class_or_its_name_or_a_partial():
    made = [make(system=choice).system for choice in (Walk, functools.partial(Walk, dim=2))]
    assert [type(each) for each in made] == [Walk, Walk]
    named = make(*[Pendulum.observation_space, Pendulum.action_space], system="zoo_parametric.pendulum:Pendulum")
    assert type(named.system) is Pendulum


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({}, UnsupportedSpaceError, "no built-in system is of an environment .*cart-pole-swing-up: Box.*give system="),
        ({"system": "pendulun"}, ConfigError, "there is no system 'pendulun': did you mean 'pendulum'.*module:Class"),
        ({"system": "pendulum"}, UnsupportedSpaceError, "Pendulum takes observation spaces such as Box.*got Box"),
        ({"system": "math:hypot"}, ConfigError, "hypot.* is no subclass of System: give system= a subclass"),
        ({"system": "math:nothing"}, ConfigError, "cannot find the function 'math:nothing'"),
        ({"system": functools.partial(dict, a=1)}, ConfigError, "dict.* is no subclass of System"),
        ({"system": functools.partial(Walk, dim=1)}, ValueError, r"Walk.next_obs must return .*\(7, 2\), got \(7, 1\)"),
        ({"system": Shapeless}, ValueError, r"Shapeless.reward must return .*\(7,\) for 7 rows, got \(7, 2\)"),
        ({"system": Walk, "guesses": {"sice": 2.0}}, ConfigError, "Walk has no unknown 'sice': did you mean 'size'"),
        ({"system": Walk, "guesses": {"size": -2.0}}, ConfigError, "guess of 'size'.* greater than 0, got -2.0"),
        ({"system": Walk, "guesses": {"size": float("nan")}}, ConfigError, "guesses.size must be in .*got nan"),
        ({"num_starts": 0}, ConfigError, r"num_starts must be in \[1, inf\), got 0"),
        ({"spread": 0.5}, ConfigError, r"spread must be in \[1.0, inf\), got 0.5"),
        ({"max_iterations": 0}, ConfigError, "max_iterations must be in"),
        ({"margin": -1.0}, ConfigError, "margin must be in"),
        ({"system": Walk, "termination_fn": lambda o, a, n: o}, ValueError, "termination_fn must return .* got"),
    ],
)
def test_what_cannot_be_is_refused_before_there_is_data(settings, error, message):
    with pytest.raises(error, match=message):
        make(**settings)


@pytest.mark.parametrize(
    ("observation_space", "action_space", "message"),
    [
        (spaces.Discrete(3), TORQUE, "takes Box observation spaces, got Discrete"),
        (spaces.Box(0, 255, (4, 4), np.uint8), TORQUE, "Box observations of one dimension and floating point"),
        (BOX, spaces.MultiBinary(2), "takes Box or Discrete action spaces, got MultiBinary"),
    ],
)
def test_spaces_that_are_not_taken_are_refused(observation_space, action_space, message):
    with pytest.raises(UnsupportedSpaceError, match=message):
        make(observation_space, action_space, system=Walk)


def test_a_guess_can_be_set_as_on_the_command_line():
    assert make(**{"system": Walk, "guesses.size": 3.0}).constants == {"size": 3.0}
