"""Prioritized sweeping (Moore & Atkeson 1993; Peng & Williams 1993; Sutton & Barto 2018, section 8.4).

Differs from the book: updates are expected ones, over all outcomes that the model holds for possible, as in Moore &
Atkeson; with a model of one outcome that is the book's update. What a learning rate below 1 leaves of a change stays in
the queue.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from numba import njit
from torch import Tensor

from zoo_core.errors import CheckpointError
from zoo_dyna.config import PrioritizedSweepingConfig
from zoo_dyna.kernels import expected_backup
from zoo_dyna.queue import Queue, empty_queue, filled_queue, pop, push
from zoo_dyna.stored import stored_array
from zoo_dyna.tabular_agent import Steps, TabularAgent
from zoo_tabular.lookup import Lookup

Array = np.ndarray[Any, Any]


class PrioritizedSweepingAgent(TabularAgent):
    """Plans where it matters: pairs are updated in the order of how much their value would change, and when a state's
    value has changed, the pairs that lead to it are next in question.
    """

    config_class: ClassVar[type] = PrioritizedSweepingConfig
    model: Lookup

    def __init__(self, env: Any, config: Any = None, **kwargs: Any) -> None:
        super().__init__(env, config, **kwargs)
        self.queue: Queue = empty_queue(self.q.size)
        self._leading_to: tuple[Array, Array] | None = None  # what `predecessors` returns, until the model changes

    def update(self, steps: Steps) -> None:
        """Remembers each step, puts its pair into the queue, and sweeps."""
        for i in range(len(steps.state)):
            if self.model.record(*(values[i : i + 1] for values in steps)):
                self._leading_to = None
            self.sweep(self.config.planning_updates, begin=(steps.state[i], steps.action[i]))

    def sweep(self, num_updates: int, begin: tuple[int, int] | None = None) -> int:
        """Makes up to `num_updates` updates in the order of urgency; returns how many there were.

        Args:
            num_updates: n.
            begin: a state and an action to look at first.
        """
        if self._leading_to is None:
            outcomes = self.model.outcomes
            self._leading_to = predecessors(outcomes.next_state, outcomes.count, outcomes.terminated)
        made = sweep(
            self.q,
            *self.model.outcomes,
            *self._leading_to,
            *self.queue,
            -1 if begin is None else int(begin[0] * self.num_actions + begin[1]),
            num_updates,
            self.config.learning_rate,
            self.config.gamma,
            self.config.threshold,
        )
        self.updates += made
        return int(made)

    def to_file(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Returns Q and the queue; the model is written beside them."""
        data, tensors = super().to_file()
        pairs = self.queue.heap[: self.queue.size[0]]
        queue = {"queue/pairs": torch.tensor(pairs), "queue/priorities": torch.tensor(self.queue.priority[pairs])}
        return data, tensors | queue

    def load_file(self, data: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """Restores what `to_file` returned."""
        super().load_file(data, tensors)
        num = len(tensors["queue/pairs"])
        pairs = stored_array(tensors["queue/pairs"], np.zeros(num, np.int64), "the queue", 0, self.q.size - 1)
        priorities = stored_array(tensors["queue/priorities"], np.zeros(num), "the priorities", low=0.0)
        tried = self.model.outcomes.count.sum(-1).reshape(-1) > 0.0
        if len(np.unique(pairs)) < num or not tried[pairs].all():
            raise CheckpointError("the queue holds a pair twice, or one that was never tried")
        self.queue, self._leading_to = filled_queue(self.q.size, pairs, priorities), None


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
