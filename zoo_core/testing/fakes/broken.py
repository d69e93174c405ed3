"""A model that breaks rules on purpose, to see that they are held."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from zoo_core.world_model import ModelStep, WorldModel


class Altered(WorldModel):
    """Passes everything on to another model, and alters its steps, such as by `lambda step: step._replace(...)`."""

    def __init__(self, model: WorldModel, alter: Callable[[ModelStep], ModelStep]) -> None:
        super().__init__(model.observation_space, model.action_space, seed=model.seed)
        self.model, self.alter = model, alter
        self.env_id, self.starts = model.env_id, model.starts

    @property
    def num_players(self) -> int:  # type: ignore[override]
        """Those of the other model."""
        return self.model.num_players

    def observe(self, state: Any, action: Any, obs: Any, is_first: Any, *, rng: torch.Generator) -> Any:
        """Passes it on."""
        return self.model.observe(state, action, obs, is_first, rng=rng)

    def step(self, state: Any, action: Tensor, **kwargs: Any) -> ModelStep:
        """Passes it on, and alters what comes back."""
        return self.alter(self.model.step(state, action, **kwargs))

    def decode(self, state: Any) -> Any:
        """Passes it on."""
        return self.model.decode(state)

    def features(self, state: Any) -> Tensor:
        """Passes it on."""
        return self.model.features(state)

    def initial_state(self, num: int, *, rng: torch.Generator) -> Any:
        """Passes it on."""
        return self.model.initial_state(num, rng=rng)

    def legal_actions(self, state: Any) -> Tensor | None:
        """Passes it on."""
        return self.model.legal_actions(state)
