"""`zoo_envs/MaskedCartPole-v0` and `zoo_envs/MaskedPendulum-v0`: Gymnasium's tasks with their velocities hidden.

One observation does not say how things move, so a policy needs memory: two observations in a row do. Balancing a
pole without seeing its velocities is an old test of recurrent policies, among others in Wierstra et al. 2007,
"Solving Deep Memory POMDPs with Recurrent Policy Gradients"; Ni et al. 2022, "Recurrent Model-Free RL Can Be a
Strong Baseline for Many POMDPs" (arXiv:2110.05038), hide the velocities of tasks of today.
"""

from abc import ABC, abstractmethod
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.envs.classic_control import CartPoleEnv, PendulumEnv

from zoo_envs.simulator_env import Float32Array, Float64Array

__all__ = ["MaskedCartPoleEnv", "MaskedPendulumEnv"]


class _VelocitiesHidden(gym.Env[Float32Array, Any], ABC):
    """Stands before an environment of classic control, and shows some columns of its observations only.

    Attributes:
        shown: Indices of the columns that are shown.
        state_names: Name of each coordinate of the state, for error messages.
    """

    shown: tuple[int, ...]
    state_names: tuple[str, ...]
    state: Any

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        whole, columns = self.observation_space, list(self.shown)
        assert isinstance(whole, gym.spaces.Box)
        self.observation_space = gym.spaces.Box(whole.low[columns], whole.high[columns], dtype=np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float32Array, dict[str, Any]]:
        """Begins an episode as Gymnasium's environment does, or at `options["state"]`."""
        obs, info = super().reset(seed=seed, options=options)
        if options and "state" in options:
            self.set_state(options["state"])
            obs = self._whole_observation()
        return obs[list(self.shown)], info

    def step(self, action: Any) -> tuple[Float32Array, Any, bool, bool, dict[str, Any]]:
        """Takes a step of Gymnasium's environment."""
        obs, reward, terminated, truncated, info = super().step(action)
        return obs[list(self.shown)], reward, terminated, truncated, info

    def get_state(self) -> Float64Array:
        """Returns a copy of the exact state `[S]`, the hidden velocities included."""
        if getattr(self, "state", None) is None:
            raise gym.error.ResetNeeded("the environment has no state yet: call reset() or set_state() first")
        return np.array(self.state, dtype=np.float64)

    def set_state(self, state: Any) -> None:
        """Puts the environment into `state` `[S]`: the next step is bit-identical to any taken from there.

        Raises:
            ValueError: `state` has another shape, or is not finite.
        """
        array = np.array(state, dtype=np.float64)
        if array.shape != (len(self.state_names),) or not np.isfinite(array).all():
            names = ", ".join(self.state_names)
            raise ValueError(f"state must be {len(self.state_names)} finite numbers ({names}), got {state!r}")
        self.state = array

    @abstractmethod
    def _whole_observation(self) -> Float32Array:
        """Returns what Gymnasium's environment shows of the current state."""


class MaskedCartPoleEnv(_VelocitiesHidden, CartPoleEnv):
    """Gymnasium's CartPole-v1 that shows positions only.

    Observation `[2]` float32: x, θ. Motion, actions, rewards, starts, ends, pictures and arguments are Gymnasium's.
    State `[4]` float64: x, dx/dt, θ, dθ/dt.
    Differs from Wierstra et al. 2007: the push is to the left or to the right, at CartPole-v1's strength and limits.

    Args:
        **kwargs: Arguments of Gymnasium's environment: `sutton_barto_reward`, `render_mode`.
    """

    shown = (0, 2)
    state_names = ("x", "x_dot", "theta", "theta_dot")

    def set_state(self, state: Any) -> None:
        """Puts the cart and the pole into `state` `[4]`, in an episode that goes on."""
        super().set_state(state)
        self.steps_beyond_terminated = None

    def _whole_observation(self) -> Float32Array:
        return self.get_state().astype(np.float32)


class MaskedPendulumEnv(_VelocitiesHidden, PendulumEnv):
    """Gymnasium's Pendulum-v1 that shows the angle only.

    Observation `[2]` float32: cos θ, sin θ; θ = 0 is upright. Motion, actions, rewards, starts, pictures and
    arguments are Gymnasium's.
    State `[2]` float64: θ, dθ/dt.

    Args:
        **kwargs: Arguments of Gymnasium's environment: `g`, `render_mode`.
    """

    shown = (0, 1)
    state_names = ("theta", "theta_dot")

    def set_state(self, state: Any) -> None:
        """Puts the pendulum into `state` `[2]`, with no torque to be drawn."""
        super().set_state(state)
        self.last_u = None

    def _whole_observation(self) -> Float32Array:
        theta, theta_dot = self.get_state()
        return np.array([np.cos(theta), np.sin(theta), theta_dot], dtype=np.float32)
