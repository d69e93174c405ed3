"""The replay of positions: first in, first out, in bits, and in segments."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

import zoo_core
from zoo_alphazero.replay import PositionReplay, Positions
from zoo_core.errors import CheckpointError

VIEW = spaces.Box(0, 1, (2, 3, 1), np.int8)
NUM_ACTIONS = 3


def positions(*numbers):
    """Positions that can be told apart by their outcome, which is their number."""
    rng = np.random.default_rng(list(numbers))
    num = len(numbers)
    planes = rng.integers(0, 2, (num, *VIEW.shape), np.int8)
    legal = rng.random((num, NUM_ACTIONS)) < 0.5
    return Positions(planes, legal, np.full((num, NUM_ACTIONS), 0.25, np.float32), np.array(numbers, np.float32))


def make(capacity=4, view=VIEW):
    return PositionReplay(view, NUM_ACTIONS, capacity)


def kept(replay):
    return replay.newest(len(replay)).outcome.tolist()


def test_what_goes_in_comes_out():
    replay, given = make(), positions(1, 2, 3)
    replay.add(given)
    for stored, original in zip(replay.newest(3), given, strict=True):
        np.testing.assert_array_equal(stored, original)


def test_the_oldest_go_first():
    replay = make(capacity=4)
    for number in range(7):
        replay.add(positions(number))
    assert kept(replay) == [3, 4, 5, 6]


def test_of_more_than_there_is_room_for_the_newest_stay():
    replay = make(capacity=3)
    replay.add(positions(0, 1))
    replay.add(positions(*range(2, 9)))
    assert kept(replay) == [6, 7, 8]
    assert replay.num_added == 9


def test_planes_of_zeros_and_ones_take_a_bit_a_cell():
    assert PositionReplay.row_bytes(spaces.Box(0, 1, (8, 8, 111), bool), 8) == 888 + 1 + 2 * 8 + 4


def test_other_planes_stay_as_they_are():
    view = spaces.Box(-1.0, 1.0, (2,), np.float32)
    replay = make(view=view)
    legal = np.ones((1, NUM_ACTIONS), bool)
    replay.add(Positions(np.array([[0.25, -0.7]], np.float32), legal, np.zeros((1, NUM_ACTIONS)), np.zeros(1)))
    assert replay.newest(1).planes.tolist() == [[0.25, np.float32(-0.7)]]


def test_a_sample_is_drawn_from_all_and_depends_on_the_stream_alone():
    replay = make(capacity=4)
    replay.add(positions(*range(6)))
    drawn = replay.sample(200, rng=zoo_core.rng(0)).outcome
    assert set(drawn.tolist()) == {2, 3, 4, 5}
    np.testing.assert_array_equal(drawn, replay.sample(200, rng=zoo_core.rng(0)).outcome)


def test_segments_restore_what_was_kept_and_what_is_drawn():
    replay, segments, mark = make(capacity=5), [], None
    for numbers in ((0, 1), (2, 3, 4), (), (5, 6)):
        if numbers:
            replay.add(positions(*numbers))
        segments.append(replay.since(mark))
        mark = replay.mark()
    restored = make(capacity=5)
    restored.restore([segment for segment in segments if replay.needs(segment[0])])
    assert kept(restored) == kept(replay) == [2, 3, 4, 5, 6]
    assert restored.num_added == 7
    np.testing.assert_array_equal(*(each.sample(50, rng=zoo_core.rng(0)).outcome for each in (replay, restored)))


def test_a_segment_holds_only_what_is_new():
    replay = make()
    replay.add(positions(0, 1))
    mark = replay.mark()
    replay.add(positions(2))
    assert replay.since(mark)[1]["outcome"].tolist() == [2]


def test_a_segment_whose_positions_are_gone_is_not_needed():
    replay = make(capacity=2)
    replay.add(positions(0, 1))
    description, _ = replay.since(None)
    assert replay.needs(description)
    replay.add(positions(2, 3))
    assert not replay.needs(description)


def test_a_segment_of_another_game_is_refused():
    other = PositionReplay(VIEW, 9, 4)
    other.add(Positions(np.zeros((1, *VIEW.shape)), np.ones((1, 9), bool), np.zeros((1, 9)), np.zeros(1)))
    with pytest.raises(
        CheckpointError, match=r"legal of a segment of positions must be uint8 \[1\] a row, got uint8 \[2"
    ):
        make().restore([other.since(None)])


def test_missing_segments_are_noticed():
    replay = make()
    replay.add(positions(0, 1, 2))
    description, tensors = replay.since(None)
    with pytest.raises(CheckpointError, match="3 of 3 were kept, 2 are left"):
        make().restore([(description, {name: tensor[1:] for name, tensor in tensors.items()})])


def test_restoring_nothing_empties_it():
    replay = make()
    replay.add(positions(0, 1))
    replay.restore([])
    assert len(replay) == replay.num_added == 0
    replay.add(positions(5))
    assert torch.equal(replay.since(None)[1]["outcome"], torch.tensor([5.0]))
