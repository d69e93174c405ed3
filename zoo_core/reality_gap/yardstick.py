"""Units in which errors of observations compare."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import optree
from gymnasium import Space, spaces as gym_spaces

from zoo_core import spaces

Array = np.ndarray[Any, Any]
_CONSTANT = 1e-6  # a deviation below this part of the mean's size is rounding: the value never changes
ROUNDING = 1e-5  # errors below this, in deviations of the data, are of float32
_MAX_NUMBERS = 2**20  # taken apart at a time, so that images fit in memory


class Yardstick:
    """Takes observations apart into values, in deviations of the real data, and labels, which are right or wrong.

    Box parts give values: standardised in each dimension (what never changes keeps its unit), images in [0, 1]. All
    other parts give labels.

    Args:
        space: of the observations.
        obs: `[N, ...]` real observations, whose mean, deviation and commonest labels count.

    Attributes:
        num_values: D.
        common: `[C]` commonest label of each part.
    """

    def __init__(self, space: Space[Any], obs: Any) -> None:
        self._space = space
        images = self._images()
        self.num_values = len(images)
        self._mean, std = moments(lambda: (self._raw_values(chunk) for (chunk,) in self.chunks(obs)))
        self._std = np.where(images, 1.0, std)
        self.common = np.array([_commonest(column) for column in self.labels(obs).T], dtype=np.int64)

    def chunks(self, *batches: Any) -> Iterator[tuple[Any, ...]]:
        """Yields the same few rows of several batches of observations at a time."""
        num = max(1, _MAX_NUMBERS // max(1, self.num_values))
        for first in range(0, len(self._leaves(batches[0])[0][1]), num):
            rows = slice(first, first + num)
            yield tuple(optree.tree_map(lambda leaf: leaf[rows], batch) for batch in batches)  # noqa: B023 - used at once

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


def moments(parts: Callable[[], Iterable[Array]]) -> tuple[Array, Array]:
    """Returns the mean and the deviation `[D]` of values in parts `[N, D]`, which are asked for twice.

    The deviation is 1 where they are constant.
    """
    num, mean, square = 0, np.zeros(()), np.zeros(())
    for part in parts():
        num, mean = num + len(part), mean + part.sum(0, dtype=np.float64)
    mean = mean / num
    for part in parts():
        square = square + np.square(part - mean).sum(0)
    std = np.sqrt(square / num)
    return mean, np.where(std > _CONSTANT * np.maximum(np.abs(mean), _CONSTANT), std, 1.0)


def rms(errors: Array) -> float:
    """Returns the root of the mean square."""
    return float(np.sqrt(np.mean(np.square(errors, dtype=np.float64))))


def _commonest(labels: Array) -> int:
    values, counts = np.unique(labels, return_counts=True)
    return int(values[counts.argmax()])


def _flat(parts: list[Array], dtype: Any, num: int) -> Array:
    columns = [np.asarray(part, dtype).reshape(num, -1) for part in parts]
    return np.concatenate([*columns, np.zeros((num, 0), dtype)], axis=1)
