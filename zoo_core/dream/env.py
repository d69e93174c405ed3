"""The Gymnasium face: `DreamEnv`, one dream."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from zoo_core import spaces
from zoo_core.dream.imagination import open_imagination
from zoo_core.dream.rendering import DreamRenderer
from zoo_core.dream.sb3 import truncation_reason
from zoo_core.world_model import WorldModel


class DreamEnv(gym.Env[Any, Any]):
    """A `gymnasium.Env` inside a world model; equal, step for step, to a vector face of one dream.

    Args:
        model: a world model, or the path of a saved one.
        horizon: steps after which a dream is truncated.
        render_mode: "rgb_array", or None.
        **imagination: see `Imagination`.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - as Gymnasium declares it
        "render_modes": ["rgb_array"],
        "render_fps": 30,
    }

    def __init__(
        self,
        model: WorldModel | str | Path,
        horizon: int = 200,
        *,
        render_mode: str | None = None,
        **imagination: Any,
    ) -> None:
        self.imagination = open_imagination(type(self), model, 1, horizon=horizon, **imagination)
        self.observation_space = self.imagination.observation_space
        self.action_space = self.imagination.action_space
        self.render_mode = render_mode
        self._renderer = DreamRenderer(self.imagination)

    @property
    def model(self) -> WorldModel:
        """The world model."""
        return self.imagination.model

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begins a dream.

        Args:
            seed: starts the same sequence of dreams again.
            options: `{"start": obs}` begins at a given observation.
        """
        super().reset(seed=seed)
        obs = self.imagination.reset(seed)
        if options and "start" in options:
            start = spaces.map_space(self.model.observation_space, lambda _, v: np.asarray(v)[None], options["start"])
            obs = self.imagination.reset_to(start)
        return self._single(obs), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Makes one step of the dream."""
        if self.imagination.state is None:
            raise gym.error.ResetNeeded("call reset() before step()")
        step = self.imagination.step(np.asarray(action)[None])
        truncated = bool(step.truncated[0])
        info = {"dream/truncation": truncation_reason(step, 0)} if truncated else {}
        return self._single(step.obs), float(step.reward[0]), bool(step.terminated[0]), truncated, info

    def action_masks(self) -> np.ndarray[Any, Any]:
        """Returns the legal actions, bool `[A]`."""
        masks: np.ndarray[Any, Any] = self.imagination.action_masks()[0]
        return masks

    @property
    def compute_reward(self) -> Callable[..., Any]:
        """The reward function of a goal-conditioned model; like other environments, other dreams have none."""
        if self.imagination.observation == "latent":
            raise AttributeError("a dream that shows latents has no goals to compute a reward from")
        compute: Callable[..., Any] = getattr(self.model, "compute_reward")  # noqa: B009 - most models have none
        return compute

    def render(self) -> np.ndarray[Any, Any] | None:
        """Returns a picture `[H, W, 3]` of the dream."""
        return None if self.render_mode is None else self._renderer.draw(0)

    def close(self) -> None:
        """Closes the renderer."""
        self._renderer.close()

    def _single(self, obs: Any) -> Any:
        return spaces.map_space(self.observation_space, lambda _, leaf: leaf[0], obs)
