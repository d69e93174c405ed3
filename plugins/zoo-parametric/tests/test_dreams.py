"""What is particular of dreams in known equations."""

import math

import pytest
import torch
from gymnasium import spaces

import zoo_core
from zoo_core.errors import ConfigError
from zoo_parametric.pendulum import Pendulum
from zoo_parametric.system import System, Unknown


def rng():
    return zoo_core.rng(0)


def begin(model, obs):
    return model.observe(None, None, obs, None, rng=rng())


class MyPendulum(Pendulum):
    """Of no installed package."""


def test_a_dream_is_what_happens(pendulum_replay, fitted):
    model, _ = fitted(pendulum_replay)
    steps = pendulum_replay.tensors()
    imagined = model.step(begin(model, steps.obs), steps.action, rng=rng())
    torch.testing.assert_close(imagined.state.obs, steps.next_obs, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(imagined.reward, steps.reward, atol=1e-4, rtol=1e-4)
    assert not imagined.held.any()


def test_a_reward_is_right_beyond_the_range_of_the_data(pendulum_replay, fitted):
    """Hanging at full speed, which random steps never see: -(π² + 0.1 · 8²)."""
    model, _ = fitted(pendulum_replay)
    worst = model.step(begin(model, torch.tensor([[-1.0, 0.0, 8.0]])), torch.zeros(1, 1), rng=rng()).reward
    torch.testing.assert_close(worst, torch.tensor([-(math.pi**2 + 6.4)]))
    assert worst < pendulum_replay.tensors().reward.min()


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_nothing_is_drawn(pendulum_replay, new_model, temperature):
    model, stream = new_model(pendulum_replay), rng()
    state = begin(model, torch.zeros(4, 3))
    before = stream.get_state()
    model.step(state, torch.zeros(4, 1), rng=stream, temperature=temperature)
    assert torch.equal(stream.get_state(), before)


def test_the_gradient_by_the_action_is_that_of_the_equations(pendulum_replay, new_model):
    """∂(dθ/dt)/∂torque = 3 dt / (m l²) = 0.15 / (0.5 · 0.5²) = 1.2 at the guesses; at the clip it is 0."""
    model = new_model(pendulum_replay, guesses={"mass": 0.5, "length": 0.5})
    action = torch.zeros(2, 1, requires_grad=True)
    obs = torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.0, 9.0]])
    model.step(begin(model, obs), action, rng=rng()).state.obs[:, 2].sum().backward()
    torch.testing.assert_close(action.grad, torch.tensor([[1.2], [0.0]]))


def test_what_ended_rests(cart_pole_replay, fitted):
    model, _ = fitted(cart_pole_replay)
    over = model.step(
        begin(model, torch.tensor([[2.39, 3.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])), torch.tensor([1, 1]), rng=rng()
    )
    assert over.continues.tolist() == [0.0, 1.0]
    assert over.reward.tolist() == [1.0, 1.0]  # the step that ends an episode still earns
    later = model.step(over.state, torch.tensor([1, 1]), rng=rng())
    assert torch.equal(later.state.obs[0], over.state.obs[0])
    assert not torch.equal(later.state.obs[1], over.state.obs[1])
    assert later.reward.tolist() == later.continues.tolist() == [0.0, 1.0]


def test_functions_that_are_given_take_the_place_of_the_systems(pendulum_replay, new_model):
    model = new_model(
        pendulum_replay,
        reward_fn=lambda obs, action, next_obs: next_obs[:, 2],
        termination_fn=lambda obs, action, next_obs: obs[:, 0] < 0,
    )
    step = model.step(begin(model, torch.tensor([[1.0, 0.0, 0.5], [-1.0, 0.0, 0.5]])), torch.zeros(2, 1), rng=rng())
    assert torch.equal(step.reward, step.state.obs[:, 2])
    assert step.continues.tolist() == [1.0, 0.0]


class Explosion(System):
    unknowns = (Unknown("growth", 1.0),)

    def next_obs(self, obs, action, constants):
        return obs * (1.0 + constants["growth"])

    def reward(self, obs, action, next_obs, constants):
        return -next_obs[:, 0]


def test_what_runs_away_is_held_far_off_the_data_and_reported():
    replay = zoo_core.Replay(spaces.Box(-math.inf, math.inf, (1,)), spaces.Discrete(2))
    seen = torch.tensor([[1.0], [2.0], [4.0], [8.0]]).numpy()
    replay.add_episode(seen, torch.tensor([0, 1, 0]).numpy(), -seen[1:, 0], terminated=False)
    model = zoo_core.make_model("parametric", replay.observation_space, replay.action_space, {"system": Explosion})
    model.fit(replay, rng=rng())
    state, held = begin(model.cpu(), torch.tensor([[8.0]])), []
    for _ in range(10):
        step = model.step(state, torch.tensor([0]), rng=rng())
        state = step.state
        held.append(bool(step.held))
    assert held == [False, False, False, *[True] * 7]  # 16, 32, 64, and 128 is too much
    assert float(state.obs) == 8.0 + 10.0 * 7.0


def test_a_system_of_ones_own_is_passed_again(tmp_path, pendulum_replay, fitted):
    model, _ = fitted(pendulum_replay, system=MyPendulum)
    path = model.save(tmp_path / "mine")
    with pytest.raises(ConfigError, match=r"system is the function .*MyPendulum.*pass it as an override"):
        zoo_core.load_model(path, device="cpu")
    loaded = zoo_core.load_model(path, device="cpu", system=MyPendulum)
    assert loaded.constants == model.constants
    assert loaded.std_errors == model.std_errors


def test_a_built_in_system_is_found_again_by_its_class(tmp_path, pendulum_replay, fitted):
    model, _ = fitted(pendulum_replay, system=Pendulum, guesses={"mass": 2.0})
    loaded = zoo_core.load_model(model.save(tmp_path / "pendulum"), device="cpu")
    assert loaded.constants == model.constants
    assert loaded.config.guesses == {"mass": 2.0}


def test_a_file_makes_no_other_function_of_a_package_run(pendulum_replay, new_model):
    """A file may name whatever an installed package has; only classes of systems are called."""
    with pytest.raises(ConfigError, match="is no subclass of System"):
        new_model(pendulum_replay, system="zoo_core.cli:main")
