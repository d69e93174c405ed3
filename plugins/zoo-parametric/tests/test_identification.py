"""Constants that are found, how sure that is, and what is said where the data cannot tell."""

import math

import gymnasium as gym
import numpy as np
import pytest
import torch

import zoo_core
from zoo_core.errors import NonFiniteError
from zoo_parametric.pendulum import Pendulum
from zoo_parametric.system import System, Unknown

SWING_UP = {
    "cart_mass": 10.4719755,
    "pole_mass": 5.0185854,
    "pole_length": 0.6,
    "pole_inertia": 0.1887494,
    "cart_friction": 1.0,
    "pole_friction": 1.0,
}


def with_noise(replay, std, seed):
    """Returns the same steps as an environment would give them whose every next observation is noisy."""
    steps, num = replay.transitions(), len(replay)
    noise = std * np.random.default_rng(seed).standard_normal(steps.next_obs.shape).astype(np.float32)
    noisy = zoo_core.Replay(replay.observation_space, replay.action_space, num_envs=num)
    no, yes = np.zeros(num, bool), np.ones(num, bool)
    noisy.add(steps.obs, steps.action, steps.reward, no, yes, steps.next_obs + noise)
    return noisy


@pytest.mark.parametrize(("mass", "length"), [(1.0, 1.0), (0.3, 2.0), (3.0, 0.4)])
def test_500_steps_tell_mass_and_length_of_a_pendulum(pendulum, fitted, mass, length):
    model, metrics = fitted(pendulum(500, mass=mass, length=length))
    assert model.constants == pytest.approx({"mass": mass, "length": length}, rel=1e-5)  # the bar is 1e-2
    assert metrics["unexplained"] < 1e-5
    assert metrics["untold"] == 0


@pytest.mark.parametrize("guesses", [{"mass": 50.0, "length": 0.05}, {"mass": 0.02, "length": 30.0}])
@pytest.mark.parametrize("num_starts", [1, 8])
def test_a_poor_guess_does_no_harm(pendulum_replay, fitted, guesses, num_starts):
    model, _ = fitted(pendulum_replay, guesses=guesses, num_starts=num_starts)
    assert model.constants == pytest.approx({"mass": 1.0, "length": 1.0}, rel=1e-4)


def test_all_constants_of_the_swing_up_are_found_with_walls_in_the_data(swing_up_replay, fitted):
    walls = np.abs(swing_up_replay.transitions().next_obs[:, 0]) == 2.5
    assert walls.mean() > 0.02
    model, _ = fitted(swing_up_replay, num_starts=2)
    assert model.constants == pytest.approx(SWING_UP, rel=1e-3)


def test_the_constants_of_the_cart_pole_are_found(cart_pole_replay, fitted):
    model, _ = fitted(cart_pole_replay)
    assert model.constants == pytest.approx({"cart_mass": 1.0, "pole_mass": 0.1, "half_length": 0.5}, rel=1e-3)


def test_standard_errors_are_as_large_as_errors_are(pendulum, fitted):
    """Over repeated noise, errors in units of their standard errors are about standard normal: their mean square is 1,
    and over 40 of them lies within [0.5, 1.6] with probability 0.99.
    """
    truth, squares = {"mass": 0.3, "length": 2.0}, []
    replay = pendulum(500, **truth)
    for seed in range(20):
        model, _ = fitted(with_noise(replay, 0.05, seed), num_starts=1)
        squares += [((model.constants[name] - truth[name]) / model.std_errors[name]) ** 2 for name in truth]
    assert 0.5 < np.mean(squares) < 1.6


def test_unexplained_is_the_noise_in_units_of_what_changes(pendulum_replay, fitted):
    std = 0.05
    noisy = with_noise(pendulum_replay, std, seed=0)
    steps = noisy.transitions()
    change = (steps.next_obs - steps.obs).std(0)
    _, metrics = fitted(noisy)
    assert metrics["unexplained"] == pytest.approx(math.sqrt(((std / change) ** 2).sum() / 4), rel=0.05)  # and a reward


def test_without_a_torque_the_mass_is_untold_and_stays_at_its_guess(still_pendulum_replay, fitted):
    with pytest.warns(UserWarning, match="the data cannot tell mass of Pendulum"):
        model, metrics = fitted(still_pendulum_replay, guesses={"mass": 0.7})
    assert model.constants == pytest.approx({"mass": 0.7, "length": 1.0}, rel=1e-4)
    assert math.isinf(model.std_errors["mass"])
    assert metrics["untold"] == 1
    assert "mass_std_error" not in metrics
    assert all(map(math.isfinite, metrics.values()))


class Product(Pendulum):
    unknowns = (Unknown("mass", 0.5), Unknown("length", 0.5), Unknown("unit", 2.0))

    def next_obs(self, obs, action, constants):
        return super().next_obs(obs, action, {**constants, "mass": constants["mass"] * constants["unit"]})


def test_constants_that_show_only_together_are_named(pendulum_replay, fitted):
    with pytest.warns(UserWarning, match="cannot tell mass, unit of Product"):
        model, _ = fitted(pendulum_replay, system=Product)
    assert model.constants["mass"] * model.constants["unit"] == pytest.approx(1.0, rel=1e-4)
    assert model.constants["length"] == pytest.approx(1.0, rel=1e-4)


