"""Calibration of rewards, terminations and uncertainty, against numbers worked out by hand and known noise."""

import numpy as np
import pytest
from scipy import stats

import zoo_core
from zoo_core.reality_gap.calibration import calibrate_rewards, calibrate_terminations, correlation
from zoo_core.reality_gap.episodes import filter_episodes
from zoo_core.reality_gap.uncertainty import LEVELS, _ranks, cover, epistemic_correlation, rank
from zoo_core.reality_gap.yardstick import Yardstick

from .conftest import ENDING, NOISE, CountingModel, LineModel, Place, line, ramp, still


def report(model, episodes=40, policy=None):
    return zoo_core.gap(policy or still(), model, line(), episodes=episodes, horizon=50)


def test_bias_error_and_slope_of_rewards():
    real = np.array([0.0, 1.0, 2.0, 3.0])
    found = calibrate_rewards(2 * real + 1, real)
    assert found.bias == 2.5  # of 1, 2, 3, 4
    assert found.rmse == pytest.approx(np.sqrt(30 / 4))
    assert (found.slope, found.correlation) == pytest.approx((0.5, 1.0))
    assert found.real_std == pytest.approx(np.sqrt(5 / 4))


def test_reward_bins_hold_equally_many_in_order():
    real = np.arange(100.0)
    bins = calibrate_rewards(-real, real).reliability
    assert [each.num for each in bins] == [10] * 10
    assert bins[0].predicted == -94.5
    assert bins[0].observed == 94.5


def test_scores_of_terminations():
    prob, ended = np.array([0.9, 0.6, 0.2, 0.1]), np.array([True, False, False, True])
    found = calibrate_terminations(prob, ended)
    assert found.brier == pytest.approx((0.01 + 0.36 + 0.04 + 0.81) / 4)
    assert found.rate_brier == 0.25
    assert found.log_loss == pytest.approx(-np.log([0.9, 0.4, 0.8, 0.1]).mean())
    assert (found.precision, found.recall) == (0.5, 0.5)
    assert found.calibration_error == pytest.approx((0.1 + 0.6 + 0.2 + 0.9) / 4)
    assert [(each.predicted, each.observed) for each in found.reliability] == [(0.1, 1), (0.2, 0), (0.6, 0), (0.9, 1)]


def test_a_sure_mistake_costs_a_finite_log_loss():
    assert 13 < calibrate_terminations(np.array([0.0]), np.array([True])).log_loss < 14


def test_correlations_of_constants_are_undefined():
    assert correlation(np.ones(5), np.arange(5.0)) is None
    assert correlation(np.ones(1), np.ones(1)) is None


def test_ranks_share_their_mean_among_equals():
    values = np.array([0.3, 0.1, 0.3, 0.2, 0.3])
    assert _ranks(values).tolist() == stats.rankdata(values).tolist()


def test_the_right_noise_is_on_the_diagonal():
    found = report(LineModel())
    error = 3 * np.sqrt(0.25 / found.coverage.num_values)  # three standard errors at the widest
    assert found.coverage.num_values > 900
    assert found.coverage.observed == pytest.approx(LEVELS, abs=error)
    assert "intervals are about right" in found.verdict


@pytest.mark.parametrize(("factor", "word"), [(0.5, "too narrow"), (2.0, "too wide")])
def test_wrong_noise_is_off_the_diagonal_as_the_normal_distribution_says(factor, word):
    found = report(LineModel(noise=factor * NOISE))
    expected = [2 * stats.norm.cdf(factor * stats.norm.ppf(0.5 + level / 2)) - 1 for level in LEVELS]
    error = 0.02 + 3 * np.sqrt(0.25 / found.coverage.num_values)  # few samples blur the ends of the intervals
    assert found.coverage.observed == pytest.approx(expected, abs=error)
    held = found.coverage.at(0.9)
    assert f"intervals are {word}: 90% intervals hold {held:.0%}" in found.verdict


def test_ranks_of_what_was_drawn_alike_are_uniform():
    rng = np.random.default_rng(0)
    places, _ = rank(rng.normal(size=(4_000, 8, 1)), rng.normal(size=(4_000, 1)), rng)
    assert stats.kstest(places, "uniform").pvalue > 0.01
    assert cover(places).calibration_error < 0.02


def test_values_at_a_bound_are_placed_among_their_equals():
    rng = np.random.default_rng(0)
    samples, happened = rng.normal(size=(4_000, 8, 1)).clip(0), rng.normal(size=(4_000, 1)).clip(0)
    places, _ = rank(samples, happened, rng)
    assert cover(places).calibration_error < 0.03


def test_sure_predictions_count_only_if_they_fail():
    samples, rng = np.zeros((2, 8, 1)), np.random.default_rng(0)
    places, spread = rank(samples, np.array([[0.0], [0.1]]), rng)
    assert len(places) == 1
    assert places[0] > 8 / 9
    assert spread.max() == 0


def test_the_right_probability_of_ending_is_calibrated():
    found = report(LineModel()).terminations
    assert found.predicted_rate == pytest.approx(ENDING)
    assert found.calibration_error < 0.02
    assert found.recall == 0


def test_a_wrong_probability_of_ending_is_not():
    found = report(LineModel(ending=0.5)).terminations
    assert found.calibration_error == pytest.approx(0.5 - found.rate, abs=1e-3)


def test_a_bonus_is_a_bias():
    honest, boastful = (report(LineModel(bonus=bonus)).rewards for bonus in (0.0, 3.0))
    assert boastful.bias - honest.bias == pytest.approx(3, abs=1e-4)
    assert abs(honest.bias) < 0.1
    assert honest.slope == pytest.approx(1, abs=0.1)


def test_doubt_that_goes_with_the_error_is_seen():
    assert report(LineModel(doubt=True), policy=Loud()).epistemic_correlation > 0.9
    assert report(LineModel()).epistemic_correlation is None
    assert "LineModel reports no epistemic uncertainty, or that or the error never changes" in str(report(LineModel()))


class Forgetful(CountingModel):
    """Forgets every other step, and knows it."""

    def step(self, state, action, **kwargs):
        lost = state.place % 2
        step = super().step(state, action, **kwargs)
        return step._replace(state=Place(step.state.place - lost), uncertainty={"epistemic": lost[:, 0]})


def test_doubt_is_compared_with_the_error_of_the_next_observation():
    model, real = Forgetful(), ramp(30, 40)
    filtered = filter_episodes(model, real, rng=zoo_core.rng(0))
    yardstick = Yardstick(model.observation_space, real.all_obs())
    found = epistemic_correlation(model, real, filtered, np.arange(70), yardstick, rng=zoo_core.rng(0))
    assert found > 0.8  # errors of 0 are of float rounding, whose ranks mean nothing


class Loud:
    """Pulls back what it sees."""

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        return (-0.4 * observation).clip(-1, 1), state
