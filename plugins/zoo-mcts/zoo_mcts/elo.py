"""Ratings from the results of games: the model of Bradley & Terry, on the scale of Elo."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from zoo_mcts.games.game import Array

SCALE = 400.0 / math.log(10.0)  # Elo points of a unit of log-odds
_DEVIATIONS = 1.959963984540054  # of a normal distribution, in which 95 % lie
_TOLERANCE = 1e-10  # of the score of a player, in games
_MAX_STEPS = 100


class Ratings(NamedTuple):
    """Ratings of P players.

    Attributes:
        elo: float64 `[P]`.
        margin: float64 `[P]`, half the width of the 95 % interval.
        finite: whether the results alone rate the players; else a drawn game was added to each pair that met, since
            some group of them never gave a point to the others, who would be rated infinitely lower.
    """

    elo: Array
    margin: Array
    finite: bool


def rate(points: Array, *, anchor: int | None = None) -> Ratings:
    """Rates players by maximum likelihood: Pr(i beats j) = 1 / (1 + 10^((Elo_j - Elo_i) / 400)).

    Bradley & Terry 1952 (doi:10.2307/2334029); a draw counts as half a win and half a loss. Intervals are those of the
    normal approximation, by the curvature of the likelihood; where many games are drawn they are wider than need be.

    Args:
        points: `[P, P]`, what the player of the row took from that of the column: wins, and half the draws.
        anchor: whose rating is 0, with no margin; None sets the mean of all to 0.

    Raises:
        ValueError: two of the players are not linked by games.
    """
    points = np.asarray(points, np.float64)
    games = points + points.T
    if not _reachable(games > 0.0).all():
        raise ValueError("players can be rated only if games link all of them")
    finite = bool(_reachable(points > 0.0).all())
    if not finite:
        points = points + 0.5 * (games > 0.0)
        games = points + points.T
    strength = _maximise(points, games)
    covariance = _inverse(_information(strength, games))
    variance = np.diag(covariance)
    if anchor is not None:
        strength = strength - strength[anchor]
        variance = variance + variance[anchor] - 2.0 * covariance[:, anchor]
    return Ratings(SCALE * strength, _DEVIATIONS * SCALE * np.sqrt(np.maximum(variance, 0.0)), finite)


def sign_test(wins: int, losses: int) -> float:
    """Returns the p-value, two-sided, of as uneven a result between equal players; drawn games are left out."""
    num, least = wins + losses, min(wins, losses)
    tail = sum(math.comb(num, k) for k in range(least + 1))
    return min(1.0, 2 * tail / 2**num) if num > 0 else 1.0


def _maximise(points: Array, games: Array) -> Array:
    """Returns the log-strengths of greatest likelihood, of mean 0, by Newton's method with steps of at most 1."""
    strength = np.zeros(len(points))
    for _ in range(_MAX_STEPS):
        surplus = (points - games * _win_prob(strength)).sum(1)
        if np.abs(surplus).max() < _TOLERANCE * games.sum():
            break
        step = _inverse(_information(strength, games)) @ surplus
        strength += step / max(1.0, float(np.abs(step).max()))
    centred: Array = strength - strength.mean()
    return centred


def _win_prob(strength: Array) -> Array:
    """Returns the probability `[P, P]` that the player of the row beats that of the column."""
    prob: Array = 1.0 / (1.0 + np.exp(strength[None, :] - strength[:, None]))
    return prob


def _information(strength: Array, games: Array) -> Array:
    """Returns the Fisher information `[P, P]` of the strengths: their common shift is not observed."""
    prob = _win_prob(strength)
    weight = games * prob * (1.0 - prob)
    information: Array = np.diag(weight.sum(1)) - weight
    return information


def _inverse(information: Array) -> Array:
    """Returns the pseudo-inverse: of the sums of rows, which are 0 up to rounding, nothing must be left."""
    shift = np.full_like(information, 1.0 / len(information))
    inverse: Array = np.linalg.inv(information + shift) - shift
    return inverse


def _reachable(edges: Array) -> Array:
    """Returns whether a way of edges leads from the row to the column, bool `[P, P]`."""
    reached = edges | np.eye(len(edges), dtype=bool)
    for _ in range(len(edges)):
        reached = reached | ((reached.astype(np.int64) @ reached.astype(np.int64)) > 0)
    return reached
