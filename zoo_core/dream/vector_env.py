"""The Gymnasium vector face: `DreamVectorEnv`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from zoo_core import spaces
from zoo_core.dream.imagination import DreamStep, open_imagination
from zoo_core.dream.rendering import DreamRenderer
from zoo_core.dream.sb3 import truncation_reason
from zoo_core.world_model import WorldModel

Array = np.ndarray[Any, Any]


class DreamVectorEnv(VectorEnv[Any, Any, Any]):
    """A `gymnasium.vector.VectorEnv` of dreams.

    Args:
        model: a world model, or the path of a saved one.
        num_envs: dreams that are stepped together.
        horizon: steps after which a dream is truncated.
        autoreset_mode: NEXT_STEP (Gymnasium's default) or SAME_STEP.
        render_mode: "rgb_array", or None.
        **imagination: see `Imagination`.

    Raises:
        ValueError: the autoreset mode is DISABLED, or an argument is out of range.
    """

    def __init__(
        self,
        model: WorldModel | str | Path,
        num_envs: int = 1,
        horizon: int = 200,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        **imagination: Any,
    ) -> None:
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        if self.autoreset_mode is AutoresetMode.DISABLED:
            raise ValueError("autoreset_mode must be NEXT_STEP or SAME_STEP, got DISABLED")
        self.imagination = open_imagination(type(self), model, num_envs, horizon=horizon, **imagination)
        self.num_envs = num_envs
        self.single_observation_space = self.imagination.observation_space
        self.single_action_space = self.imagination.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.render_mode = render_mode
        self.metadata = {
            "render_modes": ["rgb_array"],
            "render_fps": 30,
            "autoreset_mode": self.autoreset_mode,
        }
        self._renderer = DreamRenderer(self.imagination)
        self._ended = np.zeros(num_envs, dtype=bool)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begins all dreams anew.

        Args:
            seed: starts the same dreams again; of a list, the first counts (dreams share one stream).
            options: `{"start": obs}` begins at given observations `[B, ...]`.
        """
        if isinstance(seed, list):
            seed = seed[0]
        obs = self.imagination.reset(seed)
        if options and "start" in options:
            obs = self.imagination.reset_to(options["start"])
        self._ended[:] = False
        return obs, {}

    def step(self, actions: Any) -> tuple[Any, Array, Array, Array, dict[str, Any]]:
        """Steps all dreams and, as the autoreset mode says, begins those again that ended."""
        if self.imagination.state is None:
            raise RuntimeError("call reset() before step()")
        step = self.imagination.step(actions)
        space = self.single_observation_space
        obs, reward = step.obs, step.reward.astype(np.float64)
        terminated, truncated = step.terminated, step.truncated
        infos: dict[str, Any] = {}
        if self.autoreset_mode is AutoresetMode.SAME_STEP:
            self._ended = terminated | truncated
            begin = np.flatnonzero(self._ended)
            if begin.size:
                infos = self._final_info(step)
        else:
            begin = np.flatnonzero(self._ended)
            reward[begin], terminated[begin], truncated[begin] = 0.0, False, False
            self._ended = terminated | truncated
            infos = self._reasons(step._replace(truncated=truncated))
        if begin.size:
            spaces.put(space, obs, begin, self.imagination.restart(begin))
        return obs, reward, terminated, truncated, infos

    def action_masks(self) -> Array:
        """Returns the legal actions of every dream, bool `[B, A]`."""
        return self.imagination.action_masks()

    def render(self) -> tuple[Array, ...] | None:
        """Returns a picture `[H, W, 3]` of every dream."""
        if self.render_mode is None:
            return None
        return tuple(self._renderer.draw(i) for i in range(self.num_envs))

    def close_extras(self, **kwargs: Any) -> None:
        """Closes the renderer."""
        self._renderer.close()

    def _final_info(self, step: DreamStep) -> dict[str, Any]:
        final = np.full(self.num_envs, None, dtype=object)
        for i in np.flatnonzero(self._ended):
            row = spaces.index(self.single_observation_space, step.obs, int(i))
            final[i] = spaces.map_space(self.single_observation_space, lambda _, leaf: leaf.copy(), row)
        ended = self._ended.copy()
        return {
            "final_obs": final,
            "_final_obs": ended,
            "final_info": self._reasons(step),
            "_final_info": ended.copy(),
        }

    def _reasons(self, step: DreamStep) -> dict[str, Any]:
        if not step.truncated.any():
            return {}
        reasons = np.full(self.num_envs, None, dtype=object)
        for i in np.flatnonzero(step.truncated):
            reasons[i] = truncation_reason(step, int(i))
        return {"dream/truncation": reasons, "_dream/truncation": step.truncated.copy()}
