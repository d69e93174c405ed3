"""Where unknown constants are searched."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo_parametric.system import Constants, Unknown


class Coordinates:
    """Maps constants `[P]` to points `[P]` and back: 0 is the guess; positive constants have logarithmic coordinates.

    Args:
        unknowns: the constants.
    """

    def __init__(self, unknowns: tuple[Unknown, ...]) -> None:
        self.names = [each.name for each in unknowns]
        self.positive = torch.tensor([each.positive for each in unknowns])
        self.guess = torch.tensor([each.guess for each in unknowns], dtype=torch.float64)
        self._unit = torch.where(self.guess == 0.0, 1.0, self.guess.abs())

    def values(self, point: Tensor) -> Tensor:
        """Returns the constants at a point."""
        return torch.where(self.positive, self.guess * point.exp(), self.guess + self._unit * point)

    def constants(self, point: Tensor) -> Constants:
        """Returns the constants at a point by their names."""
        return dict(zip(self.names, self.values(point).unbind(), strict=True))

    def point(self, values: Tensor) -> Tensor:
        """Returns the point of constants."""
        ratio = torch.where(self.positive, values / self.guess, 1.0)
        return torch.where(self.positive, ratio.log(), (values - self.guess) / self._unit)

    def slope(self, point: Tensor) -> Tensor:
        """Returns by how much each constant changes with its coordinate."""
        return torch.where(self.positive, self.values(point), self._unit)
