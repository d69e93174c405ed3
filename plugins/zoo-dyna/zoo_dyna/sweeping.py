"""The compiled part of prioritized sweeping: a priority queue of pairs, which of them lead where, and the sweep.

In one file, since numba would not notice that a function of another file has changed, and would go on with what it has
cached of it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

Array = np.ndarray[Any, Any]


class Queue(NamedTuple):
    """A binary heap that knows where each pair is, as arrays that compiled loops share.

    Pairs are numbers `state * A + action`.

    Attributes:
        heap: `[S * A]` int64, the pairs in the queue; each goes before those at `2 i + 1` and `2 i + 2`.
        place: `[S * A]` int64, where each pair is in the heap; -1 where it is not.
        priority: `[S * A]` float64, of the pairs in the queue.
        size: `[1]` int64, how many there are.
    """

    heap: Array
    place: Array
    priority: Array
    size: Array


def empty_queue(num_pairs: int) -> Queue:
    """Returns a queue with room for all pairs."""
    nothing = np.zeros(num_pairs, np.int64)
    return Queue(nothing, np.full(num_pairs, -1), np.zeros(num_pairs), np.zeros(1, np.int64))


def filled_queue(num_pairs: int, pairs: Array, priorities: Array) -> Queue:
    """Returns a queue whose heap holds `pairs` in this order."""
    queue = empty_queue(num_pairs)
    queue.heap[: len(pairs)], queue.priority[pairs] = pairs, priorities
    queue.place[pairs], queue.size[0] = np.arange(len(pairs)), len(pairs)
    return queue


@njit(cache=True)
def push(pair: int, urgency: float, heap: Array, place: Array, priority: Array, size: Array) -> None:
    """Puts a pair into the queue; if it is there already, the higher priority counts."""
    if place[pair] < 0:
        place[pair] = size[0]
        heap[size[0]] = pair
        size[0] += 1
    elif urgency <= priority[pair]:
        return
    priority[pair] = urgency
    i = place[pair]
    while i > 0:
        parent = (i - 1) // 2
        if priority[heap[parent]] >= urgency:
            break
        heap[i], place[heap[parent]] = heap[parent], i
        i = parent
    heap[i], place[pair] = pair, i


@njit(cache=True)
def pop(heap: Array, place: Array, priority: Array, size: Array) -> int:
    """Takes the pair of the highest priority out of a queue that is not empty."""
    first = heap[0]
    place[first] = -1
    size[0] -= 1
    if size[0] == 0:
        return int(first)
    moved = heap[size[0]]
    i = 0
    while 2 * i + 1 < size[0]:
        child = 2 * i + 1
        if child + 1 < size[0] and priority[heap[child + 1]] > priority[heap[child]]:
            child += 1
        if priority[heap[child]] <= priority[moved]:
            break
        heap[i], place[heap[child]] = heap[child], i
        i = child
    heap[i], place[moved] = moved, i
    return int(first)


@njit(cache=True)
def expected_backup(
    q: Array,
    outcome_next: Array,
    outcome_count: Array,
    outcome_reward: Array,
    outcome_terminated: Array,
    state: int,
    action: int,
    gamma: float,
) -> float:
    """Returns the expectation of the reward and the discounted best value after it, over the outcomes of a pair."""
    total = backup = 0.0
    for k in range(outcome_count.shape[2]):
        count = outcome_count[state, action, k]
        if count == 0.0:
            continue
        value = outcome_reward[state, action, k]
        if not outcome_terminated[state, action, k]:
            value += gamma * q[outcome_next[state, action, k]].max()
        total += count
        backup += count * value
    return backup / total


@njit(cache=True)
def predecessors(outcome_next: Array, outcome_count: Array, outcome_terminated: Array) -> tuple[Array, Array]:
    """Returns the pairs `[N]` from which the episode goes on to each state, state after state, and where those of each
    begin `[S + 1]`.
    """
    num_states, num_actions, room = outcome_next.shape
    first = np.zeros(num_states + 1, np.int64)
    for s in range(num_states):
        for a in range(num_actions):
            for k in range(room):
                if outcome_count[s, a, k] > 0.0 and not outcome_terminated[s, a, k]:
                    first[outcome_next[s, a, k] + 1] += 1
    first = first.cumsum()
    pairs, filled = np.empty(first[-1], np.int64), first.copy()
    for s in range(num_states):
        for a in range(num_actions):
            for k in range(room):
                if outcome_count[s, a, k] > 0.0 and not outcome_terminated[s, a, k]:
                    after = outcome_next[s, a, k]
                    pairs[filled[after]] = s * num_actions + a
                    filled[after] += 1
    return first, pairs


@njit(cache=True)
def sweep(
    q: Array,
    outcome_next: Array,
    outcome_count: Array,
    outcome_reward: Array,
    outcome_terminated: Array,
    first: Array,
    leading_to: Array,
    heap: Array,
    place: Array,
    priority: Array,
    size: Array,
    begin: int,
    num_updates: int,
    learning_rate: float,
    gamma: float,
    threshold: float,
) -> int:
    """Sweeps, in place: steps e to g of the book's algorithm; returns the number of updates.

    Args:
        q: `[S, A]`.
        outcome_next: `[S, A, K]`, with the three after it what `Lookup.outcomes` holds.
        outcome_count: `[S, A, K]`.
        outcome_reward: `[S, A, K]`.
        outcome_terminated: `[S, A, K]`.
        first: `[S + 1]`, with the one after it what `predecessors` returned.
        leading_to: `[N]`.
        heap: `[S * A]`, with the three after it a `Queue`.
        place: `[S * A]`.
        priority: `[S * A]`.
        size: `[1]`.
        begin: a pair to look at first, -1 for none.
        num_updates: n.
        learning_rate: α.
        gamma: γ.
        threshold: θ.
    """
    num_actions = q.shape[1]
    if begin >= 0:
        s, a = begin // num_actions, begin % num_actions
        backup = expected_backup(q, outcome_next, outcome_count, outcome_reward, outcome_terminated, s, a, gamma)
        if abs(backup - q[s, a]) > threshold:
            push(begin, abs(backup - q[s, a]), heap, place, priority, size)
    made = 0
    while made < num_updates and size[0] > 0:
        pair = pop(heap, place, priority, size)
        s, a = pair // num_actions, pair % num_actions
        backup = expected_backup(q, outcome_next, outcome_count, outcome_reward, outcome_terminated, s, a, gamma)
        value_before = q[s].max()
        q[s, a] += learning_rate * (backup - q[s, a])
        made += 1
        if abs(backup - q[s, a]) > threshold:
            push(pair, abs(backup - q[s, a]), heap, place, priority, size)
        if q[s].max() == value_before:
            continue
        for i in range(first[s], first[s + 1]):
            before = leading_to[i]
            sb, ab = before // num_actions, before % num_actions
            backup = expected_backup(q, outcome_next, outcome_count, outcome_reward, outcome_terminated, sb, ab, gamma)
            if abs(backup - q[sb, ab]) > threshold:
                push(before, abs(backup - q[sb, ab]), heap, place, priority, size)
    return made
