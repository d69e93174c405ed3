"""The range that dreams are held in, computed by hand."""

import numpy as np
import torch
from gymnasium import spaces

from zoo_core.bounds import REACH, Bounds, range_within_reach

DATA = torch.tensor([[0.0, 1.0], [2.0, 5.0], [1.0, 3.0]])  # widths 2 and 4


def test_where_there_is_no_limit_the_range_is_widened_by_the_margin():
    free = torch.full((2,), torch.inf)
    low, high = range_within_reach(DATA, -free, free, margin=0.25)
    assert low.tolist() == [-0.5, 0.0]
    assert high.tolist() == [2.5, 6.0]


def test_a_limit_within_reach_of_the_data_is_the_range_and_one_beyond_is_not():
    near, far = torch.tensor([-4.0, -8.0]), torch.tensor([1e6, 1e6])
    low, high = range_within_reach(DATA, near, far, margin=0.25)
    assert low.tolist() == near.tolist()
    assert high.tolist() == [2.0 + REACH * 2.0, 5.0 + REACH * 4.0]


def test_predictions_are_held_and_reported():
    bounds = Bounds(spaces.Box(np.float32([-np.inf, -8.0]), np.float32([np.inf, 8.0])))
    bounds.fit(DATA, torch.tensor([-1.0, 0.0, 2.0]), margin=0.25)
    obs, held = bounds.hold_obs(torch.tensor([[1.0, 7.0], [9.0, 7.0], [1.0, -9.0]]))
    assert obs.tolist() == [[1.0, 7.0], [2.5, 7.0], [1.0, -8.0]]
    assert held.tolist() == [False, True, True]
    assert bounds.hold_reward(torch.tensor([-5.0, 0.5, 9.0])).tolist() == [-1.0, 0.5, 2.0]


def test_rewards_that_are_known_are_left_free():
    bounds = Bounds(spaces.Box(-1.0, 1.0, (2,)))
    bounds.fit(DATA, None, margin=0.25)
    assert bounds.hold_reward(torch.tensor([-1e9, 1e9])).tolist() == [-1e9, 1e9]


def test_before_the_fit_only_the_space_bounds_a_dream():
    bounds = Bounds(spaces.Box(-1.0, 1.0, (2,)))
    assert bounds.hold_obs(torch.tensor([[5.0, 0.5]]))[0].tolist() == [[1.0, 0.5]]
    assert bounds.hold_reward(torch.tensor([1e9])).tolist() == [1e9]


def test_limits_are_believed_from_as_far_as_is_said():
    low, high = range_within_reach(DATA, torch.tensor([-100.0, -8.0]), torch.tensor([100.0, 8.0]), 0.25, reach=60.0)
    assert low.tolist() == [-100.0, -8.0]
    assert high.tolist() == [100.0, 8.0]
