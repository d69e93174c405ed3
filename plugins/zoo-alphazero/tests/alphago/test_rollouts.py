"""Rollouts: whose result it is, and who moves."""

import numpy as np
import pytest

from zoo_alphazero.alphago.rollouts import rollouts
from zoo_core.world_model import index, repeat, stack
from zoo_mcts.games.lookup import make_game


def play(game, moves):
    """Returns the position after some moves."""
    state = game.initial(1)
    for move in moves:
        state = game.play(state, np.array([move])).state
    return state


def roll(game, state, seed=0, bias=None):
    num = int(np.prod(game.view.shape))
    bias = np.zeros(game.num_actions, np.float32) if bias is None else bias
    return rollouts(game, state, np.zeros((num, game.num_actions), np.float32), bias, rng=np.random.default_rng(seed))


@pytest.mark.parametrize(
    ("moves", "z"),
    [
        ([0, 1, 2, 4, 3, 5, 7, 6], 0.0),  # the last move fills the board
        ([0, 1, 3, 4, 2, 5, 7, 8], 1.0),  # x has only 6 left, and wins by it
        ([0, 1, 2, 5, 6, 8, 7], -1.0),  # o is to move; 3 or 4 is left, and with the other one x wins
    ],
)
def test_the_result_is_that_of_the_player_to_move_at_the_leaf(game, moves, z):
    state = play(game, moves)
    assert roll(game, repeat(state, 8)).tolist() == [z] * 8


def test_a_game_that_is_over_is_worth_nothing_more(game):
    assert roll(game, play(game, [0, 3, 1, 4, 2])).tolist() == [0.0]


def test_the_sign_follows_who_moves_where_one_moves_twice(twice):
    bias = np.array([-50.0, 50.0], np.float32)  # always move 1, by whom the last one pays player 0
    values = [roll(twice, np.array([state]), bias=bias)[0] for state in range(4)]
    assert values == [1.0, -1.0, -1.0, 1.0]


def test_moves_follow_the_policy_and_are_legal():
    game = make_game("connect_four_v3")
    bias = np.full(7, -60.0, np.float32)
    bias[3] = 60.0  # both put their stones into the middle, until it is full: nobody has four there
    weight = np.zeros((84, 7), np.float32)
    state, seen = game.initial(4), []
    original = game.play

    def spy(state, action):
        seen.append(action.copy())
        return original(state, action)

    game.play = spy
    rollouts(game, state, weight, bias, rng=np.random.default_rng(0))
    assert [moves.tolist() for moves in seen[:6]] == [[3] * 4] * 6
    assert 3 not in seen[6]


def test_no_row_disturbs_another():
    game = make_game("connect_four_v3")
    ended = play(game, [0, 1, 0, 1, 0, 1, 0])
    alike = repeat(game.initial(1), 32)
    mixed = stack([ended, index(alike, np.arange(31))])
    np.testing.assert_array_equal(roll(game, alike)[1:], roll(game, mixed)[1:])


def test_the_mean_of_uniform_rollouts_is_that_of_random_play(game):
    results = roll(game, game.initial(4_000))
    assert results.mean() == pytest.approx(0.585 - 0.288, abs=0.04)  # of x, who begins
