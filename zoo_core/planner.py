"""The planner interface: choosing an action by searching a world model, for B roots at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from zoo_core.config import build_config
from zoo_core.world_model import State, WorldModel


class Plan(NamedTuple):
    """What a planner found at each of B roots.

    Attributes:
        action: `[B, ...]` to take now.
        value: `[B]` estimated return of the plan.
        sequence: `[B, H, ...]` the planned actions, or None.
        weights: `[B, A]` how strongly each action is recommended (visit counts, softmax weights), or None.
        memory: what the next call takes as `previous` needs (warm start, subtree); a pytree with leading dimension B.
    """

    action: Tensor
    value: Tensor
    sequence: Tensor | None = None
    weights: Tensor | None = None
    memory: Any = None


class Evaluation(NamedTuple):
    """What a network says of B states: the leaf value, and where to look first.

    Attributes:
        value: `[B]` expected return from the state.
        logits: `[B, A]` prior over Discrete actions, or None.
        action: `[B, ...]` sampled from a policy over Box actions, or None.
    """

    value: Tensor
    logits: Tensor | None = None
    action: Tensor | None = None


Evaluate = Callable[..., Evaluation]  # evaluate(state, *, rng) -> Evaluation


class Planner(ABC):
    """A search procedure; it keeps no state between calls, so one planner serves any number of environments.

    Args:
        config: an instance of `config_class`, a mapping of its fields, or None for the defaults.
        evaluate: `evaluate(state, *, rng) -> Evaluation`, one network call that serves as terminal value, prior and
            rollout policy; None where the search needs none.
    """

    config_class: ClassVar[type | None] = None

    def __init__(self, config: Any = None, *, evaluate: Evaluate | None = None) -> None:
        self.config = build_config(self.config_class, config) if self.config_class else config
        self.evaluate = evaluate

    def check(self, model: WorldModel) -> None:  # noqa: B027  # nothing to object to, by default
        """Raises what `plan` would raise of this model from any state; agents call it before their first step.

        Args:
            model: to search in, fitted or not.
        """

    @abstractmethod
    def plan(self, model: WorldModel, state: State, *, rng: torch.Generator, previous: Plan | None = None) -> Plan:
        """Searches from B roots.

        A candidate whose return is NaN ranks last; if all are NaN, NonFiniteError is raised. `legal_actions` of the
        model masks every choice.

        Args:
            model: to search in.
            state: beliefs of B roots.
            rng: source of randomness, on the model's device.
            previous: the plan of the step before, to start from; None at the first step of an episode.
        """
