"""Named random streams of one seed."""

import copy
import json
import random

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import nn

from zoo_core import packing, seeding


def test_streams_are_keyed_by_seed_and_name():
    seeds = {seeding.stream_seed(seed, name) for seed in range(50) for name in ("env", "fit", "dream")}
    assert len(seeds) == 150
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_the_seed_of_a_stream_never_changes():
    """Saved runs are resumed by these numbers."""
    assert seeding.stream_seed(0, "dream") == 5536016289432368430
    assert seeding.stream_seed(7, "starts-0") == 2344384325528266751


def test_a_stream_draws_the_same_again():
    draws = [torch.rand(3, generator=seeding.rng(1, "fit")).tolist() for _ in range(2)]
    assert draws[0] == draws[1]
    assert draws[0] != torch.rand(3, generator=seeding.rng(1, "env")).tolist()
    assert draws[0] != torch.rand(3, generator=seeding.rng(1)).tolist()
    assert seeding.numpy_rng(1, "fit").random() == seeding.numpy_rng(1, "fit").random()


def test_a_seed_below_0_is_refused():
    with pytest.raises(ValueError, match="expected non-negative integer"):
        seeding.stream_seed(-1, "env")


def test_fresh_seeds_differ_and_draw_from_no_generator():
    with_global = _globals()
    assert len({seeding.fresh_seed() for _ in range(20)}) == 20
    assert _globals() == with_global


def test_networks_depend_on_their_seed_alone():
    weights = []
    for noise in (0, 1):
        torch.manual_seed(noise)
        before = torch.get_rng_state()
        with seeding.construction_rng(3):
            weights.append(nn.Linear(2, 2).weight)
        assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(*weights)


def _globals():
    return random.random, random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002


def _draw():
    return random.random(), float(np.random.rand()), float(torch.rand(1))  # noqa: NPY002


def test_global_streams_go_on_from_block_to_block_and_leave_no_trace():
    before = _globals()
    streams = seeding.GlobalStreams(5)
    assert _globals() == before
    with streams:
        first = _draw()
    outside = _globals()
    with streams:
        second = _draw()
    assert _globals() == outside == before
    with seeding.GlobalStreams(5):
        assert (_draw(), _draw()) == (first, second)
    assert first != second


def test_two_learners_in_one_process_do_not_disturb_each_other():
    one, two = seeding.GlobalStreams(1), seeding.GlobalStreams(2)
    with one:
        with two:
            _draw()
        nested = _draw()
    with seeding.GlobalStreams(1):
        assert _draw() == nested


def test_global_streams_are_put_back_after_an_error():
    before = _globals()
    with pytest.raises(KeyError):
        _fail_inside()
    assert _globals() == before


def _fail_inside():
    with seeding.GlobalStreams(1):
        _draw()
        raise KeyError


def test_a_block_within_itself_is_a_mistake():
    streams = seeding.GlobalStreams(1)
    with streams, pytest.raises(AssertionError, match="do not nest"), streams:
        pass


def test_global_streams_go_on_from_a_checkpoint():
    one, two = seeding.GlobalStreams(1), seeding.GlobalStreams(2)
    with one:
        _draw()
    rest, tensors = packing.pack(one.to_checkpoint())
    two.load_checkpoint(packing.unpack(json.loads(json.dumps(rest)), tensors))
    with one:
        expected = [_draw() for _ in range(3)]
    with two:
        assert [_draw() for _ in range(3)] == expected


def test_the_streams_of_a_space_and_its_parts_go_on():
    space = spaces.Dict({"a": spaces.Discrete(9), "b": spaces.Tuple([spaces.Box(0, 1, (2,)), spaces.MultiBinary(3)])})
    space.seed(0)
    states = json.loads(json.dumps(seeding.space_streams(space)))
    expected = [space.sample() for _ in range(3)]
    again = copy.deepcopy(space)
    seeding.set_space_streams(again, states)
    assert repr([again.sample() for _ in range(3)]) == repr(expected)
