"""Numbers as distributions over bins: MuZero's transform of rewards and values, and two-hot targets.

2 K + 1 bins stand at -K, ..., K of the transformed scale (Schrittwieser et al. 2020, arXiv:1911.08265, appendix F).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

SLOPE = 1e-3  # ε of h; keeps its inverse Lipschitz continuous (Pohlen et al. 2018, arXiv:1805.11593)


def transform(x: Tensor) -> Tensor:
    """Returns h(x) = sign(x) (√(|x| + 1) - 1) + ε x, which makes large numbers smaller."""
    return x.sign() * ((x.abs() + 1.0).sqrt() - 1.0) + SLOPE * x


def inverse(y: Tensor) -> Tensor:
    """Returns h⁻¹(y) = sign(y) (((√(1 + 4 ε (|y| + 1 + ε)) - 1) / 2 ε)² - 1).

    The root less one is written as a quotient: near 0 the difference would cost four digits.
    """
    inner = y.abs() + 1.0 + SLOPE
    root = 2.0 * inner / ((1.0 + 4.0 * SLOPE * inner).sqrt() + 1.0)
    return y.sign() * (root.square() - 1.0)


def neighbours(x: Tensor, support: int) -> tuple[Tensor, Tensor]:
    """Returns, for numbers `[...]`, the bin below h(x), int64, and the weight of the bin above it, in [0, 1].

    Numbers beyond the outer bins are taken as these.
    """
    place = transform(x).clamp(-support, support) + support
    below = place.floor().clamp_max(2 * support - 1)
    return below.long(), place - below


def two_hot(x: Tensor, support: int) -> Tensor:
    """Returns `[..., 2 K + 1]`: h(x) as the mean of the two bins next to it."""
    below, weight = neighbours(x, support)
    target = torch.zeros(*x.shape, 2 * support + 1, dtype=x.dtype, device=x.device)
    target.scatter_(-1, below[..., None], (1.0 - weight)[..., None])
    return target.scatter_(-1, below[..., None] + 1, weight[..., None])


def two_hot_loss(logits: Tensor, x: Tensor, support: int) -> Tensor:
    """Returns the cross-entropy `[...]` of logits `[..., 2 K + 1]` and `two_hot(x)`."""
    below, weight = neighbours(x, support)
    both = log_softmax(logits, -1).gather(-1, torch.stack([below, below + 1], -1))
    return -((1.0 - weight) * both[..., 0] + weight * both[..., 1])


def expectation(logits: Tensor, support: int) -> Tensor:
    """Returns the numbers `[...]` that logits `[..., 2 K + 1]` stand for: h⁻¹ of the mean bin."""
    bins = torch.arange(-support, support + 1, dtype=logits.dtype, device=logits.device)
    return inverse(logits.softmax(-1) @ bins)
