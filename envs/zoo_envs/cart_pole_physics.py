"""The motion of the cart-pole, batched.

Conventions: θ = 0 is upright and grows towards +x, so the tip is at (x + l sin θ, l cos θ). The pole is a
rigid body whose centre of mass is at half its length; m_p, I are its mass and its moment of inertia about the
pivot.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo_envs.cart_pole_parameters import CartPoleParameters

__all__ = ["cart_pole_energy", "simulate_cart_pole"]

Coordinates = tuple[Any, Any, Any, Any]  # x, dx/dt, θ, dθ/dt: numbers or arrays `[B]`
Float64Array = NDArray[np.float64]


def simulate_cart_pole(parameters: CartPoleParameters, state: Float64Array, force: Any) -> Float64Array:
    """Advances cart-poles by `dt` under a constant force.

    Args:
        parameters: Parameters that all rows share.
        state: `[B, 4]` x, dx/dt, θ, dθ/dt in m, m/s, rad, rad/s; leading dimensions may be absent.
        force: `[B]` force on the cart in N.

    Returns:
        `[B, 4]` state after the step, with |x| at most `track_limit`.
    """
    integrate = _rk4 if parameters.integrator == "rk4" else _euler
    step = parameters.dt / parameters.substeps
    now: Coordinates = (state[..., 0], state[..., 1], state[..., 2], state[..., 3])
    for _ in range(parameters.substeps):
        now = integrate(lambda y: _derivative(parameters, y, force), now, step)
        if parameters.track_limit < math.inf:
            now = _stop_at_the_ends(parameters, now)
    return np.stack(np.broadcast_arrays(*now), axis=-1)


def cart_pole_energy(parameters: CartPoleParameters, state: Float64Array) -> Any:
    """Computes the mechanical energy `[B]` in J of states `[B, 4]`, zero at rest with the pole horizontal."""
    _, speed, theta, spin = np.moveaxis(np.asarray(state), -1, 0)
    kinetic = 0.5 * (parameters.cart_mass + parameters.pole_mass) * speed**2 + 0.5 * parameters.pivot_inertia * spin**2
    coupling = parameters.first_moment * np.cos(theta) * speed * spin
    return kinetic + coupling + parameters.first_moment * parameters.gravity * np.cos(theta)


def _derivative(parameters: CartPoleParameters, coordinates: Coordinates, force: Any) -> Coordinates:
    """Solves the two Euler-Lagrange equations for the accelerations of cart and pole."""
    _, speed, theta, spin = coordinates
    sin, cos = np.sin(theta), np.cos(theta)
    mass, inertia = parameters.cart_mass + parameters.pole_mass, parameters.pivot_inertia
    coupling = parameters.first_moment * cos
    cart_force = force - parameters.cart_friction * speed + parameters.first_moment * sin * spin**2
    pole_torque = parameters.first_moment * parameters.gravity * sin - parameters.pole_friction * spin
    determinant = mass * inertia - coupling**2
    acceleration = (inertia * cart_force - coupling * pole_torque) / determinant
    spin_acceleration = (mass * pole_torque - coupling * cart_force) / determinant
    return speed, acceleration, spin, spin_acceleration


def _stop_at_the_ends(parameters: CartPoleParameters, coordinates: Coordinates) -> Coordinates:
    """Stops a cart that has run past an end of the track, as an inelastic impact.

    The end's impulse acts on the cart alone, so the pole's generalised momentum m_p (l/2) cos θ dx/dt + I
    dθ/dt is the same before and after: the pole takes over what the cart loses.
    """
    x, speed, theta, spin = coordinates
    hit = (abs(x) >= parameters.track_limit) & (x * speed > 0)
    kick = parameters.first_moment * np.cos(theta) * speed / parameters.pivot_inertia
    spin = np.where(hit, spin + kick, spin)[()]
    speed = np.where(hit, 0.0, speed)[()]
    return np.clip(x, -parameters.track_limit, parameters.track_limit), speed, theta, spin


def _rk4(derivative: Callable[[Coordinates], Coordinates], y: Coordinates, step: float) -> Coordinates:
    """Takes one step of the classical Runge-Kutta method."""
    k1 = derivative(y)
    k2 = derivative(_moved(y, k1, step / 2))
    k3 = derivative(_moved(y, k2, step / 2))
    k4 = derivative(_moved(y, k3, step))
    slope = tuple((a + 2 * b + 2 * c + d) / 6 for a, b, c, d in zip(k1, k2, k3, k4, strict=True))
    return _moved(y, slope, step)


def _euler(derivative: Callable[[Coordinates], Coordinates], y: Coordinates, step: float) -> Coordinates:
    """Takes one step of the explicit Euler method."""
    return _moved(y, derivative(y), step)


def _moved(y: Coordinates, slope: tuple[Any, ...], step: float) -> Coordinates:
    """Returns y + step·slope."""
    return (y[0] + step * slope[0], y[1] + step * slope[1], y[2] + step * slope[2], y[3] + step * slope[3])
