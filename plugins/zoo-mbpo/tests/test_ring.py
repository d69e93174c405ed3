"""The ring of dreams: what is kept, what is drawn, what is written."""

import pytest
import torch

from zoo_core import CheckpointError
from zoo_mbpo.ring import Ring


def make_ring(capacity):
    return Ring(2, device=torch.device("cpu"), capacity=capacity)


def rows(*values):
    return torch.tensor([[float(value), -float(value)] for value in values])


def kept(ring):
    """What is in it, the oldest first."""
    return ring.newest(len(ring))[:, 0].tolist()


@pytest.mark.parametrize("batches", [[range(3), range(3, 7)], [range(2), range(2, 4), range(4, 7)], [range(7)]])
def test_the_oldest_go_first(batches):
    ring = make_ring(5)
    for batch in batches:
        ring.add(rows(*batch))
    assert kept(ring) == [2, 3, 4, 5, 6]
    assert (len(ring), ring.num_added) == (5, 7)


def test_only_what_is_kept_is_drawn_and_all_of_it_equally_often():
    ring = make_ring(10)
    ring.add(rows(*range(8)))
    ring.add(rows(*range(8, 14)))
    torch.manual_seed(0)
    drawn = ring.sample(10_000)[:, 0].long().bincount(minlength=14)
    assert drawn[:4].tolist() == [0, 0, 0, 0]
    assert drawn[4:].min() > 900
    assert drawn[4:].max() < 1_100


def test_a_ring_that_is_not_full_gives_no_row_that_was_never_written():
    ring = make_ring(1_000)
    ring.add(rows(1, 2))
    assert set(ring.sample(200)[:, 0].tolist()) == {1, 2}


@pytest.mark.parametrize(("capacity", "left"), [(8, [2, 3, 4, 5, 6]), (3, [4, 5, 6]), (0, [])])
def test_the_newest_stay_when_it_becomes_larger_or_smaller(capacity, left):
    ring = make_ring(5)
    ring.add(rows(*range(7)))
    ring.resize(capacity)
    assert kept(ring) == left
    ring.add(rows(7, 8))
    assert kept(ring) == [*left, 7, 8][len(left) + 2 - min(capacity, len(left) + 2) :]


def test_segments_give_back_what_was_kept_though_its_size_changed_between_them():
    ring, segments, mark = make_ring(4), [], None

    def record():
        nonlocal mark
        segments.append(ring.since(mark))
        mark = ring.mark()

    ring.add(rows(*range(4)))
    record()
    ring.add(rows(4, 5))  # 0 and 1 go
    ring.resize(8)
    ring.add(rows(6))
    record()
    assert segments[1][1]["rows"][:, 0].tolist() == [4, 5, 6]
    again = make_ring(0)
    again.restore(segments)
    assert kept(again) == kept(ring) == [2, 3, 4, 5, 6]
    assert again.num_added == 7
    for each in (ring, again):
        each.resize(8)
        each.add(rows(*range(7, 13)))
    assert kept(again) == kept(ring)


def test_the_same_rows_are_drawn_wherever_they_lie():
    ring, again = make_ring(5), make_ring(5)
    for batch in (range(4), range(4, 7)):
        ring.add(rows(*batch))
    again.restore([ring.since(None)])
    drawn = []
    for each in (ring, again):
        torch.manual_seed(0)
        drawn.append(each.sample(20))
    assert torch.equal(*drawn)


def test_segments_of_which_nothing_is_left_are_not_needed():
    ring, segments, mark = make_ring(4), [], None
    for batch in (range(2), range(2, 5), range(5, 8)):
        ring.add(rows(*batch))
        segments.append(ring.since(mark))
        mark = ring.mark()
    assert [ring.needs(description) for description, _ in segments] == [False, True, True]
    again = make_ring(0)
    again.restore(segments[1:])
    assert kept(again) == kept(ring) == [4, 5, 6, 7]


def test_no_segments_empty_it():
    ring = make_ring(4)
    ring.add(rows(1, 2))
    ring.restore([])
    assert (len(ring), ring.num_added) == (0, 0)


def test_the_size_of_a_ring_is_not_taken_from_a_file():
    ring, again = make_ring(4), make_ring(0)
    ring.add(rows(1, 2, 3))
    description, tensors = ring.since(None)
    again.restore([({**description, "capacity": 10**13}, tensors)])
    assert again.capacity == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d, t: t.update(rows=t["rows"][:, :1]), r"float32 rows of 2, got torch.float32 \[3, 1\]"),
        (lambda d, t: t.update(rows=t["rows"].double()), "got torch.float64"),
        (
            lambda d, t: t.update(rows=t["rows"][:1]),
            "segments of dreams are missing: 3 of 3 rows were kept, 1 are left",
        ),
        (lambda d, t: d.update(kept=-1), "are missing"),
        (lambda d, t: d.update(kept=10**13, added=10**13), "10000000000000 rows were kept, 3 are left"),
        (lambda d, t: d.update(added=-5), "3 of -5 rows were kept"),
    ],
)
def test_a_damaged_segment_is_refused(change, message):
    ring = make_ring(4)
    ring.add(rows(1, 2, 3))
    description, tensors = ring.since(None)
    change(description, tensors)
    with pytest.raises(CheckpointError, match=message):
        make_ring(0).restore([(description, tensors)])
