"""Rewards and terminations that are known in closed form, for world models that need not learn them.

Every function has the signature `(obs, action, next_obs) -> [B]` and takes NumPy arrays or torch tensors with
any leading dimensions, written B here; torch is never imported, and gradients flow through every reward. Each
equals the environment it is named after, up to the float32 rounding of observations, and raises a ValueError where
observations are not as wide as that environment's.
"""

import math
import sys
from typing import Any

import numpy as np

__all__ = [
    "ant_termination",
    "cart_pole_swing_up_reward",
    "cartpole_termination",
    "hopper_termination",
    "humanoid_termination",
    "inverted_pendulum_termination",
    "linear_quadratic_reward",
    "mountain_car_continuous_reward",
    "mountain_car_continuous_termination",
    "pendulum_reward",
    "walker2d_termination",
]

Array = Any  # a NumPy array or a torch tensor; results are of the kind and device of `obs`

PENDULUM_MAX_TORQUE = 2.0  # N m
CARTPOLE_MAX_X = 2.4  # m
CARTPOLE_MAX_ANGLE = 12 * 2 * math.pi / 360  # rad
INVERTED_PENDULUM_MAX_ANGLE = 0.2  # rad
MOUNTAIN_CAR_GOAL = 0.45
HOPPER_MIN_HEIGHT = 0.7  # m
HOPPER_MAX_ANGLE = 0.2  # rad
HOPPER_MAX_STATE = 100.0  # of every other coordinate and velocity
WALKER2D_HEIGHTS = 0.8, 2.0  # m
WALKER2D_MAX_ANGLE = 1.0  # rad
ANT_HEIGHTS = 0.2, 1.0  # m
HUMANOID_HEIGHTS = 1.0, 2.0  # m
ANT_WIDTHS = 27, 105  # numbers in an observation, without and with contact forces
HUMANOID_WIDTHS = tuple(  # 45 positions and velocities; inertias, centres of mass, actuators, contact forces by choice
    sorted(
        {
            45 + 130 * inertia + 78 * others + 17 * actuators
            for inertia in (0, 1)
            for others in (0, 1, 2)
            for actuators in (0, 1)
        }
    )
)


def cart_pole_swing_up_reward(
    obs: Array,
    action: Array,
    next_obs: Array,
    *,
    pole_length: float = 0.6,
    reward_scale: float = 0.36,
    action_cost: float = 0.01,
) -> Array:
    """Computes the reward of `zoo_envs/CartPoleSwingUp-v0`: exp(-d²/scale) minus a control cost.

    d is the distance of the pole's tip after the step from the upright tip over the centre of the track. The
    defaults are the "pets" preset; an environment's own parameters are used by its method `reward`.

    Args:
        obs: Not used.
        action: `[B, 1]` action within the action space.
        next_obs: `[B, 5]` x, dx/dt, cos θ, sin θ, dθ/dt, with θ = 0 upright.
        pole_length: Length of the pole in m.
        reward_scale: Squared distance in m² at which the first term has fallen to 1/e.
        action_cost: Factor of the squared action.

    Returns:
        `[B]` reward in (-action_cost·max(action)², 1].
    """
    _check_width(next_obs, "cart_pole_swing_up_reward", "zoo_envs/CartPoleSwingUp-v0", 5)
    x, cos, sin = next_obs[..., 0], next_obs[..., 2], next_obs[..., 3]
    squared_distance = (x + pole_length * sin) ** 2 + (pole_length * (1.0 - cos)) ** 2
    return _library(next_obs).exp(-squared_distance / reward_scale) - action_cost * (action**2).sum(-1)


def linear_quadratic_reward(obs: Array, action: Array, next_obs: Array, *, Q: Any, R: Any) -> Array:
    """Computes the reward of `zoo_envs/LinearSystem-v0`: -(x'Qx + u'Ru), of the state before the step.

    Args:
        obs: `[B, n]` state x.
        action: `[B, m]` control u within the action space.
        next_obs: Not used.
        Q: `[n, n]` state cost.
        R: `[m, m]` control cost.

    Returns:
        `[B]` reward, at most 0.
    """
    state_cost = ((obs @ _like(obs, Q)) * obs).sum(-1)
    return -(state_cost + ((action @ _like(action, R)) * action).sum(-1))


