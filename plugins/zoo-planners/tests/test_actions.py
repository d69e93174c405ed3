"""Actions as planners see them, and as the environment does."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from gymnasium.wrappers import TransformAction

import zoo_core
from zoo_core.errors import UnsupportedSpaceError
from zoo_core.world_model import WorldModel
from zoo_planners.actions import ActionBox, num_actions, shift


class Acts(WorldModel):
    """A model of which only the actions matter."""

    def __init__(self, action_space):
        super().__init__(Box(-1.0, 1.0, (1,)), action_space)

    def observe(self, *args, **kwargs):
        raise AssertionError

    step = observe


def box(low, high, shape=None):
    if shape is None:
        low, high = np.float32(low), np.float32(high)
    return ActionBox(Acts(Box(low, high, shape)), "tester")


def test_the_ends_of_the_units_are_the_bounds_and_0_is_the_middle():
    actions = box([-1.0, 0.0, 10.0], [1.0, 4.0, 11.0])
    units = torch.tensor([-1.0, 0.0, 1.0, 0.5])[:, None].expand(4, 3)
    env = torch.tensor([[-1.0, 0.0, 10.0], [0.0, 2.0, 10.5], [1.0, 4.0, 11.0], [0.5, 3.0, 10.75]])
    assert torch.equal(actions.to_env(units), env)
    assert torch.equal(actions.to_units(env), units)


def test_what_lies_outside_is_brought_to_the_bounds():
    actions = box([0.0], [4.0])
    assert actions.to_env(torch.tensor([[-3.0], [1.5]])).tolist() == [[0.0], [4.0]]
    assert actions.to_units(torch.tensor([[-1.0], [99.0]])).tolist() == [[-1.0], [1.0]]


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_leading_dimensions_stay_and_the_last_one_is_the_box(shape):
    actions = box(-2.0, 6.0, shape)
    size = int(np.prod(shape))
    assert actions.size == size
    units = torch.rand(4, 5, size, generator=zoo_core.rng(0)) * 2.0 - 1.0
    env = actions.to_env(units)
    assert env.shape == (4, 5, *shape)
    torch.testing.assert_close(env.reshape(4, 5, size), 4.0 * units + 2.0)
    torch.testing.assert_close(actions.to_units(env), units)


def test_an_action_without_a_choice_is_its_only_value_and_0_in_units():
    actions = box([-1.0, 0.3], [1.0, 0.3])
    units = torch.tensor([[0.5, -1.0], [0.5, 0.7]])
    env = actions.to_env(units)
    assert env.tolist() == [[0.5, float(np.float32(0.3))]] * 2
    assert actions.to_units(env).tolist() == [[0.5, 0.0]] * 2


def test_rounding_leads_out_of_no_box():
    random = np.random.default_rng(0)
    low = random.normal(size=500).astype(np.float32)
    space = Box(low, low + random.exponential(size=500).astype(np.float32))
    actions = ActionBox(Acts(space), "tester")
    for units in (-1.0, 1.0, 1.0 - 1e-7, 1e-7):
        env = actions.to_env(torch.full((500,), units))
        assert env.dtype == torch.float32
        assert space.contains(env.numpy())


@pytest.mark.parametrize(("low", "high"), [(-np.inf, np.inf), (0.0, np.inf), (-np.inf, 1.0)])
def test_bounds_must_be_finite(low, high):
    with pytest.raises(
        UnsupportedSpaceError, match=r"tester searches between the bounds of its actions, which must be"
    ):
        box(low, high, (2,))


class Unbounded(gym.Wrapper):
    """Pendulum that takes any torque, and says so."""

    def __init__(self, env):
        super().__init__(env)
        self.action_space = Box(-np.inf, np.inf, (1,))

    def step(self, action):
        assert self.action_space.contains(action)
        return self.env.step(np.clip(action, -2.0, 2.0))


def test_what_the_message_says_to_do_helps():
    """It is taken from the message, with `Box(...)` filled in."""
    env = Unbounded(gym.make("Pendulum-v1"))
    with pytest.raises(UnsupportedSpaceError) as error:
        ActionBox(Acts(env.action_space), "tester")
    hint = (
        str(error.value).split("; ")[1].removeprefix("gymnasium.wrappers.").removesuffix(" gives an environment others")
    )
    bounded = eval(hint, {"TransformAction": TransformAction, "env": env, "Box": lambda _: Box(-2.0, 2.0, (1,))})
    tiny = {"model": "linear", "planner": "random-shooting", "planner.num_candidates": 4, "initial_steps": 20}
    agent = zoo_core.make_agent("mpc", bounded, tiny, seed=0, device="cpu").learn(25)
    assert agent.replay.tensors().action.abs().amax() <= 2.0


def test_discrete_actions_are_counted_and_others_refused():
    assert num_actions(Acts(Discrete(5, start=3)), "tester") == 5
    with pytest.raises(
        UnsupportedSpaceError, match=r"tester takes Discrete action spaces, got MultiDiscrete\(\[2 2\]\)"
    ):
        num_actions(Acts(MultiDiscrete([2, 2])), "tester")
    with pytest.raises(UnsupportedSpaceError, match=r"tester takes Box action spaces, got Discrete\(5\)"):
        ActionBox(Acts(Discrete(5)), "tester")


def test_one_step_later_a_sequence_lacks_its_first_action_and_ends_with_another():
    sequence = torch.arange(6.0).reshape(2, 3, 1)
    assert shift(sequence, torch.tensor([[[9.0]]]))[..., 0].tolist() == [[1.0, 2.0, 9.0], [4.0, 5.0, 9.0]]
