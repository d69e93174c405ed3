"""Gymnasium's Pendulum-v1 in torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from gymnasium import Space
from torch import Tensor

from zoo_parametric.system import Constants, System, Unknown, symmetric_box


@dataclass(frozen=True)
class Pendulum(System):
    """Gymnasium's Pendulum-v1: a rod that swings about its end, driven by a torque; semi-implicit Euler.

    Observations `[B, 3]` are cos θ, sin θ, dθ/dt, with θ = 0 upright; actions `[B, 1]` are N m.
    """

    unknowns: ClassVar[tuple[Unknown, ...]] = (Unknown("mass", 0.5), Unknown("length", 0.5))  # kg, m
    observation_space: ClassVar[Space[Any] | None] = symmetric_box(1.0, 1.0, 8.0)
    action_space: ClassVar[Space[Any] | None] = symmetric_box(2.0)

    gravity: float = 10.0  # m/s²
    dt: float = 0.05  # s
    max_speed: float = 8.0  # rad/s
    max_torque: float = 2.0  # N m

    def next_obs(self, obs: Tensor, action: Tensor, constants: Constants) -> Tensor:
        """Returns cos θ, sin θ, dθ/dt `[B, 3]` after a step."""
        mass, length = constants["mass"], constants["length"]
        gravity = 1.5 * self.gravity / length * obs[:, 1]
        acceleration = gravity + 3.0 / (mass * length**2) * self._torque(action)
        speed = (obs[:, 2] + self.dt * acceleration).clamp(-self.max_speed, self.max_speed)
        angle = torch.atan2(obs[:, 1], obs[:, 0]) + self.dt * speed
        return torch.stack([angle.cos(), angle.sin(), speed], dim=1)

    def reward(self, obs: Tensor, action: Tensor, next_obs: Tensor, constants: Constants) -> Tensor:
        """Returns -(θ² + 0.1 (dθ/dt)² + 0.001 torque²) `[B]` of the state before the step."""
        angle = torch.atan2(obs[:, 1], obs[:, 0])
        return -(angle**2 + 0.1 * obs[:, 2] ** 2 + 0.001 * self._torque(action) ** 2)

    def _torque(self, action: Tensor) -> Tensor:
        return action[:, 0].clamp(-self.max_torque, self.max_torque)
