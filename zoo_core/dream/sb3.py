"""The SB3 face: `DreamVecEnv` puts any SB3 algorithm inside a world model."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvObs, VecEnvStepReturn

from zoo_core import spaces
from zoo_core.dream.imagination import DreamStep, open_imagination
from zoo_core.dream.rendering import DreamRenderer
from zoo_core.world_model import WorldModel


class DreamVecEnv(VecEnv):
    """An SB3 VecEnv of `num_envs` dreams.

    Ended dreams begin again at once; `terminal_observation`, `TimeLimit.truncated` and `episode` are in their `info`,
    as a Monitor would have put them there.

    Args:
        model: a world model, or the path of a saved one.
        num_envs: dreams that are stepped together.
        horizon: steps after which a dream is truncated.
        render_mode: "rgb_array", or None.
        **imagination: `observation`, `starts`, `temperature`, `uncertainty_penalty`, `max_uncertainty`, `on_uncertain`,
            `uncertain_reward`, `opponent`, `seed`: see `Imagination`.
    """

    spec = None  # what Gymnasium's environments have; dreams are made without one

    def __init__(
        self,
        model: WorldModel | str | Path,
        num_envs: int = 256,
        horizon: int = 200,
        *,
        render_mode: str | None = None,
        **imagination: Any,
    ) -> None:
        self.imagination = open_imagination(type(self), model, num_envs, horizon=horizon, **imagination)
        self.render_mode = render_mode
        super().__init__(num_envs, self.imagination.observation_space, self.imagination.action_space)
        self._renderer = DreamRenderer(self.imagination)
        self._returns = np.zeros(num_envs)
        self._begun = time.perf_counter()
        self._actions: Any = None

    @property
    def model(self) -> WorldModel:
        """The world model."""
        return self.imagination.model

    def reset(self) -> VecEnvObs:
        """Begins all dreams anew; after `seed(n)` the same dreams as with `seed=n`.

        After `set_options([{"start": obs}, ...])` they begin at given observations.
        """
        obs = self.imagination.reset(self._seeds[0])
        if starts := [options["start"] for options in self._options if "start" in options]:
            obs = self.imagination.reset_to(spaces.batch_of(self.model.observation_space, starts))
        self._reset_seeds()
        self._reset_options()
        self._returns[:] = 0.0
        return obs  # type: ignore[no-any-return]

    def step_async(self, actions: np.ndarray[Any, Any]) -> None:
        """Keeps the actions for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Steps all dreams; those that end begin again."""
        if self.imagination.state is None:
            raise RuntimeError("call reset() before step()")
        step = self.imagination.step(self._actions)
        self._returns += step.reward
        dones = step.terminated | step.truncated
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        obs = step.obs
        ended = np.flatnonzero(dones)
        if ended.size:
            self._fill_infos(infos, ended, step)
            spaces.put(self.observation_space, obs, ended, self.imagination.restart(ended))
        return obs, step.reward, dones, infos

    def _fill_infos(self, infos: list[dict[str, Any]], ended: np.ndarray[Any, Any], step: DreamStep) -> None:
        elapsed = round(time.perf_counter() - self._begun, 6)
        ends = zip(
            ended.tolist(),
            spaces.unbatch(self.observation_space, spaces.index(self.observation_space, step.obs, ended)),
            step.truncated[ended].tolist(),
            self._returns[ended].tolist(),
            self.imagination.age[ended].tolist(),
            strict=True,
        )
        for i, final, truncated, total, length in ends:
            info = infos[i]
            info["terminal_observation"] = final
            info["TimeLimit.truncated"] = truncated
            info["episode"] = {"r": total, "l": length, "t": elapsed}
            if truncated:
                info["dream/truncation"] = truncation_reason(step, i)
        self._returns[ended] = 0.0

    def close(self) -> None:
        """Closes the renderer."""
        self._renderer.close()

    def get_images(self) -> Sequence[np.ndarray[Any, Any] | None]:
        """Returns a picture `[H, W, 3]` of every dream."""
        return [self._renderer.draw(i) for i in range(self.num_envs)]

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Returns an attribute of this environment or of its `imagination`, once for each dream asked for."""
        owner = self if hasattr(self, attr_name) else self.imagination
        return [getattr(owner, attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Sets an attribute of all dreams, such as `horizon` or `temperature`; they have none each of their own."""
        setattr(self.imagination if hasattr(self.imagination, attr_name) else self, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: VecEnvIndices = None, **method_kwargs: Any
    ) -> list[Any]:
        """Calls "action_masks" (legal actions of each dream) or "compute_reward" (of a goal-conditioned model).

        Raises:
            AttributeError: the method is neither, or the model has no such thing.
        """
        rows = list(self._get_indices(indices))
        if method_name == "action_masks":
            masks = self.action_masks()
            return [masks[i] for i in rows]
        if method_name == "compute_reward":
            compute: Any = self.model.compute_reward
            return [compute(*method_args, **method_kwargs) for _ in rows]
        raise AttributeError(f"dreams have no method {method_name!r}; they have action_masks and compute_reward")

    def action_masks(self) -> np.ndarray[Any, Any]:
        """Returns the legal actions of every dream, bool `[B, A]`."""
        return self.imagination.action_masks()

    def env_is_wrapped(self, wrapper_class: Any, indices: VecEnvIndices = None) -> list[bool]:
        """Returns True for Monitor: the episodes' returns and lengths are already in `info`."""
        from stable_baselines3.common.monitor import Monitor

        return [wrapper_class is Monitor for _ in self._get_indices(indices)]


def truncation_reason(step: DreamStep, row: int) -> str:
    """Returns why a dream was truncated: "uncertainty" or "horizon"."""
    return "uncertainty" if step.uncertain is not None and step.uncertain[row] else "horizon"
