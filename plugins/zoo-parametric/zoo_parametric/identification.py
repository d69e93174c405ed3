"""Finds unknown constants by least squares, and says how far the data tells them."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from zoo_core.errors import NonFiniteError
from zoo_parametric.coordinates import Coordinates
from zoo_parametric.levenberg_marquardt import minimize
from zoo_parametric.one_step_errors import OneStepErrors

NUM_COMPETING = 1_000  # transitions on which the starts compete; the best goes on with all of them
RACE = 25  # iterations after which it is chosen
# Pulls to the guesses leave constants there that the data says nothing of: first a strong one, whose minimum is quickly
# found, then one that only keeps the equations solvable, and moves nothing that the data tells.
RACE_RIDGE, RIDGE = 1e-6, 1e-14
MIN_EIGENVALUE = 1e-12  # of the scaled curvature; below it float64 cannot tell the direction from one without any
MIN_SHARE = 0.1  # constants with such a component of a direction that the data cannot tell take part in it


class Identified(NamedTuple):
    """What was found.

    Attributes:
        values: `[P]` the constants.
        std_errors: `[P]` their standard errors; infinite where the data cannot tell.
        unexplained: root mean squared error, in units of the outputs' deviations.
        iterations: of the search.
    """

    values: Tensor
    std_errors: Tensor
    unexplained: float
    iterations: int


def identify(
    errors: OneStepErrors,
    coordinates: Coordinates,
    starts: Tensor,
    *,
    max_iterations: int,
    callback: Callable[[int, dict[str, float]], None] | None = None,
) -> Identified:
    """Finds the constants that predict the data best.

    Args:
        errors: of predictions, on transitions in random order.
        coordinates: of the constants.
        starts: `[S, P]` float64, points where the search begins.
        max_iterations: of the search.
        callback: called with the iterations made and metrics.

    Raises:
        NonFiniteError: the equations give NaN or infinity from every start.
    """
    num, limit = min(NUM_COMPETING, len(errors.data.obs)), min(RACE, max_iterations)
    competing = functools.partial(errors.normal, ridge=RACE_RIDGE, num=num)
    race = minimize(competing, starts, max_iterations=limit, callback=_reporter(callback, 0))
    winner = race.point[race.cost.nan_to_num(math.inf, math.inf, math.inf).argmin()][None]
    everything = functools.partial(errors.normal, ridge=RIDGE)
    left = max_iterations - race.iterations
    final = minimize(everything, winner, max_iterations=left, callback=_reporter(callback, race.iterations))
    if not all(bool(part.isfinite().all()) for part in everything(final.point)):
        raise NonFiniteError(
            f"the equations of {errors.name}, or their derivatives, give NaN or infinity for this data, at the guesses "
            "and wherever else the search began: other guesses= may help"
        )
    point = final.point[0]
    return Identified(
        coordinates.values(point),
        _std_errors(errors, point, coordinates.positive) * coordinates.slope(point).abs(),
        _root(final.cost),
        race.iterations + final.iterations,
    )


def _reporter(
    callback: Callable[[int, dict[str, float]], None] | None, before: int
) -> Callable[[int, Tensor], None] | None:
    if callback is None:
        return None
    return lambda iterations, cost: callback(before + iterations, {"unexplained": _root(cost)})


def _root(cost: Tensor) -> float:
    return math.sqrt(2.0 * float(cost.nan_to_num(math.inf).min()))


def _std_errors(errors: OneStepErrors, point: Tensor, positive: Tensor) -> Tensor:
    """Returns standard errors `[P]` of the coordinates: White's, which hold whatever the noise of each transition and
    output (White 1980, doi:10.2307/1912934).
    """
    num, size = len(errors.data.obs), len(point)
    bread, meat = point.new_zeros(size, size), point.new_zeros(size, size)
    for data in errors.chunks():
        wrong, jacobian = (part[0] for part in errors.linearized(point[None], data))
        score = torch.einsum("nop,no->np", jacobian, wrong)
        bread += torch.einsum("nop,noq->pq", jacobian, jacobian)
        meat += score.T @ score
    scale = torch.diagonal(bread).sqrt()
    scale = torch.where(scale > 0.0, scale, 1.0)
    value, vector = torch.linalg.eigh(bread / torch.outer(scale, scale))
    told = value > MIN_EIGENVALUE
    inverse = (vector[:, told] / value[told]) @ vector[:, told].T / torch.outer(scale, scale)
    few = num / max(num - size, 1)
    result = torch.diagonal(few * inverse @ meat @ inverse).clamp_min(0.0).sqrt()
    untold = (vector[:, ~told].abs() > MIN_SHARE).any(1) | (positive & (result > 1.0))
    return torch.where(untold, math.inf, result)
