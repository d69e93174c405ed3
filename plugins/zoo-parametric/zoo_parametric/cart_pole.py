"""Gymnasium's CartPole-v1 in torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from gymnasium import Space, spaces
from torch import Tensor

from zoo_parametric.system import Constants, System, Unknown, symmetric_box


@dataclass(frozen=True)
class CartPole(System):
    """Gymnasium's CartPole-v1 (Barto, Sutton & Anderson 1983, doi:10.1109/TSMC.1983.6313077); explicit Euler.

    Observations `[B, 4]` are x, dx/dt, θ, dθ/dt, with θ = 0 upright; action 1 pushes to the right, 0 to the left.
    """

    unknowns: ClassVar[tuple[Unknown, ...]] = (
        Unknown("cart_mass", 2.0),  # kg
        Unknown("pole_mass", 0.5),  # kg
        Unknown("half_length", 1.0),  # m, pivot to centre of mass
    )
    observation_space: ClassVar[Space[Any] | None] = symmetric_box(4.8, math.inf, math.radians(24), math.inf)
    action_space: ClassVar[Space[Any] | None] = spaces.Discrete(2)

    gravity: float = 9.8  # m/s²
    dt: float = 0.02  # s
    force: float = 10.0  # N
    max_x: float = 2.4  # m
    max_angle: float = math.radians(12)  # rad

    def next_obs(self, obs: Tensor, action: Tensor, constants: Constants) -> Tensor:
        """Returns x, dx/dt, θ, dθ/dt `[B, 4]` after a step."""
        _, speed, angle, spin = obs.unbind(1)
        sin, cos = angle.sin(), angle.cos()
        mass = constants["cart_mass"] + constants["pole_mass"]
        moment = constants["pole_mass"] * constants["half_length"]
        push = (torch.where(action == 1, self.force, -self.force) + moment * spin**2 * sin) / mass
        lever = constants["half_length"] * (4.0 / 3.0 - constants["pole_mass"] * cos**2 / mass)
        spin_acceleration = (self.gravity * sin - cos * push) / lever
        acceleration = push - moment * spin_acceleration * cos / mass
        return obs + self.dt * torch.stack([speed, acceleration, spin, spin_acceleration], dim=1)

    def reward(self, obs: Tensor, action: Tensor, next_obs: Tensor, constants: Constants) -> Tensor:
        """Returns 1 for every step `[B]`."""
        return torch.ones_like(obs[:, 0])

    def termination(self, obs: Tensor, action: Tensor, next_obs: Tensor, constants: Constants) -> Tensor:
        """Says where the cart has left the track or the pole has fallen, bool `[B]`."""
        return (next_obs[:, 0].abs() > self.max_x) | (next_obs[:, 2].abs() > self.max_angle)
