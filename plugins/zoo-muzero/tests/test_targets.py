"""Returns: what a position is worth, for whoever moves there."""

import numpy as np
import pytest

from zoo_muzero.targets import CUT, GOES_ON, TERMINATED, n_step_returns


def returns(reward, value, after, player=None, *, gamma=0.9, num_steps=3):
    """z of each row of one stream, NaN where it is not known."""
    reward, value, after = (np.array([each], dtype=float) for each in (reward, value, after))
    player = np.zeros_like(reward) if player is None else np.array([player])
    found = n_step_returns(reward, player, after, gamma=gamma, num_steps=num_steps)
    rows = np.minimum(np.arange(len(value[0])) + found.ahead, len(value[0]) - 1)
    z = found.earned + found.carry * np.take_along_axis(value, rows, 1)
    return np.where(found.known, z, np.nan)[0]


def naive(reward, value, after, player, gamma, num_steps):
    """The same as a loop over steps, from the definition."""
    length, found = len(reward), []
    for t in range(length):
        total, weight, row, steps = 0.0, 1.0, t, 0
        while True:
            side = 1.0 if row < length and player[row] == player[t] else -1.0
            if row == length:
                total = np.nan
                break
            if after[row] == CUT or (num_steps and steps == num_steps):
                total += weight * side * value[row]
                break
            total += weight * side * reward[row]
            if after[row] == TERMINATED:
                break
            weight, row, steps = weight * gamma, row + 1, steps + 1
        found.append(total)
    return np.array(found)


def test_a_three_step_return_has_the_golden_value():
    z = returns([1, 0, 2, 0], [0, 0, 0, 10], [GOES_ON] * 4, gamma=0.997)
    assert z[0] == pytest.approx(12.898288, abs=1e-6)


def test_nothing_follows_a_termination():
    z = returns([1, 1, 5, 7], [9, 9, 9, 9], [GOES_ON, TERMINATED, GOES_ON, GOES_ON])
    np.testing.assert_allclose(z[:2], [1 + 0.9, 1])


def test_a_cut_episode_bootstraps_from_the_value_of_its_last_row():
    z = returns([1, 1, 5, 7], [9, 9, 10, 9], [GOES_ON, GOES_ON, CUT, GOES_ON])
    np.testing.assert_allclose(z[:3], [1 + 0.9 + 0.81 * 10, 1 + 0.9 * 10, 10])


def test_what_is_not_over_is_not_known():
    z = returns([1, 1, 1, 1, 1], [0] * 5, [GOES_ON] * 5)
    np.testing.assert_array_equal(np.isnan(z), [False, False, True, True, True])


def test_to_the_end_means_all_rewards_and_no_value():
    z = returns([0, 0, 0, 1], [9] * 4, [GOES_ON, GOES_ON, GOES_ON, TERMINATED], gamma=1.0, num_steps=0)
    np.testing.assert_array_equal(z, [1, 1, 1, 1])


def test_a_win_counts_for_who_won_and_against_the_other_ply_by_ply():
    after = [GOES_ON] * 4 + [TERMINATED]
    z = returns([0, 0, 0, 0, 1], [9] * 5, after, [0, 1, 0, 1, 0], gamma=1.0, num_steps=0)
    np.testing.assert_array_equal(z, [1, -1, 1, -1, 1])


def test_who_moves_twice_keeps_the_sign():
    """By the players, not by turns: player 1 moves at rows 1 and 2, and wins at row 4."""
    after = [GOES_ON] * 4 + [TERMINATED]
    z = returns([0, 0, 0, 0, 1], [9] * 5, after, [0, 1, 1, 0, 1], gamma=1.0, num_steps=0)
    np.testing.assert_array_equal(z, [-1, 1, 1, -1, 1])


def test_a_bootstrap_counts_against_who_does_not_move_there():
    z = returns([0, 0, 0], [0, 0, 0.5], [GOES_ON] * 3, [0, 0, 1], gamma=1.0, num_steps=2)
    assert z[0] == -0.5


@pytest.mark.parametrize("num_steps", [0, 1, 4])
def test_many_streams_equal_a_naive_loop(num_steps):
    rng = np.random.default_rng(0)
    shape = 6, 40
    reward, value = rng.normal(size=shape), rng.normal(size=shape)
    player, after = rng.integers(2, size=shape), rng.choice([GOES_ON, TERMINATED, CUT], size=shape, p=[0.8, 0.1, 0.1])
    found = n_step_returns(reward, player, after, gamma=0.8, num_steps=num_steps)
    rows = np.minimum(np.arange(40) + found.ahead, 39)
    z = np.where(found.known, found.earned + found.carry * np.take_along_axis(value, rows, 1), np.nan)
    for i in range(6):
        expected = naive(reward[i], value[i], after[i], player[i], 0.8, num_steps)
        np.testing.assert_allclose(z[i], expected, atol=1e-12)
