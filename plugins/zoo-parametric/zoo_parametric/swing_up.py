"""The swing-up of the cart-pole, zoo_envs/CartPoleSwingUp-v0, in torch."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from gymnasium import Space
from torch import Tensor

from zoo_parametric.system import Constants, System, Unknown, symmetric_box


@dataclass(frozen=True)
class CartPoleSwingUp(System):
    """`zoo_envs/CartPoleSwingUp-v0`, preset "pets" (Chua et al. 2018, arXiv:1805.12114).

    Observations `[B, 5]` are x, dx/dt, cos θ, sin θ, dθ/dt, with θ = 0 upright; actions `[B, 1]` are forces in units of
    `gear`. The motion alone tells pole_mass · pole_length / 2 and the moment of inertia about the pivot; the reward
    tells the length, and so all three constants of the pole.
    """

    unknowns: ClassVar[tuple[Unknown, ...]] = (
        Unknown("cart_mass", 5.0),  # kg
        Unknown("pole_mass", 2.0),  # kg
        Unknown("pole_length", 1.0),  # m, pivot to tip; the centre of mass is half way
        Unknown("pole_inertia", 0.5),  # kg m², about the centre of mass
        Unknown("cart_friction", 0.0, positive=False),  # N per m/s
        Unknown("pole_friction", 0.0, positive=False),  # N m per rad/s, at the pivot
    )
    observation_space: ClassVar[Space[Any] | None] = symmetric_box(2.5, math.inf, 1.0, 1.0, math.inf)
    action_space: ClassVar[Space[Any] | None] = symmetric_box(3.0)

    gravity: float = 9.81  # m/s²
    gear: float = 100.0  # N per unit of action
    dt: float = 0.04  # s, between actions
    substeps: int = 2  # of the classical Runge-Kutta method, in dt
    track_limit: float = 2.5  # m, |x| where the cart stops dead
    reward_scale: float = 0.36  # m²
    action_cost: float = 0.01  # reward lost per squared unit of action

    def next_obs(self, obs: Tensor, action: Tensor, constants: Constants) -> Tensor:
        """Returns x, dx/dt, cos θ, sin θ, dθ/dt `[B, 5]` after a step."""
        x, speed, cos, sin, spin = obs.unbind(1)
        now = torch.stack([x, speed, torch.atan2(sin, cos), spin])
        force = self.gear * action[:, 0]
        for _ in range(self.substeps):
            now = _rk4(lambda y: self._derivative(y, force, constants), now, self.dt / self.substeps)
            now = self._stop_at_the_ends(now, constants)
        x, speed, angle, spin = now
        return torch.stack([x, speed, angle.cos(), angle.sin(), spin], dim=1)

    def reward(self, obs: Tensor, action: Tensor, next_obs: Tensor, constants: Constants) -> Tensor:
        """Returns exp(-d²/reward_scale) - action_cost · action² `[B]`, d the distance of the tip from its goal."""
        x, cos, sin = next_obs[:, 0], next_obs[:, 2], next_obs[:, 3]
        length = constants["pole_length"]
        squared_distance = (x + length * sin) ** 2 + (length * (1.0 - cos)) ** 2
        return torch.exp(-squared_distance / self.reward_scale) - self.action_cost * action[:, 0] ** 2

    def _derivative(self, y: Tensor, force: Tensor, constants: Constants) -> Tensor:
        """Solves the Euler-Lagrange equations for the accelerations of cart and pole; `y` is x, dx/dt, θ, dθ/dt."""
        _, speed, angle, spin = y
        moment, inertia = _of_the_pole(constants)
        mass = constants["cart_mass"] + constants["pole_mass"]
        coupling = moment * angle.cos()
        cart_force = force - constants["cart_friction"] * speed + moment * angle.sin() * spin**2
        pole_torque = moment * self.gravity * angle.sin() - constants["pole_friction"] * spin
        determinant = mass * inertia - coupling**2
        acceleration = (inertia * cart_force - coupling * pole_torque) / determinant
        spin_acceleration = (mass * pole_torque - coupling * cart_force) / determinant
        return torch.stack([speed, acceleration, spin, spin_acceleration])

    def _stop_at_the_ends(self, y: Tensor, constants: Constants) -> Tensor:
        """Stops a cart that has run past an end of the track; the pole's generalised momentum stays what it was."""
        x, speed, angle, spin = y
        moment, inertia = _of_the_pole(constants)
        hit = (x.abs() >= self.track_limit) & (x * speed > 0)
        spin = torch.where(hit, spin + moment * angle.cos() * speed / inertia, spin)
        return torch.stack([x.clamp(-self.track_limit, self.track_limit), speed.masked_fill(hit, 0.0), angle, spin])


def _of_the_pole(constants: Constants) -> tuple[Tensor, Tensor]:
    """Returns its first moment in kg m and its moment of inertia in kg m², both about the pivot."""
    moment = constants["pole_mass"] * constants["pole_length"] / 2
    return moment, constants["pole_inertia"] + moment * constants["pole_length"] / 2


def _rk4(derivative: Callable[[Tensor], Tensor], y: Tensor, step: float) -> Tensor:
    """Takes one step of the classical Runge-Kutta method."""
    k1 = derivative(y)
    k2 = derivative(y + step / 2 * k1)
    k3 = derivative(y + step / 2 * k2)
    k4 = derivative(y + step * k3)
    return y + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
