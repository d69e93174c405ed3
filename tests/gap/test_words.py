"""What figures mean, in words."""

import numpy as np
import pytest

from zoo_core.reality_gap import words
from zoo_core.reality_gap.calibration import calibrate_rewards, calibrate_terminations
from zoo_core.reality_gap.dreams import Returns
from zoo_core.reality_gap.open_loop import ErrorCurve, OpenLoop
from zoo_core.reality_gap.uncertainty import LEVELS, Coverage


def curve(*model, copy_last=1.0, mean=1.0):
    num = len(model)
    return ErrorCurve("rms", model, (copy_last,) * num, (mean,) * num, (None,) * num)


def predictions(*curves):
    steps = (1, 2, 5, 10, 20)[: len(curves[0].model)]
    return OpenLoop(steps, (9,) * len(steps), curves, (0.0,) * len(steps), (1.0,) * len(steps))


NOTHING = "no better than copying the last observation or the mean: the model has not learned the dynamics"


@pytest.mark.parametrize(
    ("curves", "said"),
    [
        ([curve(0.1, 0.2, 0.3)], "k-step error is below copy-last up to k = 5"),
        ([curve(0.1, 0.2, 1.0, 0.2)], "k-step error is below copy-last up to k = 2"),
        ([curve(1.0, 0.2, 0.3, 1.0)], "k-step error is below copy-last from k = 2 up to k = 5"),
        ([curve(0.96, 0.97)], NOTHING),
        ([curve(0.5, 0.6, mean=0.5)], NOTHING),
        ([curve(0.1, 0.1), curve(1.0, 1.0)], NOTHING),
        ([curve(0.1, 0.1), curve(0.0, 0.0, copy_last=0.0, mean=0.0)], "k-step error is below copy-last up to k = 2"),
        ([curve(0.0, 0.0, copy_last=0.0, mean=0.0)], "no observation changes, so there is no dynamics to judge"),
    ],
)
def test_predictions_are_judged_by_the_better_baseline(curves, said):
    assert words.of_open_loop(predictions(*curves)) == said


def test_the_ratio_is_to_the_better_baseline():
    assert curve(0.5, copy_last=2.0, mean=1.0).over_best(0) == 0.5
    assert curve(0.5, copy_last=0.5, mean=1.0).over_best(0) == 1.0
    assert curve(0.5, copy_last=0.0, mean=1.0).over_best(0) is None


def test_rewards_are_foreseen_or_not():
    real = np.array([0.0, 2.0])
    assert words.of_rewards(calibrate_rewards(real + 0.5, real)) == "reward error is 0.5 of the rewards' deviation"
    assert "no better than by their mean" in words.of_rewards(calibrate_rewards(real * 0 + 1, real))


@pytest.mark.parametrize(
    ("prob", "said"),
    [
        ([0.9, 0.9, 0.1, 0.1], "terminations are foreseen (recall 100%)"),
        ([0.9, 0.4, 0.1, 0.1], "terminations are foreseen (recall 50%)"),
        (
            [0.4, 0.4, 0.1, 0.1],
            "terminations are foreseen better than by their rate, but most come as a surprise (recall 0%)",
        ),
        ([0.5, 0.5, 0.5, 0.5], "terminations are foreseen no better than by their rate"),
    ],
)
def test_few_foreseen_terminations_are_called_few(prob, said):
    ended = np.array([True, True, False, False])
    assert words.of_terminations(calibrate_terminations(np.array(prob), ended)) == said


def returns(difference, standard_error, num=20):
    dream, real, length = (100.0 + difference,) * num, (100.0,) * num, (5,) * num
    return Returns(dream, real, length, length, difference, standard_error, 1.0, None, 0.0)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (returns(0.5, 0.1), "dreams and reality give the same return (difference +0.5 ± 0.2)"),
        (
            returns(-276.0, 160.0),
            "returns of dreams and reality cannot be told apart in 20 episodes (difference -276 ± 3.2e+02)",
        ),
        (
            returns(0.5, 2.0),
            "returns of dreams and reality cannot be told apart in 20 episodes (difference +0.5 ± 4)",
        ),
        (returns(5.0, 2.0), "dreams promise 5 more than reality gives"),
        (returns(-5.0, 2.0), "dreams promise 5 less than reality gives"),
        (returns(-276.0, None, num=1), "one episode does not tell what dreams promise (difference -276)"),
    ],
)
def test_returns_are_the_same_only_if_they_were_measured_well(found, said):
    assert words.of_returns(found) == said


@pytest.mark.parametrize(
    ("held", "num", "said"),
    [
        (0.94, 1_000, "intervals are about right: 90% intervals hold 94%"),
        (0.83, 100, "intervals are too narrow: 90% intervals hold 83%"),
        (0.83, 50, "intervals are about right: 90% intervals hold 83%"),
        (0.99, 1_000, "intervals are too wide: 90% intervals hold 99%"),
        (0.5, 39, "39 values are too few to judge intervals"),
    ],
)
def test_intervals_are_judged_where_there_are_enough_values(held, num, said):
    observed = tuple(held if level == 0.9 else level for level in LEVELS)
    assert words.of_coverage(Coverage(LEVELS, observed, 0.0, num), 0.9) == said
