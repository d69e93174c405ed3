"""Units in which errors of observations compare."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import Space, spaces as gym_spaces

from zoo_core import spaces

Array = np.ndarray[Any, Any]
_CONSTANT = 1e-6  # a deviation below this part of the mean's size is rounding: the value never changes
ROUNDING = 1e-5  # errors below this, in deviations of the data, are of float32


class Yardstick:
    """Takes observations apart into values, in deviations of the real data, and labels, which are right or wrong.

    Box parts give values: standardised in each dimension (what never changes keeps its unit), images in [0, 1]. All
    other parts give labels.

    Args:
        space: of the observations.
        obs: `[N, ...]` real observations, whose mean, deviation and commonest labels count.
    """

    def __init__(self, space: Space[Any], obs: Any) -> None:
        self._space = space
        self._mean: Any = 0.0
        self._std: Any = 1.0
        raw = self._raw_values(obs)
        self._mean = raw.mean(0, dtype=np.float64)
        self._std = np.where(self._images(), 1.0, deviation(raw))
        self.common = np.array([np.bincount(column).argmax() for column in self.labels(obs).T], dtype=np.int64)

    def values(self, obs: Any) -> Array:
        """Returns `[N, D]` float64, 0 at the mean of the real data."""
        standard: Array = (self._raw_values(obs) - self._mean) / self._std
        return standard

    def labels(self, obs: Any) -> Array:
        """Returns `[N, C]` int64 of everything that is no Box."""
        parts = [leaf for space, leaf in self._leaves(obs) if not isinstance(space, gym_spaces.Box)]
        return _flat(parts, np.int64, len(self._leaves(obs)[0][1]))

    def _raw_values(self, obs: Any) -> Array:
        parts = [
            np.asarray(leaf, np.float32) / (255.0 if spaces.is_image(space) else 1.0)
            for space, leaf in self._leaves(obs)
            if isinstance(space, gym_spaces.Box)
        ]
        return _flat(parts, np.float64, len(self._leaves(obs)[0][1]))

    def _images(self) -> Array:
        """Returns bool `[D]`, which values are pixels."""
        blank = spaces.zeros(self._space, 1)
        marks = [
            np.full(leaf.size, spaces.is_image(space))
            for space, leaf in self._leaves(blank)
            if isinstance(space, gym_spaces.Box)
        ]
        return np.concatenate([*marks, np.zeros(0, bool)])

    def _leaves(self, obs: Any) -> list[tuple[Space[Any], Array]]:
        found: list[tuple[Space[Any], Array]] = []
        spaces.map_space(self._space, lambda leaf, value: found.append((leaf, value)), obs)
        return found


def deviation(values: Array) -> Array:
    """Returns the deviation `[D]` of `values` `[N, D]`; 1 where they are constant."""
    mean, std = values.mean(0, dtype=np.float64), values.std(0, dtype=np.float64)
    return np.where(std > _CONSTANT * np.maximum(np.abs(mean), _CONSTANT), std, 1.0)


def rms(errors: Array) -> float:
    """Returns the root of the mean square."""
    return float(np.sqrt(np.mean(np.square(errors, dtype=np.float64))))


def _flat(parts: list[Array], dtype: Any, num: int) -> Array:
    columns = [np.asarray(part, dtype).reshape(num, -1) for part in parts]
    return np.concatenate([*columns, np.zeros((num, 0), dtype)], axis=1)
