"""What followed each state and action: counted, step by step, in compiled code."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from zoo_core.errors import UnsupportedSpaceError

Array = np.ndarray[Any, Any]

MAX_OUTCOMES = 2**25  # S * A * K, of 25 bytes each: 800 MiB


class Outcomes(NamedTuple):
    """The different outcomes of every pair, in the order in which they were first seen.

    Attributes:
        next_state: `[S, A, K]` int64.
        count: `[S, A, K]` float64, how often; 0 where there is no outcome.
        reward: `[S, A, K]` float64, its mean.
        terminated: `[S, A, K]` bool.
    """

    next_state: Array
    count: Array  # type: ignore[assignment]  # tuple.count is of no use here
    reward: Array
    terminated: Array


def no_outcomes(num_states: int, num_actions: int, room: int = 1) -> Outcomes:
    """Returns empty arrays with room for so many outcomes a pair."""
    shape = (num_states, num_actions, room)
    return Outcomes(np.zeros(shape, np.int64), np.zeros(shape), np.zeros(shape), np.zeros(shape, bool))


def count_steps(
    outcomes: Outcomes, state: Array, action: Array, reward: Array, next_state: Array, terminated: Array
) -> tuple[Outcomes, bool]:
    """Counts steps `[N]`, in place where there is room for what is new, else in a larger copy.

    Returns:
        The outcomes, and whether there is one among them that was not there before.

    Raises:
        ValueError: a state or action is outside the table, or the arrays are not equally long; nothing is counted.
        UnsupportedSpaceError: a pair has more outcomes than there may be room for; steps before are counted.
    """
    _check_steps(outcomes, state, action, reward, next_state, terminated)
    done, new = 0, False
    while True:
        done, num_new = _count(*outcomes, state, action, reward, next_state, terminated, done)
        new = new or num_new > 0
        if done == len(state):
            return outcomes, new
        outcomes = _with_more_room(outcomes)


def keep_last(
    outcomes: Outcomes, state: Array, action: Array, reward: Array, next_state: Array, terminated: Array
) -> tuple[Outcomes, bool]:
    """Keeps, in place, the last outcome of each pair alone, as the model of Dyna-Q does; its count is of all tries.

    Returns:
        The outcomes, and whether one of them leads elsewhere than before.

    Raises:
        ValueError: as `count_steps`; nothing is kept.
    """
    _check_steps(outcomes, state, action, reward, next_state, terminated)
    return outcomes, _keep_last(*outcomes, state, action, reward, next_state, terminated) > 0


def _check_steps(
    outcomes: Outcomes, state: Array, action: Array, reward: Array, next_state: Array, terminated: Array
) -> None:
    """Compiled code would write into foreign memory."""
    if len({len(each) for each in (state, action, reward, next_state, terminated)}) > 1:
        raise ValueError("states, actions, rewards, next states and terminations must be equally many")
    num_states, num_actions, _ = outcomes.next_state.shape
    wrong = _first_outside(num_states, num_actions, state, action, next_state)
    if wrong < len(state):
        raise ValueError(
            f"steps must be in {num_states} states with {num_actions} actions, counted from 0, got one from state "
            f"{state[wrong]} by action {action[wrong]} to state {next_state[wrong]}"
        )


def _with_more_room(outcomes: Outcomes) -> Outcomes:
    """Returns a copy with twice the room, or all that there may be."""
    num_states, num_actions, room = outcomes.next_state.shape
    largest = MAX_OUTCOMES // (num_states * num_actions)
    if room >= largest:
        raise UnsupportedSpaceError(
            f"a pair has more than {room:,} different outcomes, and a table of {num_states:,} states and "
            f"{num_actions:,} actions has no room for more ({MAX_OUTCOMES:,} in all): take the model "
            "'lookup-deterministic', which keeps the last one alone, or an environment of fewer states"
        )
    more = no_outcomes(num_states, num_actions, min(2 * room, largest))
    for old, new in zip(outcomes, more, strict=True):
        new[..., :room] = old
    return more


@njit(cache=True)
def _first_outside(num_states: int, num_actions: int, state: Array, action: Array, next_state: Array) -> int:
    """Returns the first step that is outside the table, N if none is."""
    for i in range(len(state)):
        if not (0 <= state[i] < num_states and 0 <= action[i] < num_actions and 0 <= next_state[i] < num_states):
            return i
    return len(state)


@njit(cache=True)
def _count(
    kept_next: Array,
    kept_count: Array,
    kept_reward: Array,
    kept_terminated: Array,
    state: Array,
    action: Array,
    reward: Array,
    next_state: Array,
    terminated: Array,
    begin: int,
) -> tuple[int, int]:
    """Counts steps from `begin` on; returns the first for which there is no room, N if there was for all, and how many
    outcomes were new.
    """
    room, num_new = kept_next.shape[2], 0
    for i in range(begin, len(state)):
        s, a = state[i], action[i]
        k = 0
        while k < room and kept_count[s, a, k] > 0.0:
            if kept_next[s, a, k] == next_state[i] and kept_terminated[s, a, k] == terminated[i]:
                break
            k += 1
        if k == room:
            return i, num_new
        num_new += kept_count[s, a, k] == 0.0
        kept_next[s, a, k], kept_terminated[s, a, k] = next_state[i], terminated[i]
        kept_count[s, a, k] += 1.0
        kept_reward[s, a, k] += (reward[i] - kept_reward[s, a, k]) / kept_count[s, a, k]
    return len(state), num_new


@njit(cache=True)
def _keep_last(
    kept_next: Array,
    kept_count: Array,
    kept_reward: Array,
    kept_terminated: Array,
    state: Array,
    action: Array,
    reward: Array,
    next_state: Array,
    terminated: Array,
) -> int:
    """Keeps the last outcomes; returns how often one was not what it was before."""
    num_new = 0
    for i in range(len(state)):
        s, a = state[i], action[i]
        same = kept_next[s, a, 0] == next_state[i] and kept_terminated[s, a, 0] == terminated[i]
        num_new += kept_count[s, a, 0] == 0.0 or not same
        kept_next[s, a, 0], kept_terminated[s, a, 0] = next_state[i], terminated[i]
        kept_reward[s, a, 0] = reward[i]
        kept_count[s, a, 0] += 1.0
    return num_new
