"""A priority queue of state-action pairs, as arrays that compiled loops share: a binary heap that knows where each pair
is.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

Array = np.ndarray[Any, Any]


class Queue(NamedTuple):
    """Pairs are numbers `state * A + action`.

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
