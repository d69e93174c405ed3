"""Which action a simulation takes: numbers by hand."""

import math

import numpy as np
import pytest

from zoo_mcts.tree import ROOT, make_tree
from zoo_mcts.ucb import choose


def chosen(tree, c):
    choose(tree, 0, c)
    return int(tree.action[0])


def root(visits, value, illegal=None, seed=0):
    tree = make_tree(4, len(visits), np.array([seed], np.uint64))
    tree.visits[0, ROOT], tree.value[0, ROOT] = visits, value
    known = np.array(value)[np.array(visits) > 0]
    if len(known) > 0:
        tree.low[0], tree.high[0] = np.nanmin(known), np.nanmax(known)
    if illegal is not None:
        tree.illegal[0, ROOT] = illegal
    return tree


# ln 10 = 2.302585. Scaled values (2 .. 6 to 0 .. 1) are 0, 0.75, 1; √(ln 10 / n) for 1, 3, 6 visits 1.517427, 0.876087,
# 0.619476. Bounds of arms 1 and 2 meet at c = 0.25 / (0.876087 - 0.619476) = 0.974237, those of arms 0 and 1 at
# c = 0.75 / (1.517427 - 0.876087) = 1.169426.
@pytest.mark.parametrize(("c", "arm"), [(0.0, 2), (0.974, 2), (0.975, 1), (1.169, 1), (1.170, 0), (9.0, 0)])
def test_the_greatest_bound_of_three_arms_wins(c, arm):
    assert chosen(root([1, 3, 6], [2.0, 5.0, 6.0]), c) == arm


def test_the_range_of_the_whole_tree_scales_values():
    tree = root([1, 9], [0.0, 1.0])
    tree.high[0] = 10.0  # elsewhere in the tree: the two are 0.1 apart now
    meet = 0.1 / (math.sqrt(math.log(10)) - math.sqrt(math.log(10) / 9))
    assert chosen(tree, 0.999 * meet) == 1
    assert chosen(tree, 1.001 * meet) == 0


def test_what_was_never_tried_comes_first():
    assert chosen(root([5, 0, 5], [9.0, 0.0, 9.0]), 1.0) == 1


def test_a_value_that_is_nan_comes_last():
    tree = root([0, 5, 1], [np.nan, 1.0, 0.0])
    assert {chosen(tree, c) for c in (0.0, 1.0, 1e9)} == {1, 2}


@pytest.mark.parametrize(
    ("visits", "value"), [([0, 0, 0], [0.0, 0.0, 0.0]), ([4, 4, 4], [3.0, 3.0, 3.0]), ([0, 0, 0], [np.nan] * 3)]
)
def test_equals_are_taken_as_often(visits, value):
    arms = [chosen(root(visits, value, seed=seed), 1.0) for seed in range(3_000)]
    np.testing.assert_allclose(np.bincount(arms) / 3_000, 1 / 3, atol=0.04)  # 4.6 standard errors


def test_illegal_actions_are_never_taken():
    tree = root([0, 1, 0], [0.0, -5.0, 9.0], illegal=[True, False, True])
    assert chosen(tree, 1.0) == 1
