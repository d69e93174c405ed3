"""Trajectories: what is drawn, how often, with which targets, and what is written."""

import numpy as np
import pytest
import torch

import zoo_core
from zoo_core import CheckpointError
from zoo_muzero.targets import CUT, GOES_ON, TERMINATED
from zoo_muzero.trajectories import LEAST_PRIORITY, Rows, Trajectories

A = 3


def make(**options):
    settings = {"num_envs": 1, "capacity": 1_000, "gamma": 0.5, "td_steps": 2, "unroll_steps": 3, **options}
    return Trajectories((1,), np.dtype(np.float32), A, **settings)


def rows(after, *, reward=None, value=None, player=None, policy=None, start=0, first=None):
    """Rows of one stream; the frame is the number of the row."""
    num = len(after)
    begins = [True, *(each != GOES_ON for each in after[:-1])]
    return Rows(
        frame=np.arange(start, start + num, dtype=np.float32)[None, :, None],
        action=np.arange(start, start + num)[None] % A,
        reward=np.array([reward or [1.0] * num], np.float32),
        policy=np.array([policy or [[1.0, 0.0, 0.0]] * num], np.float32),
        value=np.array([value or [0.0] * num], np.float32),
        player=np.array([player or [0] * num], np.int8),
        after=np.array([after], np.int8),
        first=np.array([first or begins]),
    )


def filled(*parts, **options):
    found = make(**options)
    for part in parts:
        found.add(part)
    found.settle()
    return found


def unrolled(trajectories, number):
    return trajectories.unroll(np.array([0]), np.array([number]), rng=zoo_core.rng(0))


def test_five_targets_that_overrun_a_terminal_are_absorbing():
    """Three steps with rewards 1, 2, 4 and γ = 1/2, unrolled by 3 from the second: the hand example."""
    found = filled(rows([GOES_ON, GOES_ON, TERMINATED, GOES_ON], reward=[1, 2, 4, 8]))
    batch = unrolled(found, 1)
    assert batch.value[0].tolist() == [2 + 0.5 * 4, 4, 0, 0]
    assert batch.reward[0].tolist() == [2, 4, 0]
    torch.testing.assert_close(batch.policy[0], torch.tensor([[1, 0, 0], [1, 0, 0], [1 / 3] * 3, [1 / 3] * 3]))
    assert batch.known[0].tolist() == [True] * 4
    assert batch.action[0, :2].tolist() == [1, 2]


def test_what_follows_a_cut_is_not_known():
    found = filled(rows([GOES_ON, GOES_ON, CUT, GOES_ON], reward=[1, 2, 4, 8], value=[0, 0, 6, 0]))
    batch = unrolled(found, 1)
    assert batch.value[0, :2].tolist() == [2 + 0.5 * 6, 6]
    assert batch.known[0].tolist() == [True, True, False, False]


def test_actions_after_the_end_are_random():
    found = filled(rows([TERMINATED] + [GOES_ON] * 3), unroll_steps=3)
    batch = found.unroll(np.zeros(300, int), np.zeros(300, int), rng=zoo_core.rng(0))
    assert batch.action[:, 0].tolist() == [0] * 300
    assert (batch.action[:, 1:].flatten().bincount() > 150).all()


def test_values_can_be_those_of_a_network():
    found = filled(rows([GOES_ON] * 8, value=[9] * 8))
    batch = found.unroll(np.array([0]), np.array([1]), rng=zoo_core.rng(0), evaluate=lambda frames, _: frames[:, 0, 0])
    assert batch.value[0].tolist() == [1.5 + 0.25 * row for row in (3, 4, 5, 6)]  # the frame of row t + 2 is its number


def test_only_positions_whose_targets_are_all_known_are_drawn():
    """With n = 2 and K = 3, those of the first four of nine rows; a position at which an episode was cut is not."""
    assert filled(rows([GOES_ON] * 9)).num_ready == 4
    assert filled(rows([GOES_ON] * 4 + [CUT])).num_ready == 4
    assert filled(rows([GOES_ON] * 4 + [TERMINATED])).num_ready == 5


