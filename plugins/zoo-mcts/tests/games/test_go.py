"""Go: captures, ko, suicide, area, and boards that are turned."""

import numpy as np
import pytest

from zoo_core.world_model import index
from zoo_mcts.games.lookup import make_game

PASS = "pass"


def play(game, *moves):
    """Returns what the last of these moves, by name, led to."""
    state = game.initial(1)
    for move in moves:
        played = game.play(state, np.array([point(game, move)]))
        state = played.state
    return played


def point(game, name):
    """Returns the move that is called so, legal or not."""
    names = [game.action_name(game.initial(1), 0, action) for action in range(game.num_actions)]
    return names.index(name)


@pytest.fixture
def small():
    return make_game("go_v5", board_size=5, komi=0.5)


def test_points_have_the_names_of_go_programs():
    game = make_game("go_v5", board_size=9)
    state = game.initial(1)
    assert [game.action_name(state, 0, action) for action in (0, 8, 72, 80, 81)] == ["A9", "J9", "A1", "J1", PASS]
    assert game.parse_action(state, 0, "D4") == 48
    assert game.parse_action(state, 0, PASS) == 81


def test_a_group_without_liberties_is_captured(small):
    state = play(small, "B5", "A5", "A4").state  # white's stone in the corner is surrounded
    assert small.render(state, 0).splitlines()[0] == " 5 . x . . ."
    assert small.legal(state)[0, point(small, "A5")] == 0  # to play there again would be suicide


def test_a_group_of_several_stones_is_captured(small):
    state = play(small, "A4", "A5", "B4", "B5", "C5").state
    assert small.render(state, 0).splitlines()[:2] == [" 5 . . x . .", " 4 x x . . ."]


KO = ("B4", "C4", "A3", "D3", "B2", "C2", "E5", "B3", "C3")  # black has just taken the stone on B3


def test_a_single_stone_is_not_retaken_at_once(small):
    state = play(small, *KO).state
    assert not small.legal(state)[0, point(small, "B3")]
    later = play(small, *KO, "E1", "D1").state
    assert small.legal(later)[0, point(small, "B3")]


def test_passing_ends_the_ko(small):
    later = play(small, *KO, PASS, "D1").state
    assert small.legal(later)[0, point(small, "B3")]


def test_two_passes_end_the_game_and_area_decides(small):
    one = play(small, "C3", PASS, PASS)  # black has the whole board
    assert (one.over.tolist(), one.reward.tolist()) == ([True], [1.0])
    none = play(small, PASS, PASS)  # an empty board is nobody's, so that komi decides
    assert (none.over.tolist(), none.reward.tolist()) == ([True], [1.0])


def test_equal_scores_are_whites_win_as_in_pettingzoo():
    assert play(make_game("go_v5", board_size=5, komi=0), PASS, PASS).reward.tolist() == [1.0]


def test_an_illegal_move_loses(small):
    played = play(small, "C3", "C3")
    assert (played.over.tolist(), played.reward.tolist()) == ([True], [-1.0])


def test_boards_of_two_sizes_do_not_disturb_each_other(random_moves):
    rng = np.random.default_rng(0)
    alone = make_game("go_v5", board_size=5)
    state, beside = alone.initial(3), make_game("go_v5", board_size=7)
    other = beside.initial(3)
    for _ in range(20):
        state = alone.play(state, random_moves(alone.legal(state), rng)).state
        other = beside.play(other, random_moves(beside.legal(other), rng)).state
    assert alone.legal(state).shape == (3, 26)
    assert beside.legal(other).shape == (3, 50)


def test_a_board_that_is_turned_is_played_on_as_the_board_itself(small, random_moves):
    """Each symmetry of what follows a move is what follows that move turned, in a game that was turned throughout."""
    rng = np.random.default_rng(0)
    one_hot = np.eye(small.num_actions)
    for k in range(8):
        state, turned = small.initial(4), small.initial(4)
        for _ in range(12):
            action = random_moves(small.legal(state), rng)
            state = small.play(state, action).state
            turned = small.play(turned, small.symmetries(turned.planes, one_hot[action])[k][1].argmax(1)).state
            planes, legal = small.symmetries(small.observe(state), small.legal(state))[k]
            np.testing.assert_array_equal(small.observe(turned), planes)
            np.testing.assert_array_equal(small.legal(turned), legal)


def test_the_eight_symmetries_are_different_and_the_first_is_the_board_itself(small, random_moves):
    state = play(small, "A5", "B5", "C3", "E4").state
    views = small.symmetries(small.observe(state), small.legal(state))
    np.testing.assert_array_equal(views[0][0], small.observe(state))
    assert len({view.tobytes() for view, _ in views}) == 8


def test_rows_do_not_know_of_each_other(small, random_moves):
    rng = np.random.default_rng(0)
    state = small.initial(16)
    for _ in range(30):
        action = random_moves(small.legal(state), rng)
        after = small.play(state, action).state
        alone = small.play(index(state, np.array([5])), action[5:6]).state
        for leaf, one in zip(after, alone, strict=True):
            np.testing.assert_array_equal(leaf[5:6], one)
        state = after


@pytest.mark.parametrize("size", [1, 26])
def test_a_board_that_cannot_be_is_refused(size):
    with pytest.raises(ValueError, match=rf"board_size must be in \[2, 25\], got {size}"):
        make_game("go_v5", board_size=size)
