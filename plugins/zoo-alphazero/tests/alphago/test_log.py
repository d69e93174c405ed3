"""What grows is written bit by bit, and comes back whole."""

import numpy as np
import pytest

from zoo_alphazero.alphago.log import Log
from zoo_core.errors import CheckpointError


def make():
    return Log(flat=np.zeros(0, np.int32), wide=np.zeros((0, 2), np.float32))


def test_segments_put_together_are_the_whole():
    log, segments, mark = make(), [], None
    for i in range(3):
        log.add(flat=np.full(i, i), wide=np.full((1, 2), i))
        segments.append(log.since(mark))
        mark = log.mark()
    again = make()
    again.restore(segments)
    assert again["flat"].tolist() == log["flat"].tolist() == [1, 2, 2]
    assert again["wide"].tolist() == log["wide"].tolist()
    assert [len(tensors["flat"]) for _, tensors in segments] == [0, 1, 2]


def test_what_was_forgotten_is_not_needed_any_more():
    log = make()
    log.add(flat=np.arange(3))
    mark, before = log.mark(), log.since(None)
    log.clear()
    log.add(flat=np.arange(5))
    after = log.since(mark)
    assert [log.needs(before[0]), log.needs(after[0])] == [False, True]
    assert after[1]["flat"].tolist() == [0, 1, 2, 3, 4]


def test_rows_of_another_kind_are_refused():
    other = Log(flat=np.zeros(0, np.int64), wide=np.zeros((0, 2), np.float32))
    with pytest.raises(CheckpointError, match="'flat' is missing, or its rows are not int32"):
        make().restore([other.since(None)])
