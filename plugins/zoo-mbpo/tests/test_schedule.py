"""The length of rollouts by epoch, against the numbers of the paper."""

import pytest

from zoo_mbpo.schedule import RolloutSchedule


@pytest.mark.parametrize(
    ("epoch", "length"), [(0, 1), (20, 1), (29, 1), (30, 2), (85, 8), (140, 13), (149, 14), (150, 15), (10_000, 15)]
)
def test_hoppers_rollouts_grow_from_1_to_15_steps_over_epochs_20_to_150(epoch, length):
    assert RolloutSchedule(20, 150, 1, 15).length_at(epoch) == length


def test_a_schedule_of_one_length_is_constant():
    assert {RolloutSchedule(20, 150, 1, 1).length_at(epoch) for epoch in range(200)} == {1}


def test_rollouts_may_become_shorter():
    assert [RolloutSchedule(0, 4, 5, 1).length_at(epoch) for epoch in range(6)] == [5, 4, 3, 2, 1, 1]


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ((150, 20, 1, 15), "first_epoch < last_epoch, got first_epoch=150, last_epoch=20"),
        ((20, 20, 1, 15), "got first_epoch=20, last_epoch=20"),
        ((-1, 20, 1, 15), "first_epoch of the rollout schedule must be in"),
        ((20, 150, 0, 15), r"first_length of the rollout schedule must be in \[1, inf\), got 0"),
        ((20, 150, 1, 0), "last_length of the rollout schedule must be in"),
    ],
)
def test_a_schedule_out_of_order_is_refused(numbers, message):
    with pytest.raises(ValueError, match=message):
        RolloutSchedule(*numbers)
