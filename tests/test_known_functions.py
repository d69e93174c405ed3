"""Known rewards and terminations: what they must return, and when a wrong one is told."""

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
