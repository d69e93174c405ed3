"""PUCT chooses what its formula says."""

import numpy as np
import pytest

from zoo_mcts import puct

EXPLORE = puct.exploration(60_000, 19_652.0, 1.25)


@pytest.mark.parametrize(("visits", "rate"), [(50, 1.252592), (800, 1.289950), (50_000, 2.515347)])
def test_exploration_grows_with_the_visits(visits, rate):
    assert EXPLORE[visits] / visits**0.5 == pytest.approx(rate, abs=2e-6)


@pytest.mark.parametrize(("value", "chosen"), [(0.8856, 0), (0.8859, 1)])
def test_an_edge_of_3_visits_in_50_with_a_prior_of_two_fifths_is_worth_0_885716_more(hand_made, value, chosen):
    tree = hand_made([0.4, 0.0], [3, 47], [0.0, value])
    assert puct.choose(tree, 0, 0, EXPLORE, False) == chosen


def test_values_are_scaled_by_the_range_in_the_tree_if_asked(hand_made):
    tree = hand_made([0.9, 0.1], [5, 5], [1_000.0, 1_000.4])
    assert puct.choose(tree, 0, 0, EXPLORE, False) == 0  # the bonus is some 0.5
    assert puct.choose(tree, 0, 0, EXPLORE, True) == 1  # and the difference is now 1


def test_what_was_never_tried_counts_as_0(hand_made):
    tree = hand_made([0.5, 0.5], [1, 0], [-0.5, 0.0])
    assert puct.choose(tree, 0, 0, EXPLORE, False) == 1


@pytest.mark.parametrize(("worth", "chosen"), [(2.0, 2), (0.4, 1)])
def test_on_the_scale_of_the_tree_it_counts_as_its_node(hand_made, worth, chosen):
    tree = hand_made([0.0, 0.0, 0.0], [1, 1, 0], [0.0, 0.6, 0.0], worth=worth)  # a node of (worth + 0.6) / 3
    tree.high[:] = 10.0  # elsewhere in the tree
    assert puct.choose(tree, 0, 0, EXPLORE, True) == chosen


def test_the_prior_decides_where_nothing_was_tried(hand_made):
    assert puct.choose(hand_made([0.2, 0.5, 0.3], [0, 0, 0], [0, 0, 0]), 0, 0, EXPLORE, False) == 1


def test_equals_are_chosen_from_at_random(hand_made):
    tree = hand_made([1 / 3] * 3, [0] * 3, [0] * 3, rows=3_000)
    counts = np.bincount([puct.choose(tree, row, 0, EXPLORE, False) for row in range(3_000)])
    assert (abs(counts - 1_000) < 100).all()


def test_what_is_ruled_out_is_never_chosen(hand_made):
    tree = hand_made([-np.inf, 0.0, -np.inf], [0, 9, 0], [9.0, -9.0, 9.0])
    assert puct.choose(tree, 0, 0, EXPLORE, False) == 1
    assert puct.choose(hand_made([-np.inf] * 2, [0, 0], [0, 0]), 0, 0, EXPLORE, False) == -1


def test_the_most_visited_action_is_recommended_one_at_random_among_equals(hand_made):
    tree = hand_made([0.1] * 4, [4, 2, 4, 0], [0.0, 1.0, 0.5, 0.0], rows=2_000)
    values = np.empty(2_000, np.float32)
    puct.most_visited_all(tree, values)
    assert abs(np.bincount(tree.action) - [1_000, 0, 1_000]).max() < 100
    assert np.allclose(values, 0.4)  # the mean return of ten simulations