def test_noise_that_drowns_a_constant_is_said(pendulum, fitted):
    weak = with_noise(pendulum(500, mass=300.0), 0.3, seed=0)  # of 300 kg a torque of 2 N m moves little
    with pytest.warns(UserWarning, match="cannot tell mass"):
        fitted(weak)


def test_the_reward_tells_the_length_of_the_pole(swing_up_replay, fitted):
    known = "zoo_envs.known_functions:cart_pole_swing_up_reward"
    with pytest.warns(UserWarning, match="cannot tell cart_mass, pole_mass, pole_length, pole_inertia of"):
        model, _ = fitted(swing_up_replay, num_starts=2, reward_fn=known)
    found = model.constants
    moment = found["pole_mass"] * found["pole_length"] / 2
    assert moment == pytest.approx(SWING_UP["pole_mass"] * SWING_UP["pole_length"] / 2, rel=1e-3)
    assert found["pole_friction"] == pytest.approx(1.0, rel=1e-3)


def test_a_reward_of_another_task_does_not_spoil_the_fit_if_it_is_given(pendulum_replay, fitted):
    model, _ = fitted(pendulum_replay, reward_fn=lambda obs, action, next_obs: 0.0 * obs[:, 0])
    assert model.constants == pytest.approx({"mass": 1.0, "length": 1.0}, rel=1e-5)


def test_one_step_is_too_little_and_that_is_said(pendulum, fitted):
    with pytest.warns(UserWarning, match="cannot tell mass, length"):
        fitted(pendulum(1))


class Root(System):
    unknowns = (Unknown("offset", 1.0),)

    def next_obs(self, obs, action, constants):
        return obs + torch.sqrt(-constants["offset"] - obs.abs())

    def reward(self, obs, action, next_obs, constants):
        return obs[:, 0]


def test_equations_that_give_nan_are_named_and_what_is_known_stays(pendulum_replay, new_model):
    model = new_model(pendulum_replay, system=Root)
    with pytest.raises(NonFiniteError, match=r"the equations of Root.*NaN or infinity.*other guesses="):
        model.fit(pendulum_replay, rng=zoo_core.rng(0))
    assert model.constants == {"offset": 1.0}


def test_a_start_that_gives_nan_does_not_spoil_the_others(pendulum_replay, fitted):
    class Picky(Pendulum):
        def next_obs(self, obs, action, constants):
            nowhere = torch.where(constants["length"] < 0.51, math.nan, 0.0)  # as at the guess
            return super().next_obs(obs, action, constants) + nowhere

    model, _ = fitted(pendulum_replay, system=Picky)
    assert model.constants["length"] == pytest.approx(1.0, rel=1e-4)


def test_what_was_never_seen_is_predicted_too(fitted):
    """Random torques never bring a pendulum upright from hanging; the equations know what happens there."""
    env = gym.make("Pendulum-v1")
    replay = zoo_core.Replay(env.observation_space, env.action_space)
    rng, no = np.random.default_rng(0), np.zeros(1, bool)
    for _ in range(10):
        env.reset(seed=0)
        env.unwrapped.state = np.array([math.pi, 0.0])
        obs = np.float32([-1.0, 0.0, 0.0])
        for t in range(20):
            action = rng.uniform(-2, 2, 1).astype(np.float32)
            next_obs, reward, *_ = env.step(action)
            replay.add(obs[None], action[None], np.array([reward]), no, no | (t == 19), next_obs[None])
            obs = next_obs
    assert replay.observations()[:, 0].max() < 0.0
    model, _ = fitted(replay)
    env.unwrapped.state = np.array([0.1, 1.0])
    real = torch.tensor(env.step(np.float32([1.5]))[0])
    above = torch.tensor([[math.cos(0.1), math.sin(0.1), 1.0]])
    state = model.observe(None, None, above, None, rng=zoo_core.rng(0))
    step = model.step(state, torch.tensor([[1.5]]), rng=zoo_core.rng(0))
    torch.testing.assert_close(step.state.obs[0], real, atol=1e-4, rtol=1e-4)


def updates_of(model, replay, **kwargs):
    seen = []
    model.fit(replay, rng=zoo_core.rng(0), callback=lambda updates, metrics: seen.append(updates), **kwargs)
    assert seen == list(range(1, len(seen) + 1))
    return len(seen)


def test_fitting_again_begins_where_the_last_fit_ended_and_changes_nothing(pendulum_replay, new_model):
    model = new_model(pendulum_replay, num_starts=1, guesses={"mass": 20.0, "length": 0.05})
    first = updates_of(model, pendulum_replay)
    found = model.constants
    assert updates_of(model, pendulum_replay) < first
    assert model.constants == pytest.approx(found, rel=1e-6)


def test_no_more_updates_are_made_than_allowed(pendulum_replay, new_model):
    assert updates_of(new_model(pendulum_replay), pendulum_replay, max_updates=3) == 3
    assert updates_of(new_model(pendulum_replay, max_iterations=4), pendulum_replay) == 4