def pendulum_reward(obs: Array, action: Array, next_obs: Array) -> Array:
    """Computes the reward of Gymnasium's Pendulum-v1, of the state before the step.

    Args:
        obs: `[B, 3]` cos θ, sin θ, dθ/dt, with θ = 0 upright.
        action: `[B, 1]` torque in N m; clipped to ±2, as the environment does.
        next_obs: Not used.

    Returns:
        `[B]` reward, -(θ² + 0.1 (dθ/dt)² + 0.001 torque²).
    """
    _check_width(obs, "pendulum_reward", "Pendulum-v1", 3)
    theta = _library(obs).arctan2(obs[..., 1], obs[..., 0])
    torque = action[..., 0].clip(-PENDULUM_MAX_TORQUE, PENDULUM_MAX_TORQUE)
    return -(theta**2 + 0.1 * obs[..., 2] ** 2 + 0.001 * torque**2)


def cartpole_termination(obs: Array, action: Array, next_obs: Array) -> Array:
    """Says where Gymnasium's CartPole-v1 terminates: |x| > 2.4 m or |θ| > 12°.

    Args:
        obs: Not used.
        action: Not used.
        next_obs: `[B, 4]` x, dx/dt, θ, dθ/dt.

    Returns:
        `[B]` bool, True where the step ended in a terminal state.
    """
    _check_width(next_obs, "cartpole_termination", "CartPole-v1", 4)
    return (abs(next_obs[..., 0]) > CARTPOLE_MAX_X) | (abs(next_obs[..., 2]) > CARTPOLE_MAX_ANGLE)


def inverted_pendulum_termination(obs: Array, action: Array, next_obs: Array) -> Array:
    """Says where Gymnasium's InvertedPendulum-v5 terminates: |θ| > 0.2 rad, or a value that is not finite.

    Args:
        obs: Not used.
        action: Not used.
        next_obs: `[B, 4]` x, θ, dx/dt, dθ/dt.

    Returns:
        `[B]` bool, True where the step ended in a terminal state (the reward is 1 elsewhere, 0 there).
    """
    _check_width(next_obs, "inverted_pendulum_termination", "InvertedPendulum-v5", 4)
    finite = _library(next_obs).isfinite(next_obs).all(-1)
    return ~finite | (abs(next_obs[..., 1]) > INVERTED_PENDULUM_MAX_ANGLE)


def hopper_termination(obs: Array, action: Array, next_obs: Array) -> Array:
    """Says where Gymnasium's Hopper-v5 terminates: z ≤ 0.7 m, |angle| ≥ 0.2 rad, or a value of 100 or more.

    Observations show velocities clipped to ±10, so one beyond ±100, which the environment terminates for too, is not
    seen here.

    Args:
        obs: Not used.
        action: Not used.
        next_obs: `[B, 11]` z, angle of the torso, angles of the joints, velocities; x is not observed.

    Returns:
        `[B]` bool, True where the step ended in a terminal state.
    """
    _check_width(next_obs, "hopper_termination", "Hopper-v5", 11)
    height, angle = next_obs[..., 0], next_obs[..., 1]
    standing = (height > HOPPER_MIN_HEIGHT) & (height < math.inf) & (abs(angle) < HOPPER_MAX_ANGLE)
    return ~(standing & (abs(next_obs[..., 1:]) < HOPPER_MAX_STATE).all(-1))


def walker2d_termination(obs: Array, action: Array, next_obs: Array) -> Array:
    """Says where Gymnasium's Walker2d-v5 terminates: z outside (0.8, 2) m, or |angle| ≥ 1 rad.

    Args:
        obs: Not used.
        action: Not used.
        next_obs: `[B, 17]` z, angle of the torso, angles of the joints, velocities; x is not observed.

    Returns:
        `[B]` bool, True where the step ended in a terminal state.
    """
    _check_width(next_obs, "walker2d_termination", "Walker2d-v5", 17)
    low, high = WALKER2D_HEIGHTS
    height, angle = next_obs[..., 0], next_obs[..., 1]
    return ~((height > low) & (height < high) & (abs(angle) < WALKER2D_MAX_ANGLE))


