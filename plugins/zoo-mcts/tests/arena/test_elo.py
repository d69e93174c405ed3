"""Ratings: numbers that a reader can check, and what must hold for all results."""

import math

import numpy as np
import pytest

from zoo_mcts.elo import rate, sign_test


def results(*rows):
    return np.array(rows, float)


def test_three_points_of_four_are_worth_190_8():
    elo = rate(results([0, 75], [25, 0])).elo  # 400 log10(3) = 190.85
    assert elo[0] - elo[1] == pytest.approx(190.848, abs=1e-3)
    assert elo.sum() == pytest.approx(0.0)


def test_two_points_of_three_are_worth_120_4_over_the_anchor():
    elo = rate(results([0, 20], [10, 0]), anchor=1).elo  # 400 log10(2)
    assert elo == pytest.approx([120.412, 0.0], abs=1e-3)


@pytest.mark.parametrize("num", [2, 10, 200, 1_000, 100_000])
@pytest.mark.parametrize("share", [0.5, 0.75, 0.98, 0.999])
def test_the_margin_of_two_players_is_that_of_a_log_odds(num, share):
    # The variance of the log-odds of p after n games is 1 / (n p (1 - p)).
    wins = min(round(num * share), num - 1)
    points, prob = results([0, wins], [num - wins, 0]), wins / num
    expected = 1.95996 * 400 / math.log(10) / math.sqrt(num * prob * (1 - prob))
    assert rate(points, anchor=1).margin == pytest.approx([expected, 0.0], rel=1e-5, abs=1e-5)
    assert rate(points).margin == pytest.approx([expected / 2, expected / 2], rel=1e-5)  # of the way from the mean


def test_a_draw_is_half_a_win_and_half_a_loss():
    drawn = results([0, 50 + 25], [25, 0])  # 50 wins, 50 draws
    won = results([0, 75], [25, 0])
    assert rate(drawn).elo == pytest.approx(rate(won).elo)


def test_expected_results_give_back_the_ratings():
    true = np.array([300.0, 100.0, 0.0, -400.0])
    expected = 1.0 / (1.0 + 10 ** ((true[None, :] - true[:, None]) / 400.0))
    rated = rate(100.0 * (expected - np.diag(np.diag(expected))))
    assert rated.elo == pytest.approx(true - true.mean(), abs=1e-4)
    assert rated.finite


def test_players_who_never_met_are_rated_by_those_between_them():
    elo = rate(results([0, 75, 0], [25, 0, 75], [0, 25, 0]), anchor=2).elo
    assert elo == pytest.approx([2 * 190.848, 190.848, 0.0], abs=1e-2)


def test_the_mean_is_zero_wherever_the_anchor_is_not():
    points = results([0, 60, 90], [40, 0, 70], [10, 30, 0])
    assert rate(points).elo - rate(points).elo[2] == pytest.approx(rate(points, anchor=2).elo)


def test_intervals_hold_the_truth_in_95_of_100_cases():
    true, num = np.array([150.0, 0.0, -150.0]), 200
    prob = 1.0 / (1.0 + 10 ** ((true[None, :] - true[:, None]) / 400.0))
    rng, inside = np.random.default_rng(0), []
    for _ in range(400):
        points = np.zeros((3, 3))
        for i, j in ((0, 1), (0, 2), (1, 2)):
            points[i, j] = rng.binomial(num, prob[i, j])
            points[j, i] = num - points[i, j]
        rated = rate(points)
        inside.append(np.abs(rated.elo - true) <= rated.margin)
    assert 0.93 < np.mean(inside) < 0.97


def test_a_clean_sheet_is_rated_as_if_one_game_more_was_drawn():
    rated = rate(results([0, 100], [0, 0]))
    assert not rated.finite
    assert rated.elo[0] - rated.elo[1] == pytest.approx(400 * math.log10(100.5 / 0.5), abs=1e-6)
    expected = 1.95996 * 400 / math.log(10) / math.sqrt(100.5 * 0.5 / 101)
    assert rated.margin == pytest.approx([expected / 2] * 2, rel=1e-5)


def test_players_in_two_groups_cannot_be_rated():
    points = results([0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0])
    with pytest.raises(ValueError, match="only if games link all of them"):
        rate(points)


@pytest.mark.parametrize(
    ("wins", "losses", "p"),
    [
        (10, 0, 2 / 1024),
        (0, 10, 2 / 1024),
        (8, 2, 2 * (1 + 10 + 45) / 1024),
        (5, 5, 1.0),
        (0, 0, 1.0),
        (1, 0, 1.0),
    ],
)
def test_p_values_are_binomial(wins, losses, p):
    assert sign_test(wins, losses) == pytest.approx(p)
