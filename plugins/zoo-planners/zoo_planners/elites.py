"""The best of the candidates, which the next ones are drawn like."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from zoo_core.world_model import WorldModel
from zoo_planners.returns import rank_nan_last


class Elites(NamedTuple):
    """The best K candidates of each of B roots, the very best first.

    Attributes:
        sequences: `[B, K, H, ...]`.
        returns: `[B, K]`; −∞ for one that is here only because too few candidates have a return.
    """

    sequences: Tensor
    returns: Tensor

    def equal_weights(self) -> Tensor:
        """Returns weights `[B, K]` that sum to 1, equal but for those of candidates without a return: 0."""
        counted = (self.returns > -torch.inf).float()
        return counted / counted.sum(1, keepdim=True)

    def mean_return(self, weights: Tensor) -> Tensor:
        """Returns the mean return `[B]` by weights `[B, K]`."""
        return torch.where(weights > 0, weights * self.returns, 0.0).sum(1)


def select_elites(sequences: Tensor, returns: Tensor, num_elites: int, model: WorldModel) -> Elites:
    """Returns the K candidates of the greatest returns.

    Args:
        sequences: `[B, N, H, ...]` candidates.
        returns: `[B, N]`, NaN where the model predicted NaN.
        num_elites: K, at most N.
        model: that predicted the returns, for messages.

    Raises:
        NonFiniteError: a root has no candidate with a return that is a number.
    """
    best, rows = rank_nan_last(returns, model).topk(num_elites, dim=1)
    roots = torch.arange(len(rows), device=rows.device)[:, None]
    return Elites(sequences[roots, rows], best)


def weigh(elites: Elites, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Returns mean and standard deviation `[B, H, A]` of the elites by their weights `[B, K]`, which sum to 1."""
    weights = weights[:, :, None, None]
    mean = (weights * elites.sequences).sum(1)
    variance = (weights * (elites.sequences - mean[:, None]).square()).sum(1)
    return mean, variance.sqrt()
