"""Calibration of one-step predictions of rewards and terminations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import optree
import torch

from zoo_core import world_model as beliefs
from zoo_core.reality_gap.episodes import Episodes, Filtered, finite
from zoo_core.reality_gap.yardstick import ROUNDING, rms
from zoo_core.world_model import ModelStep, WorldModel

Array = np.ndarray[Any, Any]
NUM_SAMPLES = 32  # of each prediction; ranks make any number of them unbiased
_NUM_BINS = 10
_MAX_ROWS = 2**14  # stepped at a time
_MAX_BYTES = 2**26  # of beliefs stepped at a time
_LEAST_PROB = 1e-6  # a sure prediction that fails costs a finite log-loss


class Bin(NamedTuple):
    """Predictions that are alike: their mean, the mean of what happened, and how many they are."""

    predicted: float
    observed: float
    num: int


@dataclass(frozen=True)
class RewardCalibration:
    """Predicted against real rewards of single steps, in their own unit.

    Attributes:
        bias: Mean of predicted minus real.
        rmse: Of the prediction, the mean of samples.
        real_std: Deviation of the real rewards: what predicting their mean would err.
        correlation: None if either is constant.
        slope: Of real over predicted, 1 if calibrated; None if predictions are constant.
        reliability: Bins of equally many predictions.
    """

    bias: float
    rmse: float
    real_std: float
    correlation: float | None
    slope: float | None
    reliability: tuple[Bin, ...]


@dataclass(frozen=True)
class TerminationCalibration:
    """Predicted probabilities that a step terminates the episode, against what happened.

    Attributes:
        num_terminations: Steps that terminated.
        rate: Their part of all steps.
        predicted_rate: Mean predicted probability.
        brier: Mean squared error of the probability (Brier 1950).
        rate_brier: That of always predicting `rate`.
        log_loss: Mean cross-entropy in nats.
        calibration_error: Mean distance of predicted and observed frequency over bins, weighted by their numbers.
        precision: Of predictions above 1/2; None if there are none.
        recall: None if nothing terminated.
        reliability: Bins of equal width (reliability diagram, DeGroot & Fienberg 1983); empty ones are left out.
    """

    num_terminations: int
    rate: float
    predicted_rate: float
    brier: float
    rate_brier: float
    log_loss: float
    calibration_error: float
    precision: float | None
    recall: float | None
    reliability: tuple[Bin, ...]


def predict_outcomes(
    model: WorldModel, real: Episodes, filtered: Filtered, *, rng: torch.Generator
) -> tuple[RewardCalibration, TerminationCalibration]:
    """Compares reward and termination of every real step with the mean of the model's samples."""
    rewards, ends = np.zeros(len(filtered.time)), np.zeros(len(filtered.time))
    everything = np.arange(len(filtered.time))
    for rows, step in sample_steps(model, real, filtered, everything, _MAX_ROWS // NUM_SAMPLES, rng=rng):
        rewards[rows] = finite(model, "a reward", step.reward).reshape(len(rows), -1).mean(1)
        ends[rows] = 1.0 - finite(model, "a termination", step.continues).reshape(len(rows), -1).mean(1)
    episode, time = filtered.episode, filtered.time
    ended = real.terminated[episode] & (time == real.length[episode] - 1)
    return calibrate_rewards(rewards, real.reward[episode, time]), calibrate_terminations(ends, ended)


def calibrate_rewards(predicted: Array, real: Array) -> RewardCalibration:
    """Compares rewards `[N]` of the same steps."""
    predicted, real = predicted.astype(np.float64), real.astype(np.float64)
    order = np.argsort(predicted, kind="stable")
    spread = float(predicted.std())
    covariance = float(np.mean((predicted - predicted.mean()) * (real - real.mean())))
    return RewardCalibration(
        bias=float((predicted - real).mean()),
        rmse=rms(predicted - real),
        real_std=float(real.std()),
        correlation=correlation(predicted, real),
        slope=None if _is_constant(predicted) else covariance / spread**2,
        reliability=_bins(predicted, real, np.array_split(order, min(_NUM_BINS, len(order)))),
    )


def calibrate_terminations(prob: Array, ended: Array) -> TerminationCalibration:
    """Compares probabilities `[N]` with whether the step terminated, bool `[N]`."""
    place = np.minimum((prob * _NUM_BINS).astype(int), _NUM_BINS - 1)
    bins = _bins(prob, ended, [np.flatnonzero(place == i) for i in range(_NUM_BINS)])
    rate, clipped, called = float(ended.mean()), prob.clip(_LEAST_PROB, 1 - _LEAST_PROB), prob > 0.5
    return TerminationCalibration(
        num_terminations=int(ended.sum()),
        rate=rate,
        predicted_rate=float(prob.mean()),
        brier=float(np.square(prob - ended).mean()),
        rate_brier=rate * (1.0 - rate),
        log_loss=float(-np.where(ended, np.log(clipped), np.log1p(-clipped)).mean()),
        calibration_error=sum(b.num * abs(b.predicted - b.observed) for b in bins) / len(prob),
        precision=float(ended[called].mean()) if called.any() else None,
        recall=float(called[ended].mean()) if ended.any() else None,
        reliability=bins,
    )


def correlation(first: Array, second: Array) -> float | None:
    """Returns Pearson's correlation of two arrays `[N]`; None if one is constant."""
    if len(first) < 2 or _is_constant(first) or _is_constant(second):
        return None
    return float(np.corrcoef(first, second)[0, 1])


def sample_steps(
    model: WorldModel, real: Episodes, filtered: Filtered, chosen: Array, chunk: int, *, rng: torch.Generator
) -> Iterator[tuple[Array, ModelStep]]:
    """Yields at most `chunk` of the `chosen` rows, and `NUM_SAMPLES` sampled steps from each, side by side."""
    leaves: Any = optree.tree_leaves(filtered.states)
    row_bytes = sum(leaf.nbytes // len(leaf) for leaf in leaves)
    chunk = max(1, min(chunk, _MAX_BYTES // (NUM_SAMPLES * row_bytes)))
    for rows in np.array_split(chosen, -(-len(chosen) // chunk)):
        roots = model.particles(beliefs.index(filtered.states, rows), NUM_SAMPLES, rng=rng)
        action = real.action_at(model, filtered.episode[rows], filtered.time[rows])
        yield rows, model.step(roots, action.repeat_interleave(NUM_SAMPLES, 0), rng=rng)


def _bins(predicted: Array, observed: Array, groups: list[Array]) -> tuple[Bin, ...]:
    return tuple(
        Bin(float(predicted[rows].mean()), float(observed[rows].mean()), len(rows)) for rows in groups if len(rows)
    )


def _is_constant(values: Array) -> bool:
    return bool(np.ptp(values) <= ROUNDING * np.abs(values).max())
