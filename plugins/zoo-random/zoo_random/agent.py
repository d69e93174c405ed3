"""An agent that acts uniformly at random and learns nothing."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from gymnasium import Space
from stable_baselines3.common.utils import is_vectorized_observation
from torch import Tensor

from zoo_core import Agent
from zoo_core.seeding import set_space_streams, space_streams, stream_seed

STEPS_PER_ITERATION = 100  # env steps between two entries of the log


class RandomAgent(Agent):
    """Draws every action from the action space: uniformly where it is bounded, else as Gymnasium samples it.

    Learning and `predict` draw from two streams of the agent's seed, so an evaluation changes nothing in
    learning.
    """

    def __init__(self, env: Any, config: Any = None, **kwargs: Any) -> None:
        super().__init__(env, config, **kwargs)
        self._learning = self._stream("learning")
        self._acting = self._stream("acting")

    def iterate(self) -> dict[str, float]:
        """Acts for a while in the environment; there is nothing to learn."""
        num_envs = self.env.num_envs
        for _ in range(0, min(STEPS_PER_ITERATION, self.remaining_timesteps), num_envs):
            self.env.step(_sample(self._learning, num_envs))
            if self.env.stop:
                break
        return {}

    def begin_episodes(self) -> None:
        """Resets the environment."""
        self.env.reset()

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: np.ndarray[Any, Any] | None = None,
        deterministic: bool = False,
    ) -> tuple[Any, Any]:
        """Returns random actions, one for each row of `observation`; `deterministic` changes nothing."""
        first = next(iter(observation.values())) if isinstance(observation, dict) else observation
        if not is_vectorized_observation(observation, self.observation_space):
            return _sample(self._acting, 1)[0], state
        return _sample(self._acting, len(first)), state

    def to_file(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Returns where the two streams stand: nothing else is worth keeping."""
        return {"learning": space_streams(self._learning), "acting": space_streams(self._acting)}, {}

    def load_file(self, data: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """Sets the two streams to where they stood."""
        set_space_streams(self._learning, data["learning"])
        set_space_streams(self._acting, data["acting"])

    def _stream(self, name: str) -> Space[Any]:
        space: Space[Any] = copy.deepcopy(self.action_space)
        space.seed(stream_seed(self.seed, name))
        return space


def _sample(space: Space[Any], num: int) -> np.ndarray[Any, Any]:
    return np.stack([space.sample() for _ in range(num)])
