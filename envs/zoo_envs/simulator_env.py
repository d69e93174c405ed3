"""An environment whose exact state can be read and set, and whose reward is a known function."""

from abc import ABC, abstractmethod
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from zoo_envs.canvas import Canvas, Surface

__all__ = ["Float32Array", "Float64Array", "SimulatorEnv"]

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]


class SimulatorEnv(gym.Env[Float32Array, Float32Array], ABC):
    """Base of the environments here: a subclass says what the state does, this class does the rest.

    The state is one float64 vector `[S]` and holds everything that decides the next step but the random
    generator.
    Actions outside the space are clipped to it, as in Gymnasium's Pendulum-v1; the reward is that of the
    clipped action.

    Args:
        observation_high: `[D]` bounds of the observations, which are symmetric around 0.
        action_high: `[A]` bounds of the actions, likewise.
        state_names: Name of each coordinate of the state, for error messages.
        fps: Frames a second at which rendered motion has its true speed.
        render_mode: "rgb_array", "human" (a window) or None.
    """

    metadata: dict[str, Any] = {"render_modes": ["human", "rgb_array"], "render_fps": 30}  # noqa: RUF012 (Gymnasium's attribute)

    def __init__(
        self,
        observation_high: Float64Array,
        action_high: Float64Array,
        *,
        state_names: tuple[str, ...],
        fps: int,
        render_mode: str | None,
    ) -> None:
        modes = self.metadata["render_modes"]
        if render_mode is not None and render_mode not in modes:
            raise ValueError(f"unknown render_mode {render_mode!r}: choose from {', '.join(modes)} or None")
        self.observation_space = _symmetric_box(observation_high)
        self.action_space = _symmetric_box(action_high)
        self._action_high = action_high.astype(np.float32).astype(np.float64)  # the bound that users see
        self.state_names = state_names
        self.render_mode = render_mode
        self.metadata = {**self.metadata, "render_fps": fps}
        self._canvas = Canvas(fps, window=render_mode == "human")
        self._state: Float64Array | None = None
        self._last_action = np.zeros_like(self._action_high)

    @abstractmethod
    def reward(self, obs: Any, action: Any, next_obs: Any) -> Any:
        """Computes the reward `[B]` of steps, as this environment does; arguments as in `known_functions`."""

    @abstractmethod
    def state_from_observation(self, obs: Any) -> Float64Array:
        """Returns the states `[B, S]` that observations `[B, D]` show, exact up to float32; B may be absent."""

    @abstractmethod
    def _observation(self, state: Float64Array) -> Float64Array:
        """Returns what is observed of `state`, before it is rounded to float32."""

    @abstractmethod
    def _initial_state(self) -> Float64Array:
        """Draws a state `[S]` from the start distribution."""

    @abstractmethod
    def _transition(self, state: Float64Array, action: Float64Array) -> tuple[Float64Array, bool]:
        """Returns the next state and whether the episode terminates in it."""

    @abstractmethod
    def _draw(self, surface: Surface) -> None:
        """Paints the current state."""

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float32Array, dict[str, Any]]:
        """Begins an episode at a random state, or at `options["state"]`."""
        super().reset(seed=seed)
        start = self._initial_state()  # drawn in any case, so that an option does not shift later episodes
        self.set_state(start if not options or "state" not in options else options["state"])
        if self.render_mode == "human":
            self.render()
        return self._rounded_observation(), {}

    def step(self, action: Any) -> tuple[Float32Array, float, bool, bool, dict[str, Any]]:
        """Takes a step.

        Args:
            action: `[A]` action; clipped to the action space.

        Raises:
            ValueError: The action has another shape than the action space, or holds a NaN.
        """
        state = self._current_state()
        clipped = self._clipped(action)
        obs = self._observation(state)
        self._state, terminated = self._transition(state, clipped)
        self._last_action = clipped
        reward = float(self.reward(obs, clipped, self._observation(self._state)))
        if self.render_mode == "human":
            self.render()
        return self._rounded_observation(), reward, terminated, False, {}

    def get_state(self) -> Float64Array:
        """Returns a copy of the exact state `[S]`."""
        return self._current_state().copy()

    def set_state(self, state: Any) -> None:
        """Puts the simulator into `state` `[S]`: the next step is bit-identical to any taken from there.

        Random noise, where there is any, comes from `np_random`, which is no part of the state.

        Raises:
            ValueError: `state` has another shape, or is not finite.
        """
        array = np.array(state, dtype=np.float64)
        if array.shape != (len(self.state_names),) or not np.isfinite(array).all():
            names = ", ".join(self.state_names)
            raise ValueError(f"state must be {len(self.state_names)} finite numbers ({names}), got {state!r}")
        self._state = array
        self._last_action = np.zeros_like(self._action_high)

    def render(self) -> NDArray[np.uint8] | None:
        """Returns the picture `[400, 600, 3]` of the state, or shows it in a window."""
        if self.render_mode is None:
            gym.logger.warn('render() shows nothing without a mode: make the env with render_mode="rgb_array"')
            return None
        self._current_state()
        return self._canvas.show(self._draw)

    def close(self) -> None:
        """Closes the window."""
        self._canvas.close()

    def _current_state(self) -> Float64Array:
        if self._state is None:
            raise gym.error.ResetNeeded("the environment has no state yet: call reset() or set_state() first")
        return self._state

    def _rounded_observation(self) -> Float32Array:
        return self._observation(self._current_state()).astype(np.float32)

    def _clipped(self, action: Any) -> Float64Array:
        high = self._action_high
        array = np.asarray(action, dtype=np.float64)
        if array.shape != high.shape or np.isnan(array).any():
            raise ValueError(f"action must be an array of shape {high.shape} without NaN, got {action!r}")
        return np.clip(array, -high, high)


def _symmetric_box(high: Float64Array) -> Any:
    bound = high.astype(np.float32)
    return gym.spaces.Box(-bound, bound, dtype=np.float32)
