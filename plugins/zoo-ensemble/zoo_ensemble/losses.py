"""Losses of probabilistic networks, as plain functions of tensors."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus


def bound_log_var(log_var: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Softly holds log-variances between learned bounds (Chua et al. 2018, arXiv:1805.12114, appendix A.1).

    Outside its data a network would predict any variance; the bounds keep the prediction within what training saw.

    Args:
        log_var: `[..., D]`.
        low: lower bound, broadcastable.
        high: upper bound, broadcastable.
    """
    log_var = high - softplus(high - log_var)
    return low + softplus(log_var - low)


def bounded_var(log_var: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Returns `exp(bound_log_var(log_var, low, high))` in a quarter of the time, for dreams: the two softplus cancel
    against the exponential, which leaves `e^low + e^high σ(log_var - high)`.
    """
    return torch.addcmul(torch.exp(low), torch.exp(high), torch.sigmoid(log_var - high))


def gaussian_nll(mean: Tensor, log_var: Tensor, target: Tensor) -> Tensor:
    """Returns `(mean - target)² exp(-log_var) + log_var`, elementwise: twice the negative log-likelihood of a Gaussian
    without its constant (Chua et al. 2018, eq. 1, with a diagonal covariance).
    """
    return (mean - target).square() * torch.exp(-log_var) + log_var
