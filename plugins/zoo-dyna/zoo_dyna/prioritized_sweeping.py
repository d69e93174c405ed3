"""Prioritized sweeping (Moore & Atkeson 1993; Peng & Williams 1993; Sutton & Barto 2018, section 8.4).

Differs from the book: updates are expected ones, over all outcomes that the model holds for possible, as in Moore &
Atkeson; with a model of one outcome that is the book's update. What a learning rate below 1 leaves of a change stays in
the queue.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from zoo_core.errors import CheckpointError
from zoo_dyna.config import PrioritizedSweepingConfig
from zoo_dyna.stored import stored_array
from zoo_dyna.sweeping import Queue, empty_queue, filled_queue, predecessors, sweep
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
