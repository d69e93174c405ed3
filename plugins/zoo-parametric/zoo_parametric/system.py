"""What a user writes to bring equations of their own: a subclass of `System`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from gymnasium import Space, spaces
from torch import Tensor

Constants = Mapping[str, Tensor]  # name -> value, a tensor without dimensions


@dataclass(frozen=True)
class Unknown:
    """A constant that the data is to tell.

    Attributes:
        name: of the constant.
        guess: what it is taken to be until the fit, and where the data cannot tell.
        positive: whether it can be positive only, as masses and lengths; it is then searched by its logarithm.
    """

    name: str
    guess: float
    positive: bool = True

    def __post_init__(self) -> None:
        if self.positive and not self.guess > 0.0:
            raise ValueError(f"the guess of {self.name!r}, which is positive, must be greater than 0, got {self.guess}")


class System(ABC):
    """Equations with unknown constants, on batches of B rows.

    All methods are written in operations of torch, for any B, float32 and float64, without branches that depend on
    values (`torch.where` in place of `if`): they are differentiated and mapped over many guesses by `torch.func`.
    What is known of the environment (step size, gravity) belongs in attributes of the instance.

    Attributes:
        unknowns: the constants to find.
        observation_space: of the environment with these equations, by which "auto" finds it; None if it has no one.
        action_space: the same for actions.
    """

    unknowns: ClassVar[tuple[Unknown, ...]]
    observation_space: ClassVar[Space[Any] | None] = None
    action_space: ClassVar[Space[Any] | None] = None

    @abstractmethod
    def next_obs(self, obs: Tensor, action: Tensor, constants: Constants) -> Tensor:
        """Returns where one step leads.

        Args:
            obs: `[B, D]`.
            action: `[B, ...]` in the environment's units, or `[B]` int64 from 0.
            constants: name -> value.

        Returns:
            `[B, D]` the next observations.
        """

    @abstractmethod
    def reward(self, obs: Tensor, action: Tensor, next_obs: Tensor, constants: Constants) -> Tensor:
        """Returns rewards `[B]`; what unknown constants they depend on is fitted to them, too."""

    def termination(self, obs: Tensor, action: Tensor, next_obs: Tensor, constants: Constants) -> Tensor:
        """Returns bool `[B]`, true where the step ended the episode; never, if not overridden."""
        return torch.zeros(len(obs), dtype=torch.bool, device=obs.device)


def symmetric_box(*high: float) -> spaces.Box:
    """Returns the space of float32 vectors between -high and high."""
    limits = np.array(high, np.float32)
    return spaces.Box(-limits, limits, dtype=np.float32)
