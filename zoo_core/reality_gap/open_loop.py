"""Open-loop prediction: real actions replayed in the model, from beliefs along real episodes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoo_core import spaces, world_model as beliefs
from zoo_core.errors import Undecodable
from zoo_core.reality_gap.episodes import Episodes, Filtered, finite
from zoo_core.reality_gap.yardstick import Yardstick, moments, rms
from zoo_core.world_model import ModelStep, State, WorldModel

Array = np.ndarray[Any, Any]
_LEAST_SPREAD = 0.01  # of the typical deviation of features; one that hardly moves is measured in this unit


@dataclass(frozen=True)
class ErrorCurve:
    """Errors of predicted observations after k steps, one for each k.

    Attributes:
        kind: "rms" of values (standardised by the real data's deviation; images in [0, 1]), or "error rate" of labels.
        model: Of the model's expectation (temperature 0).
        copy_last: Of the observation where the prediction began.
        mean: Of the real data's mean, or commonest label.
        ratio: Of `model` to `copy_last`; None where nothing changed.
    """

    kind: str
    model: tuple[float, ...]
    copy_last: tuple[float, ...]
    mean: tuple[float, ...]
    ratio: tuple[float | None, ...]

    def over_best(self, i: int) -> float | None:
        """Returns the ratio of `model` to the better baseline at the i-th k; None if that makes no error."""
        best = min(self.copy_last[i], self.mean[i])
        return self.model[i] / best if best > 0 else None


@dataclass(frozen=True)
class OpenLoop:
    """Predictions k steps ahead.

    Attributes:
        steps: Each k.
        windows: Predictions for each k; none crosses the end of an episode.
        errors: Of observations, of each kind that they have; none if the model does not decode.
        reward_rmse: Of the reward of the k-th step, in its own unit.
        reward_std: Deviation of that reward: what predicting its mean would err.
    """

    steps: tuple[int, ...]
    windows: tuple[int, ...]
    errors: tuple[ErrorCurve, ...]
    reward_rmse: tuple[float, ...]
    reward_std: tuple[float, ...]


@dataclass(frozen=True)
class Drift:
    """Distance between features of dreamt and of filtered beliefs, in deviations of the filtered ones (RMS).

    Attributes:
        steps: Each k.
        dreamt: Of the belief dreamt for k steps, at the temperature of the dreams.
        standing_still: Of the belief where the dream began.
    """

    steps: tuple[int, ...]
    dreamt: tuple[float, ...]
    standing_still: tuple[float, ...]


def step_counts(horizon: int) -> tuple[int, ...]:
    """Returns 1, 2, 5, 10, 20, 50, ... up to `horizon`."""
    decades = range(len(str(horizon)))
    return tuple(k for decade in decades for k in (10**decade, 2 * 10**decade, 5 * 10**decade) if k <= horizon)


def unroll(
    model: WorldModel, real: Episodes, filtered: Filtered, starts: Array, *, rng: torch.Generator, temperature: float
) -> Iterator[tuple[int, Array, Array, ModelStep]]:
    """Replays the real actions from the beliefs at `starts` (rows of `filtered`), all at once.

    Yields:
        k, the starts with k more real steps in their episode, as episodes `[n]` and times `[n]`, and the k-th step.
    """
    state = beliefs.index(filtered.states, starts)
    episode, time = filtered.episode[starts], filtered.time[starts]
    done = 0
    for k in step_counts(real.reward.shape[1]):
        stays = time + k <= real.length[episode]
        if not stays.any():
            return
        state, episode, time = beliefs.index(state, np.flatnonzero(stays)), episode[stays], time[stays]
        for ahead in range(done, k):
            action = real.action_at(model, episode, time + ahead)
            step = model.step(state, action, rng=rng, temperature=temperature)
            state = step.state
        done = k
        yield k, episode, time, step


def open_loop(
    model: WorldModel, real: Episodes, filtered: Filtered, starts: Array, yardstick: Yardstick, *, rng: torch.Generator
) -> OpenLoop:
    """Measures the errors of the model's expectation, k steps ahead."""
    steps, windows, reward_rmse, reward_std = [], [], [], []
    errors: dict[str, list[tuple[float, float, float]]] = {}
    for k, episode, time, step in unroll(model, real, filtered, starts, rng=rng, temperature=0.0):
        steps.append(k)
        windows.append(len(episode))
        reward = real.reward[episode, time + k - 1]
        reward_rmse.append(rms(finite(model, "a reward", step.reward) - reward))
        reward_std.append(float(reward.std(dtype=np.float64)))
        predicted = decoded(model, step.state)
        if predicted is not None:
            began, happened = real.obs_at(episode, time), real.obs_at(episode, time + k)
            for kind, of_kind in compare(yardstick, (predicted, began), happened).items():
                errors.setdefault(kind, []).append(of_kind)
    curves = [_curve(kind, of_kind) for kind, of_kind in errors.items()]
    return OpenLoop(tuple(steps), tuple(windows), tuple(curves), tuple(reward_rmse), tuple(reward_std))


def compare(yardstick: Yardstick, guesses: tuple[Any, Any], happened: Any) -> dict[str, tuple[float, float, float]]:
    """Returns the errors of two guesses and of the mean, for each kind of part that observations have."""
    found: dict[str, tuple[float, float, float]] = {}
    if yardstick.num_values:
        squares, num = np.zeros(3), 0
        for *few, now in yardstick.chunks(*guesses, happened):
            values = yardstick.values(now)
            errors = (*(yardstick.values(guess) - values for guess in few), values)
            squares, num = squares + [np.square(error).sum() for error in errors], num + values.size
        first, second, mean = np.sqrt(squares / num).tolist()
        found["rms"] = (first, second, mean)
    labels = yardstick.labels(happened)
    if labels.shape[1]:
        first, second = (float((yardstick.labels(guess) != labels).mean()) for guess in guesses)
        found["error rate"] = (first, second, float((yardstick.common != labels).mean()))
    return found


def latent_drift(
    model: WorldModel, real: Episodes, filtered: Filtered, starts: Array, *, rng: torch.Generator, temperature: float
) -> Drift:
    """Measures how far dreamt beliefs are from those that filtering reality gives."""
    _, scale = moments(lambda: (of[: n + 1] for of, n in zip(filtered.features, real.length, strict=True)))
    scale = np.maximum(scale, _LEAST_SPREAD * rms(scale))
    rows = []
    for k, episode, time, step in unroll(model, real, filtered, starts, rng=rng, temperature=temperature):
        dreamt = finite(model, "a feature", model.features(step.state))
        began, now = filtered.features[episode, time], filtered.features[episode, time + k]
        rows.append((k, rms((dreamt - now) / scale), rms((began - now) / scale)))
    steps, drift, still = zip(*rows, strict=True)
    return Drift(steps, drift, still)


def decoded(model: WorldModel, state: State) -> Any | None:
    """Returns what a belief looks like, a NumPy nest as dreams show it; None if the model does not decode."""
    try:
        shown = model.decode(state)
    except Undecodable:
        return None

    def check(_: Any, leaf: Tensor) -> Tensor:
        if leaf.is_floating_point():
            finite(model, "an observation", leaf)
        return leaf

    return spaces.to_numpy(model.observation_space, spaces.map_space(model.observation_space, check, shown))


def _curve(kind: str, errors: list[tuple[float, float, float]]) -> ErrorCurve:
    model, copy_last, mean = zip(*errors, strict=True)
    ratio = tuple(own / copied if copied > 0 else None for own, copied in zip(model, copy_last, strict=True))
    return ErrorCurve(kind, model, copy_last, mean, ratio)
