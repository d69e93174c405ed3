"""Q-learning, Dyna-Q and Dyna-Q+ (Sutton 1990; Sutton & Barto 2018, Reinforcement Learning, 2nd edition, chapter 8).

Differs from the book: an episode may also be truncated, and values are bootstrapped through that; several environments
may be stepped together, which counts as so many steps one after the other.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from zoo_dyna.config import DynaQConfig, DynaQPlusConfig, QLearningConfig
from zoo_dyna.kernels import learn_from_steps, note_tried, plan
from zoo_dyna.memory import Memory, checked_memory, no_memory
from zoo_dyna.tabular_agent import Steps, TabularAgent
from zoo_tabular.lookup import Lookup

Array = np.ndarray[Any, Any]


class QLearningAgent(TabularAgent):
    """Learns from each real step once (Watkins 1989): Dyna-Q with n = 0."""

    config_class: ClassVar[type] = QLearningConfig

    def update(self, steps: Steps) -> None:
        """Moves Q(S, A) towards R + γ max Q(S', a)."""
        learn_from_steps(self.q, *steps, self.config.learning_rate, self.config.gamma)
        self.updates += len(steps.state)


class DynaQAgent(QLearningAgent):
    """Learns from each real step, remembers it, and learns from n remembered ones, drawn at random (tabular Dyna-Q).

    States are drawn uniformly from those seen, actions from those tried there.
    """

    config_class: ClassVar[type] = DynaQConfig
    model: Lookup
    curious = False

    def __init__(self, env: Any, config: Any = None, **kwargs: Any) -> None:
        super().__init__(env, config, **kwargs)
        self.bonus = 0.0
        self.memory: Memory = no_memory(self.num_states, self.num_actions)

    def update(self, steps: Steps) -> None:
        """Direct learning, model learning, planning: steps d, e and f of the book's algorithm."""
        super().update(steps)
        self.model.record(*steps)
        note_tried(steps.state, steps.action, *self.memory)
        self.plan(self.config.planning_updates * len(steps.state))

    def plan(self, num_updates: int) -> None:
        """Makes updates of Q-learning from the model, once there is something in it."""
        plan(
            self.q,
            *self.model.outcomes,
            *self.memory,
            num_updates,
            self.config.learning_rate,
            self.config.gamma,
            self.curious,
            self.bonus,
            self.model.config.unseen_reward,
            self._learning,
        )
        self.updates += num_updates

    def to_file(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Returns Q and what was tried when; the model is written beside them."""
        data, tensors = super().to_file()
        return data, tensors | {name: torch.tensor(values) for name, values in self.memory._asdict().items()}

    def load_file(self, data: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """Restores what `to_file` returned."""
        super().load_file(data, tensors)
        self.memory = checked_memory(tensors, self.num_states, self.num_actions)


class DynaQPlusAgent(DynaQAgent):
    """Dyna-Q that goes and looks whether the world has changed: what was long not tried promises κ√τ more, in planning,
    and actions never tried in a state that was seen are thought to lead back to it.

    Differs from the book, which never stops learning: its Q holds what it is curious about, and one that no longer
    learns would walk in circles around that. Asked to be deterministic, it acts by the best that it knows instead.
    """

    config_class: ClassVar[type] = DynaQPlusConfig
    curious = True

    def __init__(self, env: Any, config: Any = None, **kwargs: Any) -> None:
        super().__init__(env, config, **kwargs)
        self.bonus = float(self.config.bonus)

    def best_actions(self, states: Array) -> Array:
        """Returns the best that it knows, in states `[B]`."""
        return self.solve_what_was_tried().policy[states]
