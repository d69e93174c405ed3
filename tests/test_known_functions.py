"""Known rewards and terminations: what they must return, and when a wrong one is told."""

from functools import partial

import pytest
import torch
from gymnasium import spaces

from zoo_core.errors import ConfigError
from zoo_core.known_functions import known_function, try_known_functions
from zoo_core.testing.fakes import SmallRSSM

OBS, ACTION = torch.arange(8.0).reshape(4, 2), torch.zeros(4, 1)


def test_a_termination_becomes_a_number_a_row():
    ended = known_function(lambda obs, action, next_obs: next_obs[:, 0] > 3, "termination_fn")
    values = ended(OBS, ACTION, OBS)
    assert values.dtype == torch.float32
    assert values.tolist() == [0.0, 0.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("function", "got"),
    [
        (lambda obs, action, next_obs: next_obs[:, :1], r"\(4, 1\)"),
        (lambda obs, action, next_obs: next_obs.mean(), r"\(\)"),
        (lambda obs, action, next_obs: 0.0, "float"),
    ],
)
def test_what_is_not_one_number_a_row_is_refused_at_every_call(function, got):
    with pytest.raises(ValueError, match=rf"reward_fn must return a tensor of shape \(4,\) for 4 rows, got {got}"):
        known_function(function, "reward_fn")(OBS, ACTION, OBS)


@pytest.mark.parametrize(
    ("name", "function", "message"),
    [
        ("termination_fn", lambda obs, action, next_obs: obs[:, 0], "bool, .*, got torch.float32"),
        ("termination_fn", lambda obs, action, next_obs: action[:, 0].long(), "bool, .*, got torch.int64"),
        ("reward_fn", lambda obs, action, next_obs: obs[:, 0] > 0, "floating point numbers, .*, got torch.bool"),
        ("reward_fn", lambda obs, action, next_obs: obs[:, 0].long(), "floating point numbers, .*, got torch.int64"),
        ("reward_fn", lambda obs, action, next_obs: obs[:, 0].to("meta"), "a tensor on cpu, .*, got meta"),
    ],
)
def test_what_is_of_another_dtype_or_device_is_refused_at_every_call(name, function, message):
    with pytest.raises(ValueError, match=rf"{name} .*test_known_functions:<lambda> must return {message}"):
        known_function(function, name)(OBS, ACTION, OBS)


def test_a_reward_may_be_of_any_precision():
    for dtype in (torch.float64, torch.float16):
        values = known_function(lambda obs, action, next_obs, dtype=dtype: obs[:, 0].to(dtype), "reward_fn")
        assert values(OBS, ACTION, OBS).dtype == torch.float32


def test_a_function_may_be_named():
    assert known_function("math:hypot", "reward_fn").function(3, 4) == 5
    assert known_function(None, "reward_fn") is None
    with pytest.raises(ConfigError, match="cannot find the function 'math:nothing'"):
        known_function("math:nothing", "reward_fn")


def test_the_functions_of_a_model_are_tried_on_batches_of_its_spaces():
    seen = []

    def reward(obs, action, next_obs):
        seen.append((obs.shape, action.shape, action.dtype, next_obs.shape))
        return obs[0]

    model = SmallRSSM(spaces.Box(-1.0, 1.0, (3,)), spaces.Discrete(2))
    try_known_functions(model)  # it has none
    model.reward_fn = known_function(reward, "reward_fn")
    with pytest.raises(ValueError, match=r"reward_fn must return .*\(7,\) for 7 rows, got \(3,\)"):
        try_known_functions(model)
    assert seen == [((7, 3), (7,), torch.int64, (7, 3))]


def raises(obs, action, next_obs):
    raise LookupError("boom")


@pytest.mark.parametrize(
    ("name", "function", "message"),
    [
        ("reward_fn", raises, r"reward_fn .*test_known_functions:raises raised LookupError: boom"),
        ("reward_fn", partial(raises), r"^reward_fn raised LookupError: boom"),
        ("reward_fn", lambda obs, action, next_obs: (0 * obs / obs).sum(dim=1), "returned NaN for neutral elements"),
    ],
)
def test_a_function_that_cannot_work_is_named_when_it_is_tried(name, function, message):
    model = SmallRSSM(spaces.Box(-1.0, 1.0, (3,)), spaces.Discrete(2))
    model.known = known_function(function, name)
    with pytest.raises(ValueError, match=message) as caught:
        try_known_functions(model)
    assert (caught.value.__cause__ is None) == ("NaN" in message)


def test_what_a_function_raises_in_use_is_left_as_it_is():
    with pytest.raises(LookupError, match=r"^'boom'$|^boom$"):
        known_function(raises, "reward_fn")(OBS, ACTION, OBS)
