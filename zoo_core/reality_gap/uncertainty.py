"""Whether a model knows how sure it can be: coverage of its intervals, and its epistemic uncertainty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from zoo_core import world_model as beliefs
from zoo_core.reality_gap.calibration import NUM_SAMPLES, correlation, sample_steps
from zoo_core.reality_gap.episodes import Episodes, Filtered, finite
from zoo_core.reality_gap.open_loop import decoded
from zoo_core.reality_gap.yardstick import ROUNDING, Yardstick
from zoo_core.world_model import WorldModel

Array = np.ndarray[Any, Any]
LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)  # of the intervals
_MAX_NUMBERS = 2**21  # decoded at a time, so that images fit in memory


@dataclass(frozen=True)
class Coverage:
    """How often central intervals of predicted values hold what happened.

    Attributes:
        levels: Nominal probabilities of the intervals.
        observed: How many of the values they hold, in [0, 1].
        calibration_error: Mean distance of the two.
        num_values: Values compared.
    """

    levels: tuple[float, ...]
    observed: tuple[float, ...]
    calibration_error: float
    num_values: int

    def at(self, level: float) -> float:
        """Returns what intervals of this nominal probability hold."""
        return self.observed[self.levels.index(level)]


def predict_intervals(
    model: WorldModel,
    real: Episodes,
    filtered: Filtered,
    starts: Array,
    yardstick: Yardstick,
    *,
    rng: torch.Generator,
    ties: np.random.Generator,
) -> Coverage | None:
    """Compares the spread of sampled next observations with what happened; None if no spread is predicted.

    The model has decoded before, and its observations have values.
    """
    width, places, widest = yardstick.num_values, [], 0.0
    for rows, step in sample_steps(model, real, filtered, starts, _MAX_NUMBERS // (NUM_SAMPLES * width), rng=rng):
        samples = yardstick.values(decoded(model, step.state)).reshape(len(rows), -1, width)
        happened = yardstick.values(real.obs_at(filtered.episode[rows], filtered.time[rows] + 1))
        place, spread = rank(samples, happened, ties)
        places.append(place)
        widest = max(widest, float(spread.max()))
    if widest <= ROUNDING:
        return None
    return cover(np.concatenate(places))


def rank(samples: Array, happened: Array, ties: np.random.Generator) -> tuple[Array, Array]:
    """Places what happened in the distribution of the samples (the probability integral transform).

    The rank among S samples is uniform if what happened was drawn as they were (Hamill 2001), for every S; ranks among
    equal samples, and within one rank, are drawn.

    Args:
        samples: `[N, S, D]`.
        happened: `[N, D]`.
        ties: Draws.

    Returns:
        Places in (0, 1), without those of values that were predicted with certainty and came true, which say nothing
        about intervals; and the samples' range `[N, D]`.
    """
    low, high = happened[:, None] - ROUNDING, happened[:, None] + ROUNDING
    below, equal = (samples < low).sum(1), ((samples >= low) & (samples <= high)).sum(1)
    place = (below + ties.random(happened.shape) * (equal + 1)) / (samples.shape[1] + 1)
    spread = np.ptp(samples, axis=1)
    return place[(spread > ROUNDING) | (equal == 0)], spread


def cover(places: Array) -> Coverage:
    """Counts what central intervals hold, by the places in the predicted distributions.

    After Kuleshov et al. 2018 (arXiv:1807.00263, section 3.5). Differs from the paper: central intervals, as they are
    read, instead of those from −∞.
    """
    observed = tuple(float((np.abs(2 * places - 1) <= level).mean()) for level in LEVELS)
    error = float(np.mean([abs(seen - level) for seen, level in zip(observed, LEVELS, strict=True)]))
    return Coverage(LEVELS, observed, error, len(places))


def epistemic_correlation(
    model: WorldModel, real: Episodes, filtered: Filtered, starts: Array, yardstick: Yardstick, *, rng: torch.Generator
) -> float | None:
    """Returns Spearman's rank correlation of "epistemic" with the error of the expected next observation.

    None if the model reports none, or either never changes.
    """
    episode, time = filtered.episode[starts], filtered.time[starts]
    step = model.step(
        beliefs.index(filtered.states, starts),
        real.action_at(model, episode, time),
        rng=rng,
        temperature=0.0,
        uncertainty=True,
    )
    if step.uncertainty is None or "epistemic" not in step.uncertainty:
        return None
    seen = yardstick.chunks(decoded(model, step.state), real.obs_at(episode, time + 1))
    errors = np.concatenate([_errors(yardstick, predicted, happened) for predicted, happened in seen])
    epistemic = finite(model, "an epistemic uncertainty", step.uncertainty["epistemic"])
    return correlation(_ranks(epistemic), _ranks(errors))


def _errors(yardstick: Yardstick, predicted: Any, happened: Any) -> Array:
    """Returns the mean error `[N]` of all parts: squared of values, 1 for a wrong label."""
    values = np.square(yardstick.values(predicted) - yardstick.values(happened))
    labels = yardstick.labels(predicted) != yardstick.labels(happened)
    found: Array = np.concatenate([values, labels], axis=1).mean(1)
    return found


def _ranks(values: Array) -> Array:
    """Returns ranks `[N]`; equal values share their mean rank."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Array = (np.cumsum(counts) - (counts - 1) / 2)[which]
    return ranks
