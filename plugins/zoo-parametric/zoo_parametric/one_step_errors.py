"""The errors of one-step predictions: what the fit makes small."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from zoo_parametric.coordinates import Coordinates
from zoo_parametric.levenberg_marquardt import Normal
from zoo_parametric.system import System

MIN_STD = 1e-6  # an output that varies less is constant, and is not divided
CHUNK = 4_096  # transitions that are differentiated at a time


class Data(NamedTuple):
    """Transitions: `obs` `[N, D]`, `action` `[N, ...]`, `reward` `[N]`, `next_obs` `[N, D]`; numbers are float64."""

    obs: Tensor
    action: Tensor
    reward: Tensor
    next_obs: Tensor

    def rows(self, chosen: Tensor | slice) -> Data:
        """Returns some of the transitions."""
        return Data(*(column[chosen] for column in self))


class OneStepErrors:
    """Errors of next observations and rewards, in units of the deviation of what is to be predicted.

    Args:
        system: the equations.
        coordinates: of their constants.
        data: what happened.
        with_reward: whether rewards are predicted, too; each transition then has O = D + 1 errors, else D.
    """

    def __init__(self, system: System, coordinates: Coordinates, data: Data, *, with_reward: bool) -> None:
        self._system, self._coordinates, self._with_reward = system, coordinates, with_reward
        self.data = data
        self.name = type(system).__name__
        change = data.next_obs - data.obs
        if with_reward:
            change = torch.cat([change, data.reward[:, None]], dim=1)
        std = change.std(0, unbiased=False)
        self._scale = torch.where(std < MIN_STD, 1.0, std)

    def at(self, point: Tensor, data: Data) -> Tensor:
        """Returns the errors `[N, O]` at a point `[P]`."""
        constants = self._coordinates.constants(point)
        errors = self._system.next_obs(data.obs, data.action, constants) - data.next_obs
        if self._with_reward:
            reward = self._system.reward(data.obs, data.action, data.next_obs, constants)
            errors = torch.cat([errors, (reward - data.reward)[:, None]], dim=1)
        return errors / self._scale

    def linearized(self, points: Tensor, data: Data) -> tuple[Tensor, Tensor]:
        """Returns the errors `[S, N, O]` at points `[S, P]`, and their derivatives `[S, N, O, P]`."""

        def errors_twice(point: Tensor) -> tuple[Tensor, Tensor]:
            errors = self.at(point, data)
            return errors, errors

        with warnings.catch_warnings():  # of torch about itself, when forward mode is used for the first time
            warnings.filterwarnings("ignore", r".*torch\.jit\.script", DeprecationWarning)
            jacobian, errors = torch.func.vmap(torch.func.jacfwd(errors_twice, has_aux=True))(points)
        return errors, jacobian

    def normal(self, points: Tensor, *, ridge: float, num: int | None = None) -> Normal:
        """Returns the normal equations at points `[S, P]`, on the first `num` transitions; the cost is half the mean
        squared error, plus half the square of the distance from the guesses, times `ridge`.
        """
        num_points, num_constants = points.shape
        cost, gradient = points.new_zeros(num_points), torch.zeros_like(points)
        curvature = points.new_zeros(num_points, num_constants, num_constants)
        count = 0
        for data in self.chunks(num):
            errors, jacobian = (part.flatten(1, 2) for part in self.linearized(points, data))
            count += errors.shape[1]
            cost += 0.5 * errors.square().sum(1)
            gradient += torch.einsum("snp,sn->sp", jacobian, errors)
            curvature += torch.einsum("snp,snq->spq", jacobian, jacobian)
        pull = ridge * torch.eye(num_constants, dtype=points.dtype)
        return Normal(
            cost / count + 0.5 * ridge * points.square().sum(1),
            gradient / count + ridge * points,
            curvature / count + pull,
        )

    def chunks(self, num: int | None = None) -> Iterator[Data]:
        """Yields the first `num` transitions, all of them for None, a few thousand at a time."""
        num = len(self.data.obs) if num is None else num
        for begin in range(0, num, CHUNK):
            yield self.data.rows(slice(begin, min(begin + CHUNK, num)))
