"""A walk in a corridor, with observations and actions of every kind: the smallest real input for each fake."""

from __future__ import annotations

import copy
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

Array = np.ndarray[Any, Any]
_SIDE = 36  # pixels; the smallest image that SB3's check_env accepts without a warning
_KINDS = ("discrete", "vector", "image", "dict", "goal")


class Corridor(gym.Env[Any, Any]):
    """Walk from the left of a corridor to its right end; the floor is slippery.

    The position is in [0, 1] and starts below 0.4. A step moves by up to 0.1 to either side, and in one of ten cases
    not at all. Reaching 1 ends the episode with reward 1; every other step costs 0.05. With `observation="goal"` the
    episode never terminates, and the reward is that of `compute_reward`.

    Args:
        observation: "discrete" (the nearest of 11 places), "vector" (position and last move), "image" (36×36×1, one
            bright column), "dict" (position, and whether it is past the middle), or "goal" (as goal-conditioned
            environments show it).
        continuous: actions are Box(-1, 1) rather than left (0) and right (1).
    """

    metadata = {"render_modes": []}  # noqa: RUF012

    def __init__(self, observation: str = "vector", *, continuous: bool = False) -> None:
        if observation not in _KINDS:
            raise ValueError(f"observation must be one of {_KINDS}, got {observation!r}")
        self.kind = observation
        self.action_space: spaces.Space[Any] = spaces.Box(-1, 1, (1,)) if continuous else spaces.Discrete(2)
        self.observation_space: spaces.Space[Any] = _space(observation)
        self.position, self.moved, self.goal = 0.0, 0.0, 1.0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Goes back to the left."""
        super().reset(seed=seed)
        self.position, self.moved = self.np_random.uniform(0.0, 0.4), 0.0
        self.goal = self.np_random.uniform(0.5, 1.0) if self.kind == "goal" else 1.0
        return self._observation(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Moves."""
        wish = float(np.clip(action[0], -1, 1)) if isinstance(self.action_space, spaces.Box) else 2 * int(action) - 1
        before = self.position
        if self.np_random.random() >= 0.1:
            self.position = float(np.clip(before + 0.1 * wish, 0.0, 1.0))
        self.moved = self.position - before
        obs = self._observation()
        if self.kind == "goal":
            return (
                obs,
                float(self.compute_reward(obs["achieved_goal"], obs["desired_goal"], {})),
                False,
                False,
                {},
            )
        terminated = self.position >= 1.0
        return obs, 1.0 if terminated else -0.05, terminated, False, {}

    @staticmethod
    def compute_reward(achieved_goal: Array, desired_goal: Array, info: Any) -> Any:
        """Returns 0 where the goal is reached to within 0.1, else -1; single goals `[1]` or a batch `[B, 1]`."""
        far = np.abs(np.asarray(achieved_goal) - np.asarray(desired_goal))[..., 0] > np.float32(0.1)
        return -far.astype(np.float32)

    def _observation(self) -> Any:
        place = np.array([self.position], np.float32)
        if self.kind == "discrete":
            return np.int64(round(10 * self.position))
        if self.kind == "vector":
            return np.array([self.position, self.moved], np.float32)
        if self.kind == "image":
            image = np.zeros((_SIDE, _SIDE, 1), np.uint8)
            column = int(self.position * (_SIDE - 4))
            image[:, column : column + 4] = 255
            return image
        if self.kind == "dict":
            return {"place": place, "past_middle": np.int64(self.position > 0.5)}
        goal = np.array([self.goal], np.float32)
        return {
            "achieved_goal": place,
            "desired_goal": goal,
            "observation": np.append(place, np.float32(self.moved)),
        }


def _space(kind: str) -> spaces.Space[Any]:
    unit = spaces.Box(0.0, 1.0, (1,))
    vector = spaces.Box(np.array([0, -0.1], np.float32), np.array([1, 0.1], np.float32))
    if kind == "discrete":
        return spaces.Discrete(11)
    if kind == "vector":
        return vector
    if kind == "image":
        return spaces.Box(0, 255, (_SIDE, _SIDE, 1), np.uint8)
    if kind == "dict":
        return spaces.Dict({"place": unit, "past_middle": spaces.Discrete(2)})
    return spaces.Dict({"achieved_goal": unit, "desired_goal": copy.deepcopy(unit), "observation": vector})