def test_to_the_end_nothing_is_drawn_from_an_episode_that_runs():
    found = filled(rows([GOES_ON] * 30), td_steps=0)
    assert found.num_ready == 0
    with pytest.raises(ValueError, match="no position can be drawn yet"):
        found.sample(4, rng=zoo_core.rng(0))


def test_positions_are_drawn_in_proportion_to_how_wrong_the_search_was():
    """|ν - z| is 1, 2, 4 and 0 in four games of one move; the last has the least priority."""
    found = filled(rows([TERMINATED] * 4, reward=[1] * 4, value=[0, -1, 5, 1]), alpha=1.0)
    batch = found.sample(20_000, rng=zoo_core.rng(0))
    shares = batch.frames.flatten().long().bincount(minlength=4) / 20_000
    total = 7 + LEAST_PRIORITY
    expected = torch.tensor([1, 2, 4, LEAST_PRIORITY]) / total
    torch.testing.assert_close(shares, expected, atol=0.01, rtol=0.0)


def test_importance_weights_undo_the_priorities():
    found = filled(rows([TERMINATED] * 3, reward=[1] * 3, value=[0, -1, 5]), alpha=1.0, beta=1.0)
    batch = found.sample(2_000, rng=zoo_core.rng(0))
    which = batch.frames.flatten().long()
    weights = [batch.weight[which == i].unique().tolist() for i in range(3)]
    assert weights == [[1.0], [0.5], [0.25]]  # over the greatest
    sums = [batch.weight[which == i].sum().item() for i in range(3)]
    assert max(sums) / min(sums) < 1.15


def test_alpha_zero_draws_alike_and_weighs_alike():
    found = filled(rows([TERMINATED] * 3, value=[0, 50, -9]), alpha=0.0)
    batch = found.sample(6_000, rng=zoo_core.rng(0))
    assert (batch.frames.flatten().long().bincount() > 1_850).all()
    assert (batch.weight == 1.0).all()


def test_the_oldest_rows_go_first():
    found = filled(rows([TERMINATED] * 6), rows([TERMINATED] * 5, start=6), capacity=4)
    assert len(found) == 4
    assert set(found.sample(100, rng=zoo_core.rng(0)).frames.flatten().tolist()) == {7, 8, 9, 10}


def test_history_is_that_of_the_episode_and_blank_before_it():
    after = [GOES_ON, TERMINATED, GOES_ON, GOES_ON, GOES_ON]
    found = filled(rows(after, start=1), history=3)
    frames, actions = found.last_observations(np.array([0, 0]), np.array([3, 4]), "cpu")
    assert frames[..., 0].tolist() == [[0, 3, 4], [3, 4, 5]]
    assert actions.tolist() == [[-1, 0], [0, 1]]  # action of the row with frame f is f % 3


def test_segments_give_back_the_same_draws():
    found, segments, mark = make(capacity=7), [], None
    for start in (0, 4):
        found.add(rows([GOES_ON, TERMINATED, GOES_ON, GOES_ON], value=[3, 1, 2, 0], start=start))
        found.cut()
        segments.append(found.since(mark))
        mark = found.mark()
    again = make(capacity=7)
    again.restore(segments)
    draws = [each.sample(50, rng=zoo_core.rng(0)) for each in (found, again)]
    for first, second in zip(*draws, strict=True):
        assert first is second is None or torch.equal(first, second)


def test_segments_of_which_nothing_is_left_are_not_needed():
    found, segments, mark = make(capacity=4), [], None
    for start in (0, 2, 4):
        found.add(rows([TERMINATED] * 2, start=start))
        found.cut()
        segments.append(found.since(mark)[0])
        mark = found.mark()
    assert [found.needs(each) for each in segments] == [False, True, True]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d, t: t.update(policy=t["policy"][:, :2]), r"'policy' of trajectories must be torch.float32 \[3, 3\]"),
        (lambda d, t: t.pop("after"), r"'after' of trajectories must be torch.int8 \[3\], got nothing"),
        (lambda d, t: d.update(end=-5), "segments of trajectories are missing"),
    ],
)
def test_a_damaged_segment_is_refused(change, message):
    description, tensors = filled(rows([TERMINATED] * 3)).since(None)
    change(description, tensors)
    with pytest.raises(CheckpointError, match=message):
        make().restore([(description, tensors)])
