"""A world in which it is known what each root is worth, and which action is right there: to examine planners."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from gymnasium import spaces
from torch import Tensor

from zoo_core.world_model import ModelStep, WorldModel

_CHANCE = 0.1  # of the reward that is random
_WRONG = -0.75  # actions that are as wrong as this give a reward of NaN, if the world has a flaw


class Choice(NamedTuple):
    """What each row is worth.

    Attributes:
        level: `[B]` reward of the first step, whatever the action.
        wanted: `[B]` 1 or -1: the side of the right action.
        second: `[B]` reward of the second step.
        continues: `[B]` probability to go on after a step.
        time: `[B]` int64 steps made.
    """

    level: Tensor
    wanted: Tensor
    second: Tensor
    continues: Tensor
    time: Tensor


class Choices(WorldModel):
    """Pays a root's level, and up to 2 more or less for the first action, by how close it is to the wanted side.

    Roots 0 to 4 have rising levels, 10 apart, and want different sides. Roots 5 and 6 are like each other and pay 10 in
    the second step, to which root 6 hardly ever comes. A little of every reward is random, at any temperature.

    Args:
        action_space: `Discrete(2)`, left and right, or `Box(-1, 1, (1,))`.
        flawed: the most wrong first actions have a reward of NaN.
    """

    def __init__(self, action_space: Any, *, flawed: bool = False) -> None:
        super().__init__(spaces.Box(-100.0, 100.0, (2,)), action_space)
        self.flawed = flawed

    def initial_state(self, num: int, *, rng: torch.Generator) -> Choice:
        """Returns the first `num` roots, at most 7."""
        level = torch.tensor([0.0, 10.0, 20.0, 30.0, 40.0, 10.0, 10.0], device=rng.device)
        wanted = torch.tensor([-1.0, 1.0, 1.0, -1.0, 1.0, 1.0, 1.0], device=rng.device)
        second = torch.tensor([0.0, 0.0, 0.0, 0.0, 0.0, 10.0, 10.0], device=rng.device)
        continues = torch.tensor([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.01], device=rng.device)
        time = torch.zeros(len(level), dtype=torch.int64, device=rng.device)
        return Choice(*(leaf[:num] for leaf in (level, wanted, second, continues, time)))

    def observe(self, state: Any, action: Any, obs: Any, is_first: Any, *, rng: torch.Generator) -> Choice:
        """Begins at the first roots: observations say nothing of them."""
        return self.initial_state(len(obs), rng=rng)

    def step(
        self,
        state: Any,
        action: Tensor,
        *,
        rng: torch.Generator,
        temperature: float = 1.0,
        uncertainty: bool = False,
    ) -> ModelStep:
        """Pays for the first action, and for the second step."""
        side = action[:, 0] if isinstance(self.action_space, spaces.Box) else 2.0 * action - 1.0
        match = side * state.wanted
        first = state.level + 2.0 * match
        if self.flawed:
            first = torch.where(match < _WRONG, torch.nan, first)
        reward = torch.where(state.time == 0, first, torch.where(state.time == 1, state.second, 0.0))
        reward = reward + _CHANCE * torch.rand(len(reward), generator=rng, device=rng.device)
        return ModelStep(state._replace(time=state.time + 1), reward, state.continues.clone())

    def decode(self, state: Any) -> Tensor:
        """Shows level and time."""
        return torch.stack([state.level, state.time.float()], 1)
