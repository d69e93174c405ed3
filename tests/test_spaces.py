"""Gymnasium spaces between NumPy and torch."""

import json

import numpy as np
import pytest
import torch
from gymnasium import spaces

from zoo_core import spaces as tools
from zoo_core.errors import UnsupportedSpaceError
from zoo_core.testing.checks.expect import same

SPACES = {
    "box": spaces.Box(-1.0, 1.0, (3,)),
    "unbounded": spaces.Box(-np.inf, np.inf, (2,)),
    "mixed": spaces.Box(np.array([-1, -np.inf], np.float32), np.array([np.inf, 2], np.float32)),
    "double": spaces.Box(0.0, 1.0, (2, 2), np.float64),
    "image": spaces.Box(0, 255, (4, 5, 3), np.uint8),
    "signed": spaces.Box(-3, 4, (2,), np.int8),
    "discrete": spaces.Discrete(4),
    "shifted": spaces.Discrete(3, start=-2),
    "multi": spaces.MultiDiscrete([2, 5]),
    "binary": spaces.MultiBinary(3),
    "grid": spaces.MultiBinary([2, 3]),
    "dict": spaces.Dict({"b": spaces.Box(0, 1, (2,)), "a": spaces.Discrete(3, start=1)}),
    "tuple": spaces.Tuple([spaces.Discrete(2), spaces.Dict({"x": spaces.Box(0, 9, (1,), np.uint8)})]),
}


@pytest.fixture(params=SPACES)
def space(request):
    chosen = SPACES[request.param]
    chosen.seed(0)
    return chosen


def rows_of(space, num=5):
    return [space.sample() for _ in range(num)]


def test_a_round_trip_changes_nothing(space):
    rows = rows_of(space)
    batch = tools.batch_of(space, rows)
    again = tools.to_numpy(space, tools.to_tensor(space, batch))
    assert same(again, batch)
    for i, row in enumerate(rows):
        assert space.contains(tools.index(space, again, i))
        assert same(tools.index(space, batch, i), tools.map_space(space, lambda _, leaf: np.asarray(leaf)[()], row))


def test_tensors_own_their_memory(space):
    batch = tools.batch_of(space, rows_of(space))
    tensor = tools.to_tensor(space, batch)
    before = tools.to_numpy(space, tensor)
    tools.map_space(space, lambda _, leaf: leaf.fill(0), batch)
    assert same(tools.to_numpy(space, tensor), before)
    arrays = tools.to_numpy(space, tensor)
    tools.map_space(space, lambda _, leaf: leaf.fill(1), arrays)
    assert same(tools.to_numpy(space, tensor), before)


def test_a_space_survives_json(space):
    text = json.dumps(tools.space_to_json(space), allow_nan=False)
    again = tools.space_from_json(json.loads(text))
    assert again == space
    assert tools.space_to_json(again) == tools.space_to_json(space)


def test_flat_features_are_float32_and_as_many_as_said(space):
    tensor = tools.to_tensor(space, tools.batch_of(space, rows_of(space)))
    flat = tools.flatten(space, tensor)
    assert flat.shape == (5, tools.flat_dim(space))
    assert flat.dtype == torch.float32
    assert spaces.flatdim(space) == tools.flat_dim(space)


def test_zeros_are_neutral_elements_in_the_layout_of_the_space(space):
    zeros = tools.zeros(space, 2)
    assert same(
        tools.map_space(space, lambda _, leaf: leaf[:0], zeros),
        tools.map_space(space, lambda _, leaf: leaf[:0], tools.batch_of(space, rows_of(space))),
    )
    assert tools.to_tensor(space, zeros) is not None


def test_discrete_tensors_count_from_0():
    assert tools.to_tensor(SPACES["shifted"], np.array([-2, 0])).tolist() == [0, 2]
    assert tools.to_numpy(SPACES["shifted"], torch.tensor([0, 2])).tolist() == [-2, 0]
    assert tools.zeros(SPACES["shifted"], 1).tolist() == [-2]


def test_features_are_one_hot_for_discrete_values_and_in_unit_range_for_images():
    flat = tools.flatten(SPACES["tuple"], (torch.tensor([1]), {"x": torch.tensor([[51]], dtype=torch.uint8)}))
    assert flat.tolist() == [[0.0, 1.0, pytest.approx(0.2)]]
    assert tools.flatten(SPACES["multi"], torch.tensor([[1, 3]])).tolist() == [[0, 1, 0, 0, 0, 1, 0]]


def test_observations_are_rounded_and_cast_before_they_are_clipped():
    image = tools.to_numpy(SPACES["image"], torch.full((1, 4, 5, 3), 254.6))
    assert image.dtype == np.uint8
    assert (image == 255).all()
    beyond = tools.to_numpy(SPACES["image"], torch.tensor([-9.0, 300.0])[:, None].expand(2, 60))
    assert beyond.shape == (2, 4, 5, 3)  # flat values take the shape of the space
    assert (beyond[0].max(), beyond[1].min()) == (0, 255)
    box = tools.to_numpy(SPACES["box"], torch.tensor([[-5.0, 0.5, 5.0]], dtype=torch.float64))
    assert box.dtype == np.float32
    assert box.tolist() == [[-1.0, 0.5, 1.0]]


def test_gradients_are_left_behind():
    assert tools.to_numpy(SPACES["unbounded"], torch.ones(1, 2, requires_grad=True)).tolist() == [[1.0, 1.0]]


def test_put_writes_rows_in_place():
    batch = tools.zeros(SPACES["dict"], 3)
    tools.put(SPACES["dict"], batch, np.array([0, 2]), {"a": np.array([2, 3]), "b": np.ones((2, 2), np.float32)})
    assert batch["a"].tolist() == [2, 1, 3]
    assert batch["b"].tolist() == [[1, 1], [0, 0], [1, 1]]


def test_images_are_recognised():
    assert [name for name, space in SPACES.items() if tools.is_image(space)] == ["image"]


def test_a_value_that_lacks_a_part_is_an_error():
    with pytest.raises(ValueError, match=r"expected values laid out as Dict.*, which has no 'b'"):
        tools.to_tensor(SPACES["dict"], {"a": np.array([1])})
    with pytest.raises(ValueError, match=r"expected values laid out as Tuple.*, which has no 1"):
        tools.to_tensor(SPACES["tuple"], (np.array([1]),))


def test_an_unsupported_space_is_named_with_what_is_supported():
    with pytest.raises(UnsupportedSpaceError, match=r"ppo takes Box or Discrete action spaces, got MultiBinary\(3\)"):
        tools.check_space(SPACES["binary"], (spaces.Box, spaces.Discrete), what="action", who="ppo")
    tools.check_space(SPACES["box"], (spaces.Box,), what="action", who="sac")


def test_spaces_without_json_are_refused():
    with pytest.raises(UnsupportedSpaceError, match="cannot write Text spaces to a file"):
        tools.space_to_json(spaces.Text(3))
    with pytest.raises(ValueError, match="unknown space type 'Ball'"):
        tools.space_from_json({"type": "Ball"})
