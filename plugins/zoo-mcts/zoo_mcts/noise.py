"""Randomness of the roots: Dirichlet noise for PUCT, Gumbel noise for Gumbel MuZero; each tree has a stream."""

from __future__ import annotations

import math

import numpy as np

from zoo_mcts.compiled import Array, compiled, uniform
from zoo_mcts.policy_tree import ROOT, PolicyTree

_TINY = 2.0**-54  # half of the least number but 0 that `uniform` gives: its logarithm is finite


@compiled
def gumbel(streams: Array, row: int) -> float:
    """Draws from the standard Gumbel distribution."""
    return -math.log(-math.log(max(uniform(streams, row), _TINY)))


@compiled
def normal(streams: Array, row: int) -> float:
    """Draws from the standard normal distribution (Box & Muller 1958)."""
    radius = math.sqrt(-2.0 * math.log(max(uniform(streams, row), _TINY)))
    return radius * math.cos(2.0 * math.pi * uniform(streams, row))


@compiled
def log_gamma_variate(streams: Array, row: int, alpha: float) -> float:
    """Draws from the gamma distribution of shape α (Marsaglia & Tsang 2000, doi:10.1145/358407.358414).

    Returns:
        Its logarithm: with a small α the number itself is often too small for a float.
    """
    shape = alpha if alpha >= 1.0 else alpha + 1.0
    d = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        x = normal(streams, row)
        v = (1.0 + c * x) ** 3
        if v > 0.0 and math.log(max(uniform(streams, row), _TINY)) < 0.5 * x * x + d * (1.0 - v + math.log(v)):
            break
    drawn = math.log(d * v)
    return drawn if alpha >= 1.0 else drawn + math.log(max(uniform(streams, row), _TINY)) / alpha


@compiled
def mix_dirichlet_all(tree: PolicyTree, alpha: float, fraction: float) -> None:
    """Mixes noise into the priors of all roots: (1 - ε) P + ε η, η from Dirichlet(α) over the actions not ruled out.

    Args:
        tree: to change.
        alpha: α, greater than 0.
        fraction: ε.
    """
    scores = tree.scores
    for row in range(len(tree.node)):
        prior = tree.prior[row, ROOT]
        greatest = -np.inf
        for action in range(len(prior)):
            if prior[action] >= 0.0:
                scores[action] = log_gamma_variate(tree.streams, row, alpha)
                greatest = max(greatest, scores[action])
        total = 0.0
        for action in range(len(prior)):
            if prior[action] >= 0.0:
                scores[action] = math.exp(scores[action] - greatest)
                total += scores[action]
        for action in range(len(prior)):
            if prior[action] >= 0.0:
                prior[action] = (1.0 - fraction) * prior[action] + fraction * scores[action] / total
