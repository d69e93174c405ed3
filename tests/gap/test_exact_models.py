"""On a model that is the environment itself, every figure is zero within float error."""

import functools

import pytest

import zoo_core
from zoo_core.simulator import SimulatorModel

from .conftest import balance, swing

POLICIES = {"Pendulum-v1": swing, "CartPole-v1": balance}


@functools.cache
def exact(env_id):
    return zoo_core.gap(POLICIES[env_id](), SimulatorModel(env_id), episodes=4, horizon=60)


@pytest.fixture(params=POLICIES)
def report(request):
    return exact(request.param)


def test_open_loop_errors_are_zero_where_copying_errs(report):
    [curve] = report.open_loop.errors
    assert curve.kind == "rms"
    assert max(curve.model) < 1e-4
    assert min(curve.copy_last) > 0.1
    assert max(report.open_loop.reward_rmse) < 1e-4


def test_dreamt_states_do_not_drift(report):
    assert max(report.drift.dreamt) < 1e-4
    assert min(report.drift.standing_still) > 0.1


def test_rewards_are_foreseen(report):
    assert abs(report.rewards.bias) < 1e-5
    assert report.rewards.rmse < 1e-5
    assert all(each.predicted == pytest.approx(each.observed, abs=1e-4) for each in report.rewards.reliability)


def test_dreams_give_what_reality_gives(report):
    assert report.returns.dream == pytest.approx(report.returns.real, rel=1e-4)
    assert report.returns.dream_length == report.returns.real_length
    assert report.returns.held_fraction == 0
    assert "dreams and reality give the same return" in report.verdict


def test_slopes_and_correlations_are_one_where_rewards_differ():
    found = exact("Pendulum-v1")
    assert found.rewards.slope == pytest.approx(1, abs=1e-4)
    assert found.rewards.correlation == pytest.approx(1, abs=1e-4)
    assert found.returns.correlation == pytest.approx(1, abs=1e-4)
    assert exact("CartPole-v1").rewards.slope is None


def test_terminations_are_foreseen():
    found = exact("CartPole-v1").terminations
    assert found.num_terminations == 4
    assert (found.brier, found.calibration_error, found.precision, found.recall) == (0, 0, 1, 1)
    assert found.log_loss < 1e-5


def test_data_without_terminations_is_said_to_have_none():
    report = exact("Pendulum-v1")
    assert report.terminations.recall is None
    assert "terminations  the data has none; the mean predicted probability of one is 0" in str(report)
    assert "termination" not in report.verdict


def test_a_deterministic_model_is_said_to_be_one():
    report = exact("Pendulum-v1")
    assert report.coverage is None
    assert "SimulatorModel is deterministic: it predicts no intervals" in str(report)
    assert report.epistemic_correlation is None


def test_actions_drawn_at_random_are_the_same_in_both_worlds():
    report = zoo_core.gap(None, SimulatorModel("CartPole-v1"), episodes=3, horizon=40)
    assert report.policy == "random"
    assert len(set(report.returns.real)) > 1
    assert report.returns.dream == report.returns.real
