"""Nonlinear least squares from many starts at once (Levenberg 1944; Marquardt 1963, doi:10.1137/0111030)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

DAMPING = 1e-3  # λ at the start
MIN_DAMPING, MAX_DAMPING = 1e-16, 1e16  # beyond these λ changes nothing in float64
FACTOR = 10.0  # by which λ falls after a step that helped, and grows after one that did not (Marquardt's ν)
MAX_STEP = 1.0  # in each coordinate; of a logarithm, a factor of e
MIN_STEP = 1e-10  # steps smaller than this are the end


class Normal(NamedTuple):
    """The normal equations of S points.

    Attributes:
        cost: `[S]`.
        gradient: `[S, P]` of the cost.
        curvature: `[S, P, P]` of the cost, after Gauss and Newton: JᵀJ.
    """

    cost: Tensor
    gradient: Tensor
    curvature: Tensor


class Minimum(NamedTuple):
    """Where the searches ended.

    Attributes:
        point: `[S, P]`.
        cost: `[S]`; not finite where a search began at a point that has no cost.
        iterations: steps tried.
    """

    point: Tensor
    cost: Tensor
    iterations: int


def minimize(
    normal: Callable[[Tensor], Normal],
    start: Tensor,
    *,
    max_iterations: int,
    callback: Callable[[int, Tensor], None] | None = None,
) -> Minimum:
    """Descends from S points; a step that does not lower the cost, or has none, is not taken.

    Args:
        normal: gives the normal equations at points `[S, P]`.
        start: `[S, P]` float64.
        max_iterations: steps tried, at most.
        callback: called after every step with their number and the costs `[S]`.

    Returns:
        The points where no step helps any more, or those reached.
    """
    point, here = start, normal(start)
    damping = torch.full_like(here.cost, DAMPING)
    iterations = 0
    while iterations < max_iterations:
        step = _step(here, damping)
        there = normal(point + step)
        iterations += 1
        better = there.cost < here.cost  # never of NaN
        point = torch.where(better[:, None], point + step, point)
        here = Normal(*(torch.where(_as_wide(better, new), new, old) for new, old in zip(there, here, strict=True)))
        damping = torch.where(better, damping / FACTOR, damping * FACTOR).clamp(MIN_DAMPING, MAX_DAMPING)
        if callback is not None:
            callback(iterations, here.cost)
        if bool((step.abs() < MIN_STEP).all()):
            break
    return Minimum(point, here.cost, iterations)


def _step(here: Normal, damping: Tensor) -> Tensor:
    """Solves (JᵀJ + λ diag JᵀJ) step = -gradient, and holds the step to its limit; 0 from points without a cost."""
    scale = torch.diagonal(here.curvature, dim1=1, dim2=2)
    damped = here.curvature + torch.diag_embed(damping[:, None] * scale)
    step: Tensor = torch.linalg.solve_ex(damped, -here.gradient).result
    return step.nan_to_num(0.0, 0.0, 0.0).clamp(-MAX_STEP, MAX_STEP)


def _as_wide(mask: Tensor, values: Tensor) -> Tensor:
    return mask.reshape(-1, *[1] * (values.ndim - 1))