def ant_termination(obs: Array, action: Array, next_obs: Array) -> Array:
    """Says where Gymnasium's Ant-v5 terminates: z outside [0.2, 1] m, or a value that is not finite.

    Args:
        obs: Not used.
        action: Not used.
        next_obs: `[B, 27]`, or `[B, 105]` with contact forces: z first; x and y are not observed.

    Returns:
        `[B]` bool, True where the step ended in a terminal state.
    """
    _check_width(next_obs, "ant_termination", "Ant-v5", *ANT_WIDTHS)
    low, high = ANT_HEIGHTS
    height, finite = next_obs[..., 0], _library(next_obs).isfinite(next_obs).all(-1)
    return ~(finite & (height >= low) & (height <= high))


def humanoid_termination(obs: Array, action: Array, next_obs: Array) -> Array:
    """Says where Gymnasium's Humanoid-v5 terminates: z outside (1, 2) m.

    Args:
        obs: Not used.
        action: Not used.
        next_obs: `[B, F]` z first; x and y are not observed. F is 348, less what the environment is told to leave out.

    Returns:
        `[B]` bool, True where the step ended in a terminal state.
    """
    _check_width(next_obs, "humanoid_termination", "Humanoid-v5", *HUMANOID_WIDTHS)
    low, high = HUMANOID_HEIGHTS
    height = next_obs[..., 0]
    return ~((height > low) & (height < high))


def mountain_car_continuous_termination(obs: Array, action: Array, next_obs: Array) -> Array:
    """Says where Gymnasium's MountainCarContinuous-v0 terminates: at or past the flag, not rolling back.

    Args:
        obs: Not used.
        action: Not used.
        next_obs: `[B, 2]` position, velocity.

    Returns:
        `[B]` bool, True where the step reached the goal.
    """
    _check_width(next_obs, "mountain_car_continuous_termination", "MountainCarContinuous-v0", 2)
    return (next_obs[..., 0] >= MOUNTAIN_CAR_GOAL) & (next_obs[..., 1] >= 0.0)


def mountain_car_continuous_reward(obs: Array, action: Array, next_obs: Array) -> Array:
    """Computes the reward of Gymnasium's MountainCarContinuous-v0: 100 at the goal, minus 0.1 action².

    Args:
        obs: Not used.
        action: `[B, 1]` action; the environment charges for it before it clips it, and so does this.
        next_obs: `[B, 2]` position, velocity.

    Returns:
        `[B]` reward.
    """
    _check_width(next_obs, "mountain_car_continuous_reward", "MountainCarContinuous-v0", 2)
    cost = -0.1 * action[..., 0] ** 2
    at_goal = mountain_car_continuous_termination(obs, action, next_obs)
    return _library(next_obs).where(at_goal, cost + 100.0, cost)


def _check_width(obs: Array, function: str, env_id: str, *widths: int) -> None:
    if obs.shape[-1] not in widths:
        numbers = " or ".join(map(str, widths))
        raise ValueError(f"{function} takes observations of {env_id}, of {numbers} numbers, got {obs.shape[-1]}")


def _library(array: Array) -> Any:
    """Returns the module, numpy or torch, whose functions take `array`."""
    if isinstance(array, np.ndarray | np.generic):
        return np
    torch = sys.modules.get("torch")  # whoever holds a tensor has imported it
    if torch is not None and isinstance(array, torch.Tensor):
        return torch
    raise TypeError(f"expected a NumPy array or a torch tensor, got {type(array).__name__}")


def _like(array: Array, values: Any) -> Array:
    """Returns `values` as an array of the kind, dtype and device of `array`."""
    if _library(array) is np:
        return np.asarray(values, dtype=array.dtype)
    return array.new_tensor(np.asarray(values).tolist())
