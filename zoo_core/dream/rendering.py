"""Pictures of dreams: the decoded image, the real environment's drawing of the decoded state, or a plot."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from gymnasium.spaces import Discrete

from zoo_core import spaces, world_model as beliefs
from zoo_core.errors import Undecodable, ZooError
from zoo_core.plugins import make_env
from zoo_core.simulator import SettableEnv

if TYPE_CHECKING:
    from zoo_core.dream.imagination import Imagination

Array = np.ndarray[Any, Any]
_MIN_SIDE = 128  # smaller images are enlarged by a whole factor


class DreamRenderer:
    """Draws single dreams of an `Imagination` as `[H, W, 3]` uint8."""

    def __init__(self, imagination: Imagination) -> None:
        self._imagination = imagination
        self._canvas: ObservationRenderer | None = None

    def draw(self, row: int) -> Array:
        """Returns a picture of dream `row`."""
        model, state = self._imagination.model, self._imagination.state
        if state is None:
            raise RuntimeError("call reset() before render()")
        state = beliefs.index(state, slice(row, row + 1))
        with torch.no_grad():
            try:
                decoded = model.decode(state)
            except Undecodable:
                return _plot(model.features(state)[0].cpu().numpy(), "features")
        if self._canvas is None:
            self._canvas = ObservationRenderer(model.observation_space, model.env_id)
        obs = spaces.to_numpy(model.observation_space, decoded)
        return self._canvas.draw(spaces.index(model.observation_space, obs, 0))

    def close(self) -> None:
        """Closes the environment that draws."""
        if self._canvas is not None:
            self._canvas.close()


class ObservationRenderer:
    """Draws observations: images as they are, others by the environment `env_id` if its state can be set, else as a
    plot.
    """

    def __init__(self, observation_space: Any, env_id: str | None) -> None:
        self._space = observation_space
        self._env: Any = None
        if env_id is not None and not spaces.is_image(observation_space):
            try:
                self._env = make_env(env_id, render_mode="rgb_array")
                self._put = _setter(self._env, observation_space)
            except (
                ZooError,
                TypeError,
                ValueError,
            ):  # unknown here, without pictures, or its state cannot be set
                self._env = None

    def draw(self, obs: Any) -> Array:
        """Returns a picture of one observation."""
        if spaces.is_image(self._space):
            return _as_rgb(obs)
        if self._env is not None:
            self._put(obs)
            return np.asarray(self._env.unwrapped.render(), dtype=np.uint8)
        tensor = spaces.to_tensor(self._space, spaces.map_space(self._space, lambda _, v: np.asarray(v)[None], obs))
        return _plot(spaces.flatten(self._space, tensor)[0].numpy(), "observation")

    def close(self) -> None:
        """Closes the environment that draws."""
        if self._env is not None:
            self._env.close()


def _setter(env: Any, observation_space: Any) -> Callable[[Any], None]:
    """Returns a function that puts an environment where an observation shows it to be.

    Raises:
        TypeError: that cannot be done.
        ValueError: the environment is another one than was observed, such as a map of another size.
    """
    if env.observation_space != observation_space:
        raise ValueError(f"{env} has observations in {env.observation_space}, not in {observation_space}")
    env.reset()
    if isinstance(observation_space, Discrete) and hasattr(env.unwrapped, "s"):  # as in Gymnasium's toy text
        return lambda obs: setattr(env.unwrapped, "s", int(obs))
    settable = SettableEnv(env)
    return lambda obs: settable.set_state(settable.state_from_observation(obs))


def _as_rgb(image: Array) -> Array:
    image = image[..., None] if image.ndim == 2 else image
    image = np.repeat(image[..., :1], 3, axis=-1) if image.shape[-1] != 3 else image
    factor = max(1, -(-_MIN_SIDE // min(image.shape[:2])))
    return np.ascontiguousarray(image.repeat(factor, 0).repeat(factor, 1))


def _plot(values: Array, title: str) -> Array:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4, 3), dpi=80, layout="constrained")
    axes = figure.add_subplot()
    axes.bar(np.arange(len(values)), values, color="tab:blue")
    axes.axhline(0.0, color="black", linewidth=0.8)
    axes.set(title=title, xlabel="dimension", ylabel="value")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels: Array = np.array(canvas.buffer_rgba(), dtype=np.uint8)  # type: ignore[no-untyped-call]
    return pixels[..., :3].copy()
