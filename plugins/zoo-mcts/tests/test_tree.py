"""What a tree keeps, and what a simulation tells the edges that it passed: numbers by hand."""

import numpy as np
import pytest

from zoo_mcts.compiled import uniform
from zoo_mcts.tree import ROOT, backup, follow, follow_first, make_tree, most_visited

UNSEEN = np.uint64(0)


@pytest.fixture
def tree():
    return make_tree(16, 2, np.array([0], np.uint64))


def walk(tree, rewards, carries, leaf, *, first=1, gamma=0.9):
    """Goes down by action 0, from node 0 to 1 to 2 ..., and backs up."""
    for i, (reward, carry) in enumerate(zip(rewards, carries, strict=True)):
        follow(tree, 0, UNSEEN, False, reward, carry, first + i)
    backup(tree, 0, leaf, gamma)


def test_returns_along_a_path_of_three_steps(tree):
    # continues 0.5, 0.8, 1; the opponent moves after the second step; the leaf is worth 10
    walk(tree, [1.0, 2.0, 3.0], [0.5, -0.8, 1.0], 10.0)
    third = 3 + 0.9 * 10  # 12
    second = 2 - 0.9 * 0.8 * third  # -6.64
    first = 1 + 0.9 * 0.5 * second  # -1.988
    np.testing.assert_allclose(tree.value[0, :3, 0], [first, second, third])
    np.testing.assert_allclose(tree.value[0, :3, 0], [-1.988, -6.64, 12.0])
    assert (tree.low[0], tree.high[0]) == (pytest.approx(-6.64), pytest.approx(12.0))


def test_the_value_is_the_mean_of_returns(tree):
    for leaf in (10.0, 0.0, 5.0):
        walk(tree, [1.0], [1.0], leaf)
    assert tree.value[0, ROOT, 0] == pytest.approx(1 + 0.9 * 5)
    assert tree.visits[0, ROOT].tolist() == [3, 0]


@pytest.mark.parametrize("leaf", [1_000.0, np.nan])
def test_nothing_comes_after_an_end(tree, leaf):
    walk(tree, [1.0, 2.0], [1.0, 0.0], leaf)
    np.testing.assert_allclose(tree.value[0, :2, 0], [1 + 0.9 * 2, 2.0])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_return_that_is_no_number_counts_at_its_own_edge_only(tree, bad):
    walk(tree, [1.0, 1.0], [1.0, 1.0], 0.0)
    before = tree.value[0, ROOT, 0]
    walk(tree, [1.0, bad], [1.0, 1.0], 0.0)
    assert np.isnan(tree.value[0, 1, 0])
    assert tree.visits[0, 1, 0] == 0
    assert tree.value[0, ROOT, 0] == before
    assert tree.visits[0, ROOT, 0] == 1
    assert np.isfinite([tree.low[0], tree.high[0]]).all()


def test_what_leads_to_nothing_but_nan_is_nan(tree):
    walk(tree, [1.0, 1.0], [1.0, 1.0], 0.0)
    tree.value[0, 1, 1] = np.nan  # the other action of node 1
    walk(tree, [1.0, np.nan], [1.0, 1.0], 0.0)
    assert np.isnan(tree.value[0, ROOT, 0])


def test_an_illegal_action_is_no_way_out(tree):
    tree.illegal[0, 1, 1] = True
    walk(tree, [1.0, np.nan], [1.0, 1.0], 0.0)
    assert np.isnan(tree.value[0, ROOT, 0])


def step(tree, node, action, seen, new, *, shared=False, depth=0):
    tree.length[0], tree.node[0], tree.action[0] = depth, node, action
    follow(tree, 0, np.uint64(seen), shared, 0.0, 1.0, new)
    return tree.node[0]


def test_a_node_is_found_again_by_edge_and_outcome(tree):
    assert step(tree, ROOT, 0, 7, 1) == 1
    assert step(tree, ROOT, 0, 8, 2) == 2
    assert step(tree, ROOT, 1, 7, 3) == 3
    assert step(tree, 1, 0, 7, 4) == 4
    assert [step(tree, *edge, 5) for edge in ((ROOT, 0, 7), (ROOT, 0, 8), (ROOT, 1, 7), (1, 0, 7))] == [1, 2, 3, 4]


def test_paths_of_one_length_share_a_node(tree):
    assert step(tree, 3, 0, 7, 1, shared=True, depth=2) == 1
    assert step(tree, 4, 1, 7, 2, shared=True, depth=2) == 1
    assert step(tree, 4, 1, 7, 2, shared=True, depth=3) == 2
    assert step(tree, 4, 1, 8, 3, shared=True, depth=2) == 3


def test_a_simulation_leaves_the_tree_where_it_makes_a_node_and_where_the_episode_ends(tree):
    inside = []
    for carry in (1.0, 1.0, 0.0):
        tree.length[0], tree.node[0] = 0, ROOT
        inside.append(follow(tree, 0, UNSEEN, False, 0.0, carry, 1))
    assert inside == [False, True, False]


def test_the_first_step_is_taken_again(tree):
    assert not follow_first(tree, 0, 1.0, 1.0, 1)
    backup(tree, 0, 0.0, 0.9)
    assert follow_first(tree, 0, 5.0, 0.0, 2)
    assert tree.node[0] == 1
    backup(tree, 0, 0.0, 0.9)
    assert tree.value[0, ROOT, 0] == 1.0


def test_every_node_of_a_full_tree_is_found():
    num = 3_000
    tree = make_tree(num + 1, 3, np.array([0], np.uint64))
    made = [step(tree, i // 3, i % 3, 0, i + 1) for i in range(num)]
    found = [step(tree, i // 3, i % 3, 0, -1) for i in range(num)]
    assert made == found == list(range(1, num + 1))


def test_the_most_visited_action_wins_then_the_best_then_any(tree):
    def winners(visits, value):
        tree.visits[0, ROOT], tree.value[0, ROOT] = visits, value
        return {most_visited(tree, 0) for _ in range(50)}

    assert winners([3, 2], [0.0, 9.0]) == {0}
    assert winners([3, 3], [0.0, 9.0]) == {1}
    assert winners([3, 3], [9.0, 9.0]) == {0, 1}
    assert winners([0, 1], [np.nan, -9.0]) == {1}
    assert winners([0, 0], [np.nan, np.nan]) == {-1}


def test_streams_are_those_of_splitmix64_and_apart():
    streams = np.array([0, 1], np.uint64)
    assert uniform(streams, 0) == (0xE220A8397B1DCDAF >> 11) / 2**53  # the first output that is published for seed 0
    assert streams[1] == 1
    drawn = np.array([uniform(streams, 1) for _ in range(10_000)])
    np.testing.assert_allclose(np.histogram(drawn, 10, (0.0, 1.0))[0], 1_000, atol=150)  # 5 standard errors
