"""Searches find what is right where that is known: tic-tac-toe, boxes between dots, and a world of five states."""

import numpy as np
import pytest
import torch

import zoo_core
from zoo_core.planner import Evaluation
from zoo_core.testing.fakes.broken import Altered
from zoo_core.world_model import index
from zoo_mcts.games import solved
from zoo_mcts.policy_search import MCTS, GumbelMCTS


def accuracy(model, num, *, evaluate=None, planner=MCTS, **config):
    """Returns the share of the decision states in which the right move is found."""
    state = solved.decision_states()
    plan = planner({"num_simulations": num, **config}, evaluate=evaluate).plan(model, state, rng=zoo_core.rng(0))
    return solved.accuracy(state, plan.action.numpy())


def perfect(state, *, rng):
    return Evaluation(torch.from_numpy(solved.values(state)))


def random_play(rules):
    def evaluate(state, *, rng):
        seeds = torch.randint(2**62, (len(state.over),), generator=rng).numpy().view(np.uint64)
        return Evaluation(torch.from_numpy(rules.game.random_returns(state, depth=9, gamma=1.0, seeds=seeds)))

    return evaluate


@pytest.mark.parametrize(("num", "share"), [(4, 0.70), (16, 0.86), (25, 0.91), (50, 0.95), (100, 0.98)])
def test_a_search_that_knows_nothing_is_as_good_as_it_should_be(rules, num, share):
    assert accuracy(rules, num) == pytest.approx(share, abs=0.04)


@pytest.mark.parametrize(("num", "share"), [(25, 0.92), (50, 0.96)])
def test_so_is_one_that_plays_its_leaves_at_random(rules, num, share):
    assert accuracy(rules, num, evaluate=random_play(rules)) == pytest.approx(share, abs=0.04)


@pytest.mark.parametrize("num", [9, 50])
def test_with_perfect_values_all_3191_decisions_are_right(rules, num):
    assert accuracy(rules, num, evaluate=perfect) == 1.0


def test_with_perfect_values_nearly_all_that_is_left_by_halving_is_right(rules):
    assert accuracy(rules, 50, evaluate=perfect, planner=GumbelMCTS, gumbel_scale=0.0) > 0.99


@pytest.mark.parametrize("num", [25, 100])
def test_a_wrong_sign_finds_two_thirds_however_long_it_looks(rules, num):
    friends = Altered(rules, lambda step: step._replace(sign=1.0))  # wins that are there at once are still found
    assert accuracy(friends, num) < 0.72


def test_wins_of_the_wrong_side_find_less_than_chance(rules):
    swapped = Altered(rules, lambda step: step._replace(reward=-step.reward))
    assert accuracy(swapped, 25) < 0.405


def test_as_second_player_it_loses_most_games_against_right_moves_at_random(rules):
    rng, opponent, planner = zoo_core.rng(0), np.random.default_rng(0), MCTS({"num_simulations": 25})
    state, lost = rules.game.initial(300), np.zeros(300, np.bool_)
    for ply in range(9):
        if ply % 2 == 0:
            action = solved.random_optimal(state, rng=opponent)
        else:
            action = planner.plan(rules, state, rng=rng).action.numpy()
        played = rules.game.play(state, action)
        lost |= (played.reward > 0) & (ply % 2 == 0)
        state = played.state
    assert lost.mean() == pytest.approx(0.82, abs=0.07)


def test_the_sign_of_each_step_is_minded_where_a_player_moves_twice(search, boxes, edges):
    worth = boxes.solve()
    rng = np.random.default_rng(0)
    drawn = np.array([d for d in range(1 << 12) if 5 <= d.bit_count() <= 7])
    wrong = [(worth[d] > -np.inf).sum() > (worth[d] == worth[d].max()).sum() for d in drawn]
    drawn = rng.choice(drawn[wrong], 400, replace=False)
    right = worth[drawn] == worth[drawn].max(1, keepdims=True)
    share = {}
    for name, model in {"step": boxes, "constant": Altered(boxes, lambda step: step._replace(sign=-1.0))}.items():
        planner = search({"num_simulations": 200})
        action = planner.plan(model, edges(drawn), rng=zoo_core.rng(0)).action.numpy()
        share[name] = right[np.arange(400), action].mean()
    assert share["step"] > 0.9
    assert share["constant"] < share["step"] - 0.05


@pytest.fixture
def five_states(world):
    """Returns a world of five states and three actions, what each action is worth there, and the discount."""
    rng, gamma = np.random.default_rng(0), 0.6
    after, reward = rng.integers(0, 5, (5, 3)), rng.random((5, 3))
    quality = np.zeros((5, 3))
    for _ in range(100):
        quality = reward + gamma * quality.max(1)[after]
    return world([[[(1.0, after[s, a], reward[s, a], False)] for a in range(3)] for s in range(5)]), quality, gamma


def test_a_tree_finds_what_value_iteration_finds(five_states, states):
    model, quality, gamma = five_states
    plan = MCTS({"num_simulations": 1_000, "gamma": gamma}).plan(model, states(range(5)), rng=zoo_core.rng(0))
    assert plan.action.tolist() == quality.argmax(1).tolist()
    assert plan.value.numpy() == pytest.approx(quality.max(1), abs=0.12)


def test_given_the_values_halving_leaves_the_best_and_knows_the_worth_of_the_prior(five_states, states):
    model, quality, gamma = five_states

    def evaluate(state, *, rng):
        return Evaluation(torch.from_numpy(quality.max(1))[state.index].float())

    planner = GumbelMCTS({"num_simulations": 50, "gamma": gamma, "gumbel_scale": 0.0}, evaluate=evaluate)
    plan = planner.plan(model, states(range(5)), rng=zoo_core.rng(0))
    assert plan.action.tolist() == quality.argmax(1).tolist()
    assert plan.value.numpy() == pytest.approx(quality.mean(1), abs=0.12)


def test_the_discount_and_the_chance_to_go_on_weigh_what_follows(world, states):
    model = world([[[(1.0, 1, 0.0, False)]], [[(1.0, 1, 1.0, False)]]])
    halved = Altered(model, lambda step: step._replace(continues=torch.full_like(step.continues, 0.5)))
    plan = MCTS({"num_simulations": 2, "gamma": 0.5}).plan(halved, states([0]), rng=zoo_core.rng(0))
    assert plan.value.tolist() == [(0.0 + 0.25 * 1.0) / 2]  # the first simulation ends at the leaf


def test_the_rules_of_the_game_are_solved():
    solution = solved.solve()
    over = solution.positions.over
    assert len(over) == 5_478
    assert (~over).sum() == 4_520
    assert len(solution.decisions) == 3_191
    chance = solution.optimal.sum(1) / np.maximum((solution.positions.cells == 0).sum(1), 1)
    assert chance[~over].mean() == pytest.approx(0.580, abs=1e-3)
    assert chance[solution.decisions].mean() == pytest.approx(0.405, abs=1e-3)


def test_a_position_that_no_game_comes_to_is_refused(rules):
    state = index(rules.game.initial(1), slice(0, 1))
    state.cells[:] = 1
    with pytest.raises(ValueError, match="row 0 is a position that no game comes to"):
        solved.optimal_moves(state)
