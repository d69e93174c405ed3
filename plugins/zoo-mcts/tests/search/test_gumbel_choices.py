"""Gumbel MuZero's formulas, by numbers worked out by hand and by what the paper promises."""

from collections import Counter

import numpy as np
import pytest

from zoo_mcts import gumbel
from zoo_mcts.policy_tree import ROOT

PRIOR = np.log([0.5, 0.3, 0.2])


def halving(rows, num_actions, num_simulations=8, considered=16, c_scale=0.1):
    schedule = gumbel.schedule(min(considered, num_actions), num_simulations)
    noise = np.zeros((rows, num_actions), np.float32)
    return gumbel.Halving(noise, np.zeros(rows, np.int64), schedule, 50.0, c_scale)


def improved(tree, rows, num_actions, c_scale=0.1):
    weights, values = np.empty((rows, num_actions), np.float32), np.empty(rows, np.float32)
    gumbel.survivor_all(tree, halving(rows, num_actions, c_scale=c_scale), weights, values)
    return weights, values


@pytest.mark.parametrize(
    ("considered", "num", "visits"), [(4, 8, [0, 0, 0, 0, 1, 1, 2, 2]), (3, 5, [0, 0, 0, 1, 1]), (1, 3, [0, 1, 2])]
)
def test_simulations_are_shared_out_by_halving(considered, num, visits):
    assert gumbel.considered_visits(considered, num) == visits


def test_16_actions_share_50_simulations():
    counts = Counter(gumbel.considered_visits(16, 50))
    assert [counts[n] for n in range(7)] == [16, 8, 4, 4, 4, 2, 2]


def test_what_was_never_tried_has_the_mixed_value(hand_made):
    tree = hand_made(PRIOR, [2, 1, 0], [0.2, 0.6, 0.0], worth=0.3)
    assert gumbel.mixed_value(tree, 0, ROOT) == pytest.approx(0.3375)


def test_completed_values_sharpen_the_policy(hand_made):
    tree = hand_made(PRIOR, [2, 1, 0], [0.2, 0.6, 0.0], worth=0.3)
    scores = np.empty(3, np.float32)
    gumbel.complete(tree, 0, ROOT, halving(1, 3), scores)
    assert scores - PRIOR == pytest.approx([0.0, 5.2, 1.7875], abs=1e-5)
    weights, values = improved(tree, 1, 3)
    assert weights[0] == pytest.approx([0.008916, 0.969775, 0.021308], abs=1e-6)
    assert values[0] == pytest.approx(0.3375)


def test_the_improved_policy_is_never_worse_than_the_prior(hand_made):
    rng = np.random.default_rng(0)
    for _ in range(1_000):
        num = rng.integers(2, 9)
        prior, value = rng.dirichlet(np.ones(num)), rng.normal(size=num) * 10 ** rng.uniform(-2, 2)
        tree = hand_made(np.log(prior), rng.integers(1, 20, num), value)
        assert improved(tree, 1, num)[0][0] @ value >= prior @ value - 1e-5 * abs(value).max()


def test_below_the_root_visits_follow_the_improved_policy(hand_made):
    tree = hand_made(PRIOR, [0, 0, 0], [0.0, 0.0, 0.0], worth=0.5)
    way = halving(1, 3)
    for _ in range(200):
        action = gumbel.choose_below(tree, 0, ROOT, way)
        tree.visits[0, ROOT, action] += 1
        tree.total[0, ROOT] += 1
        tree.value[0, ROOT, action] = 0.5  # equal values: the prior is the improved policy
        assert abs(tree.visits[0, ROOT] - np.exp(PRIOR) * tree.total[0, ROOT]).max() <= 1.0 + 1e-3


@pytest.mark.parametrize("num", [1, 2, 3, 4])
def test_a_bandit_is_played_no_worse_than_by_its_prior(hand_made, num):
    rows, payoff, prior = 20_000, np.array([0.0, 0.0, 1.0]), np.array([0.5, 0.3, 0.2])
    tree, way = hand_made(np.log(prior), [0] * 3, [0] * 3, worth=0.2, rows=rows), halving(rows, 3, num, considered=2)
    gumbel.draw_all(tree, way, 1.0)
    for simulation in range(1, num + 1):
        gumbel.walk_all(tree, way, simulation)
        tree.value[np.arange(rows), ROOT, tree.action] = payoff[tree.action]
        tree.visits[np.arange(rows), ROOT, tree.action] += 1
        tree.total[:, ROOT] += 1
    gumbel.survivor_all(tree, way, np.empty((rows, 3), np.float32), np.empty(rows, np.float32))
    assert payoff[tree.action].mean() >= 0.2 - 0.01  # the two likeliest, without noise, pay 0
    assert num == 1 or payoff[tree.action].mean() > 0.3


def test_actions_are_considered_as_often_as_the_policy_takes_them_first(hand_made):
    rows = 20_000
    tree, way = hand_made(PRIOR, [0] * 3, [0] * 3, rows=rows), halving(rows, 3, considered=1)
    gumbel.draw_all(tree, way, 1.0)
    gumbel.walk_all(tree, way, 1)
    assert np.bincount(tree.action) / rows == pytest.approx([0.5, 0.3, 0.2], abs=0.015)
