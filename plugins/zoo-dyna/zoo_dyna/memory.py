"""What Dyna remembers of its tries: which pairs there were, in which order states were met, and when."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from zoo_core.errors import CheckpointError
from zoo_dyna.stored import stored_array

Array = np.ndarray[Any, Any]

MAX_CLOCK = 2**53  # beyond it, √τ would not be exact; no run gets there


class Memory(NamedTuple):
    """Arrays that the compiled loops read and write.

    Attributes:
        states: `[S]` int64, the states in which something was tried, in the order of their first time; then nothing.
        num_states: `[1]` int64, how many of them.
        actions: `[S, A]` int64, for each state the actions tried in it, likewise.
        num_actions: `[S]` int64, how many of them.
        last_tried: `[S, A]` int64, the real step at which a pair was last tried, counted from 1; 0 where never.
        clock: `[1]` int64, real steps so far.
    """

    states: Array
    num_states: Array
    actions: Array
    num_actions: Array
    last_tried: Array
    clock: Array


def no_memory(num_states: int, num_actions: int) -> Memory:
    """Returns the memory of one who has tried nothing."""

    def zeros(*shape: int) -> Array:
        return np.zeros(shape, np.int64)

    return Memory(
        zeros(num_states),
        zeros(1),
        zeros(num_states, num_actions),
        zeros(num_states),
        zeros(num_states, num_actions),
        zeros(1),
    )


def checked_memory(tensors: dict[str, Tensor], num_states: int, num_actions: int) -> Memory:
    """Returns the memory in a file.

    Raises:
        CheckpointError: it is of another size, points outside, or its lists are not of what was tried; compiled code
            would write beyond the end of a list that names something twice.
    """
    like = no_memory(num_states, num_actions)
    highest = (num_states - 1, num_states, num_actions - 1, num_actions, MAX_CLOCK, MAX_CLOCK)
    memory = Memory(
        *(
            stored_array(tensors[name], getattr(like, name), name, low=0, high=high)
            for name, high in zip(Memory._fields, highest, strict=True)
        )
    )
    tried = memory.last_tried > 0
    met = np.bincount(memory.states[: memory.num_states[0]], minlength=num_states)
    listed, place = np.zeros_like(memory.actions), np.arange(num_actions)
    np.add.at(listed, (np.arange(num_states)[:, None], memory.actions), place < memory.num_actions[:, None])
    if not (np.array_equal(met, tried.any(-1)) and np.array_equal(listed, tried)):
        raise CheckpointError("the states and actions that are remembered are not, each once, those that were tried")
    if memory.last_tried.max() > memory.clock[0]:
        raise CheckpointError("a pair was last tried after the last step")
    return memory
