"""Small GIFs: a policy in an environment, and a dream beside the reality that began at the same observation."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from zoo_core import spaces
from zoo_core.archive import write_atomically
from zoo_core.dream import DreamEnv, LatentObservation
from zoo_core.errors import ZooError
from zoo_core.plugins import make_env
from zoo_core.world_model import WorldModel

Frame = np.ndarray[Any, Any]  # [H, W, 3] uint8

SIDE = 320  # pixels of a frame's longer side, so that a long film fits in memory
MAX_FRAMES = 300  # longer films skip frames and keep their speed
MAX_BYTES = 2 * 2**20  # larger films skip more frames
_STRIP = 24  # pixels of the label's height
_FONT_SIZE = 14
_PALETTE_FRAMES = 8  # frames that the colours are taken from
_BAR = 4  # pixels between two panels


@dataclass(frozen=True)
class Film:
    """One episode: frames `[H, W, 3]` uint8 (the first shows the reset), return, length in steps, frames a second."""

    frames: list[Frame]
    episode_return: float
    length: int
    fps: float


def make_drawn_env(env_id: str, env_kwargs: dict[str, Any] | None = None, env_state: Any = None) -> gym.Env[Any, Any]:
    """Makes an environment that draws itself.

    Args:
        env_id: Of the environment.
        env_kwargs: Its arguments.
        env_state: What `get_state` of such an environment returned: what outlives an episode is as it was there.

    Raises:
        ZooError: It draws no pictures.
    """
    env_kwargs = env_kwargs or {}
    probe = make_env(env_id, **env_kwargs)
    modes = probe.metadata.get("render_modes") or []
    probe.close()
    if "rgb_array" not in modes:
        raise ZooError(f"environment {env_id!r} draws no pictures: its render modes are {modes}")
    env: Any = make_env(env_id, **{**env_kwargs, "render_mode": "rgb_array"})
    if env_state is not None:
        env.reset()
        env.unwrapped.set_state(env_state)
    return env  # type: ignore[no-any-return]


def record(
    policy: Any,
    env: gym.Env[Any, Any],
    *,
    seed: int | None = None,
    options: dict[str, Any] | None = None,
    max_steps: int = 500,
    deterministic: bool = True,
) -> Film:
    """Films one episode of a policy in an environment with `render_mode="rgb_array"`.

    Args:
        policy: Anything with SB3's `predict`.
        env: To act in.
        seed: Of the reset.
        options: Of the reset.
        max_steps: The film ends after so many steps.
        deterministic: Take the best action rather than a sample.

    Raises:
        ZooError: The environment draws no pictures.
    """
    obs, _ = env.reset(seed=seed, options=options)
    frames, total, state, over = [_draw(env)], 0.0, None, False
    while not over and len(frames) <= max_steps:
        batch = spaces.batch_of(env.observation_space, [obs])
        start = np.array([len(frames) == 1])
        action, state = policy.predict(batch, state=state, episode_start=start, deterministic=deterministic)
        obs, reward, terminated, truncated, _ = env.step(action[0])
        frames.append(_draw(env))
        total, over = total + float(reward), terminated or truncated
    return Film(frames, total, len(frames) - 1, float(env.metadata.get("render_fps", 30)))


def record_gif(
    policy: Any,
    env: str | gym.Env[Any, Any],
    path: str | Path,
    *,
    seed: int | None = None,
    max_steps: int = 500,
    deterministic: bool = True,
    env_kwargs: dict[str, Any] | None = None,
    env_state: Any = None,
) -> Film:
    """Films one episode, as `record` does, and writes it to a GIF.

    Args:
        policy: Anything with SB3's `predict`.
        env: An id, or an environment with `render_mode="rgb_array"`.
        path: Of the GIF.
        seed: Of the reset.
        max_steps: The film ends after so many steps.
        deterministic: Take the best action rather than a sample.
        env_kwargs: Arguments of the environment, where `env` is an id.
        env_state: As in `make_drawn_env`, where `env` is an id.

    Raises:
        ZooError: The environment draws no pictures.
    """
    made = make_drawn_env(env, env_kwargs, env_state) if isinstance(env, str) else env
    try:
        film = record(policy, made, seed=seed, max_steps=max_steps, deterministic=deterministic)
    finally:
        if isinstance(env, str):
            made.close()
    write_gif(film.frames, path, fps=film.fps)
    return film


def dream_and_reality(
    policy: Any,
    model: WorldModel,
    env_id: str,
    *,
    steps: int = 200,
    seed: int = 0,
    env_kwargs: dict[str, Any] | None = None,
    env_state: Any = None,
    observation: str = "decoded",
    temperature: float = 1.0,
) -> tuple[Film, Film]:
    """Films the same policy in a dream and in reality, from the same first observation.

    Args:
        policy: Anything with SB3's `predict`; it acts deterministically.
        model: To dream in.
        env_id: The reality.
        steps: At most so many.
        seed: Of the reality's reset, and of the dream's randomness.
        env_kwargs: Arguments of the environment.
        env_state: As in `make_drawn_env`.
        observation: What the policy sees: "decoded" or "latent".
        temperature: Of the model's randomness.

    Returns:
        The dream and the reality; one of them may end earlier.

    Raises:
        ZooError: The environment draws no pictures.
    """
    real = make_drawn_env(env_id, env_kwargs, env_state)
    dream = DreamEnv(
        model,
        steps,
        render_mode="rgb_array",
        observation=observation,
        temperature=temperature,
    )
    try:
        start, _ = real.reset(seed=seed)  # the same observation again when `record` resets with this seed
        acting = LatentObservation(real, model, seed=seed) if observation == "latent" else real
        dreamed = record(policy, dream, seed=seed, options={"start": start}, max_steps=steps)
        happened = record(policy, acting, seed=seed, max_steps=steps)
    finally:
        real.close()
        dream.close()
    return dreamed, happened


def side_by_side_gif(
    dream_frames: Sequence[Frame],
    real_frames: Sequence[Frame],
    path: str | Path,
    labels: tuple[str, str] = ("dream", "reality"),
    *,
    fps: float = 30.0,
) -> Path:
    """Writes two films as one, each under its label; the shorter one stands still at its end.

    Args:
        dream_frames: Frames `[H, W, 3]` uint8 of the left panel.
        real_frames: Frames of the right panel; they may differ in size.
        path: Of the GIF.
        labels: Of the two panels.
        fps: Frames a second.
    """
    num = max(len(dream_frames), len(real_frames))
    films = [
        _label([_shrink(frame) for frame in film], label)
        for film, label in zip((dream_frames, real_frames), labels, strict=True)
    ]
    joined = [_join([film[min(i, len(film) - 1)] for film in films]) for i in range(num)]
    return write_gif(joined, path, fps=fps)


def write_gif(frames: Sequence[Frame], path: str | Path, *, fps: float = 30.0) -> Path:
    """Writes frames to a GIF that loops, atomically; it has 300 frames and about 2 MiB at most.

    Frames are left out where these limits ask for it; the film keeps its speed.

    Args:
        frames: `[H, W, 3]` uint8, all of one size.
        path: Where to; its directory is made.
        fps: Frames a second.

    Raises:
        ValueError: There is no frame.
    """
    if not frames:
        raise ValueError("a GIF takes at least one frame, got none")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    every = math.ceil(len(frames) / MAX_FRAMES)
    data = _encode(frames[::every], fps / every)
    while len(data) > MAX_BYTES and every < len(frames):
        every *= 2
        data = _encode(frames[::every], fps / every)
    write_atomically(path, lambda file: file.write(data))
    return path


def _draw(env: gym.Env[Any, Any]) -> Frame:
    if env.render_mode != "rgb_array":
        raise ZooError(
            f'the environment draws no pictures: make it with render_mode="rgb_array", not {env.render_mode!r}'
        )
    picture: Any = env.render()
    return _shrink(np.asarray(picture, dtype=np.uint8))


def _shrink(frame: Frame) -> Frame:
    height, width = frame.shape[:2]
    scale = SIDE / max(height, width)
    if scale >= 1:
        return frame
    size = (round(width * scale), round(height * scale))
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BOX))


def _label(frames: Sequence[Frame], text: str) -> list[Frame]:
    """Returns the frames under a white strip with the text in its middle."""
    width = frames[0].shape[1]
    strip = Image.new("RGB", (width, _STRIP), "white")
    font = ImageFont.load_default(_FONT_SIZE)
    ImageDraw.Draw(strip).text((width / 2, _STRIP / 2), text, fill="black", font=font, anchor="mm")
    return [np.concatenate([np.asarray(strip), frame]) for frame in frames]


def _join(panels: Sequence[Frame]) -> Frame:
    """Returns the panels in a row, aligned at the top, with a grey bar between them."""
    height = max(panel.shape[0] for panel in panels)
    bar = np.full((height, _BAR, 3), 200, np.uint8)
    parts: list[Frame] = []
    for panel in panels:
        below = ((0, height - panel.shape[0]), (0, 0), (0, 0))
        parts += [bar, np.pad(panel, below, constant_values=255)]
    return np.concatenate(parts[1:], axis=1)


def _encode(frames: Sequence[Frame], fps: float) -> bytes:
    """Returns the bytes of a GIF; one palette for all frames is quick to apply and keeps what stands still small."""
    sample = frames[:: math.ceil(len(frames) / _PALETTE_FRAMES)]
    palette = Image.fromarray(np.concatenate(sample)).quantize(256)
    first, *rest = (Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames)
    milliseconds = max(20, round(100 / fps) * 10)  # GIFs count in hundredths; viewers slow down what is faster
    file = io.BytesIO()
    first.save(file, format="GIF", save_all=True, append_images=rest, duration=milliseconds, loop=0)
    return file.getvalue()
