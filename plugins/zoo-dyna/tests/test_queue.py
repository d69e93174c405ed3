"""The priority queue, and the index of what leads where, against plain Python."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import floats, integers, lists, none, one_of, tuples

from zoo_dyna.sweeping import empty_queue, filled_queue, pop, predecessors, push

NUM_PAIRS = 12
URGENCIES = one_of(floats(0.0, 10.0), integers(0, 3).map(float))  # some alike
PUSHES = tuples(integers(0, NUM_PAIRS - 1), URGENCIES)
OPERATIONS = lists(one_of(PUSHES, PUSHES, none()), max_size=60)  # None takes one out


def run(operations):
    """Returns the queue, and what must be in it: priorities by pair."""
    queue, expected = empty_queue(NUM_PAIRS), {}
    for operation in operations:
        if operation is not None:
            pair, urgency = operation
            push(pair, urgency, *queue)
            expected[pair] = max(urgency, expected.get(pair, 0.0))
        elif expected:
            pair = pop(*queue)
            assert expected[pair] == max(expected.values())
            del expected[pair]
    return queue, expected


@given(OPERATIONS)
def test_the_most_urgent_pair_leaves_first(operations):
    queue, expected = run(operations)
    left = [expected[pop(*queue)] for _ in range(len(expected))]
    assert left == sorted(expected.values(), reverse=True)
    assert queue.size[0] == 0


@given(OPERATIONS)
def test_each_pair_is_in_the_queue_once_and_knows_its_place(operations):
    queue, expected = run(operations)
    pairs = queue.heap[: queue.size[0]]
    assert sorted(pairs) == sorted(expected)
    np.testing.assert_array_equal(queue.place[pairs], np.arange(len(pairs)))
    assert (queue.place >= 0).sum() == len(pairs)


@given(OPERATIONS)
def test_the_higher_of_two_priorities_counts(operations):
    queue, expected = run(operations)
    assert {pair: queue.priority[pair] for pair in expected} == expected


@given(OPERATIONS)
def test_a_queue_that_is_filled_anew_goes_on_as_it_was(operations):
    queue, expected = run(operations)
    pairs = queue.heap[: queue.size[0]].copy()
    again = filled_queue(NUM_PAIRS, pairs, queue.priority[pairs].copy())
    assert [pop(*again) for _ in expected] == [pop(*queue) for _ in expected]


def test_a_full_queue_holds_every_pair():
    queue = empty_queue(NUM_PAIRS)
    for pair in range(NUM_PAIRS):
        push(pair, float(pair % 5), *queue)
    assert sorted(pop(*queue) for _ in range(NUM_PAIRS)) == list(range(NUM_PAIRS))


@pytest.mark.parametrize("seed", range(5))
def test_predecessors_are_the_pairs_that_lead_to_a_state_and_go_on(seed):
    source, shape = np.random.default_rng(seed), (5, 3, 4)
    next_state = np.stack([source.permutation(5)[:4] for _ in range(15)]).reshape(shape)  # one outcome leads to a state
    count, terminated = source.integers(3, size=shape).astype(float), source.random(shape) < 0.3
    first, pairs = predecessors(next_state, count, terminated)
    assert len(pairs) == first[-1]
    for state in range(5):
        leads = ((next_state == state) & (count > 0.0) & ~terminated).any(-1)
        assert pairs[first[state] : first[state + 1]].tolist() == np.flatnonzero(leads).tolist()
