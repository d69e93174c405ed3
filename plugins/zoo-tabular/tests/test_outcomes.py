"""The compiled counting against a dict of counters, on any data."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, strategies as st

from zoo_core.errors import UnsupportedSpaceError
from zoo_tabular import outcomes as module
from zoo_tabular.outcomes import Outcomes, count_steps, keep_last, no_outcomes

STATES, ACTIONS = 4, 2

step = st.tuples(
    st.integers(0, STATES - 1),
    st.integers(0, ACTIONS - 1),
    st.integers(-50, 50).map(float),
    st.integers(0, STATES - 1),
    st.booleans(),
)
any_steps = st.lists(step, max_size=60)


def columns(steps):
    dtypes = (np.int64, np.int64, np.float64, np.int64, np.bool_)
    return tuple(np.array([each[i] for each in steps], dtype) for i, dtype in enumerate(dtypes))


def counted(steps, room=1):
    return count_steps(no_outcomes(STATES, ACTIONS, room), *columns(steps))


def as_dict(outcomes):
    """Returns {(state, action): {(next_state, terminated): (count, mean reward)}}."""
    found = defaultdict(dict)
    for state, action, k in zip(*np.nonzero(outcomes.count), strict=True):
        place = state, action, k
        key = int(outcomes.next_state[place]), bool(outcomes.terminated[place])
        assert key not in found[state, action], "an outcome has two places"
        found[state, action][key] = outcomes.count[place], pytest.approx(outcomes.reward[place])
    return dict(found)


def reference(steps):
    rewards = defaultdict(lambda: defaultdict(list))
    for state, action, reward, next_state, terminated in steps:
        rewards[state, action][next_state, terminated].append(reward)
    return {
        pair: {key: (len(seen), sum(seen) / len(seen)) for key, seen in outcomes.items()}
        for pair, outcomes in rewards.items()
    }


@given(any_steps)
def test_counts_and_mean_rewards_are_those_of_a_dict(steps):
    assert as_dict(counted(steps)[0]) == reference(steps)


@given(any_steps)
def test_outcomes_lie_in_the_order_in_which_they_were_first_seen_without_gaps(steps):
    outcomes, _ = counted(steps)
    for pair, expected in reference(steps).items():
        num = len(expected)
        assert list(zip(outcomes.next_state[pair], outcomes.terminated[pair], strict=True))[:num] == list(expected)
        assert not outcomes.count[pair][num:].any()


@given(any_steps, st.integers(0, 60))
def test_counting_in_two_calls_is_counting_in_one(steps, cut):
    first, _ = counted(steps[:cut])
    both, _ = count_steps(first, *columns(steps[cut:]))
    for one, other in zip(both, counted(steps)[0], strict=True):
        np.testing.assert_array_equal(one, other)


@given(any_steps, st.randoms(use_true_random=False))
def test_the_order_of_steps_changes_no_count(steps, source):
    shuffled = list(steps)
    source.shuffle(shuffled)
    assert as_dict(counted(shuffled)[0]) == as_dict(counted(steps)[0])


@given(any_steps, any_steps)
def test_counting_says_whether_an_outcome_is_new(before, after):
    def outcomes(steps):
        return {(pair, key) for pair, outcomes in reference(steps).items() for key in outcomes}

    known, _ = counted(before)
    assert count_steps(known, *columns(after))[1] == bool(outcomes(after) - outcomes(before))


def test_what_needs_no_more_room_is_counted_in_place():
    outcomes = no_outcomes(STATES, ACTIONS, room=2)
    assert count_steps(outcomes, *columns([(0, 0, 1.0, 1, False), (0, 0, 1.0, 2, False)]))[0] is outcomes
    larger, _ = count_steps(outcomes, *columns([(0, 0, 1.0, 3, False)]))
    assert larger.next_state.shape == (STATES, ACTIONS, 4)
    assert outcomes.next_state.shape == (STATES, ACTIONS, 2)


def test_one_busy_pair_gets_no_more_room_than_there_is(monkeypatch):
    """Of 8 pairs, with room for 27 outcomes in all: 3 a pair, although 4 would be twice 2."""
    monkeypatch.setattr(module, "MAX_OUTCOMES", 27)
    steps = [(0, 0, 1.0, next_state, False) for next_state in range(STATES)]
    kept, _ = counted(steps[:3])
    assert kept.next_state.shape == (STATES, ACTIONS, 3)
    assert as_dict(kept) == reference(steps[:3])
    message = r"more than 3 different .* 4 states and 2 actions has no room .*\(27 in all\): take the model 'lookup-det"
    with pytest.raises(UnsupportedSpaceError, match=message):
        count_steps(kept, *columns(steps))
    assert kept.count[0, 0].tolist() == [2, 2, 2]  # those before it


def test_an_end_is_another_outcome_than_going_on_in_the_same_state():
    outcomes, _ = counted([(0, 0, 1.0, 1, True), (0, 0, 3.0, 1, False), (0, 0, 5.0, 1, False)])
    assert as_dict(outcomes) == {(0, 0): {(1, True): (1, 1.0), (1, False): (2, 4.0)}}


@given(any_steps)
def test_the_last_outcome_of_each_pair_is_kept_and_its_tries_are_counted(steps):
    outcomes, _ = keep_last(no_outcomes(STATES, ACTIONS), *columns(steps))
    last, tries = {}, defaultdict(int)
    for state, action, reward, next_state, terminated in steps:
        last[state, action] = (next_state, terminated), reward
        tries[state, action] += 1
    assert as_dict(outcomes) == {pair: {key: (tries[pair], reward)} for pair, (key, reward) in last.items()}


@pytest.mark.parametrize(
    ("outcome", "is_new"),
    [((1, False), False), ((2, False), True), ((1, True), True)],
    ids=["as before", "elsewhere", "an end"],
)
def test_keeping_says_whether_an_outcome_has_changed(outcome, is_new):
    outcomes = no_outcomes(STATES, ACTIONS)
    assert keep_last(outcomes, *columns([(3, 1, 0.0, 1, False)]))[1]
    assert keep_last(outcomes, *columns([(3, 1, 5.0, *outcome)]))[1] == is_new


def test_the_first_outcome_of_a_pair_is_new_even_if_it_looks_like_none():
    """The table is full of zeros to begin with: that leads to state 0, and goes on."""
    for add in (count_steps, keep_last):
        assert add(no_outcomes(STATES, ACTIONS), *columns([(0, 0, 0.0, 0, False)]))[1]


@pytest.mark.parametrize("add", [count_steps, keep_last])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ((STATES, 0, 0.0, 0, False), "from state 4 by action 0 to state 0"),
        ((-1, 0, 0.0, 0, False), "from state -1 by action 0 to state 0"),
        ((0, ACTIONS, 0.0, 0, False), "from state 0 by action 2 to state 0"),
        ((0, -1, 0.0, 0, False), "from state 0 by action -1 to state 0"),
        ((0, 0, 0.0, STATES, False), "from state 0 by action 0 to state 4"),
        ((0, 0, 0.0, -1, False), "from state 0 by action 0 to state -1"),
    ],
)
def test_a_step_outside_the_table_is_refused_and_none_is_counted(add, wrong, message):
    outcomes = no_outcomes(STATES, ACTIONS)
    with pytest.raises(ValueError, match=f"4 states with 2 actions, counted from 0, got one {message}"):
        add(outcomes, *columns([(0, 0, 1.0, 1, False), wrong]))
    assert not any(values.any() for values in outcomes)


@pytest.mark.parametrize("add", [count_steps, keep_last])
@pytest.mark.parametrize("short", range(5))
def test_columns_of_different_lengths_are_refused(add, short):
    steps = list(columns([(0, 0, 1.0, 1, False)] * 3))
    steps[short] = steps[short][:2]
    with pytest.raises(ValueError, match="must be equally many"):
        add(no_outcomes(STATES, ACTIONS), *steps)


def test_no_steps_change_nothing():
    outcomes, is_new = counted([])
    assert not is_new
    assert isinstance(outcomes, Outcomes)
    assert not any(values.any() for values in outcomes)
