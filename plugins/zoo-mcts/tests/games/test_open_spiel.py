"""Games of OpenSpiel, and those that do not fit."""

import sys

import numpy as np
import pyspiel
import pytest

from zoo_core.errors import UnknownNameError, ZooError
from zoo_mcts.games.catalogue import OPEN_SPIEL_GAMES
from zoo_mcts.games.lookup import make_game
from zoo_mcts.games.open_spiel import why_not


def test_the_catalogue_has_all_games_that_fit():
    assert sorted(OPEN_SPIEL_GAMES) == sorted(
        kind.short_name for kind in pyspiel.registered_games() if not why_not(kind.short_name)
    )


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("matrix_rps", "moves are simultaneous"),
        ("backgammon", "chance plays a part"),
        ("phantom_ttt", "information is hidden from players"),
        ("2048", "two players are needed, it has 1"),
        ("matching_pennies_3p", "two players are needed, it has 3"),
        ("markov_soccer", "moves are simultaneous"),
    ],
)
def test_a_game_that_does_not_fit_is_refused_with_the_reason(name, why):
    with pytest.raises(ValueError, match=f"^open_spiel/{name} does not fit: {why}$"):
        make_game(f"open_spiel/{name}")


def test_an_unknown_game_or_parameter_is_named_with_the_nearest():
    with pytest.raises(UnknownNameError, match="OpenSpiel has no game 'othelo': did you mean 'othello'"):
        make_game("open_spiel/othelo")
    with pytest.raises(ValueError, match="open_spiel/hex has no parameter 'boardsize': did you mean 'board_size'"):
        make_game("open_spiel/hex", boardsize=5)


def test_a_game_for_more_players_is_refused_where_parameters_ask_for_them():
    with pytest.raises(ValueError, match="two players are needed, it has 3"):
        make_game("open_spiel/chinese_checkers", players=3)


def test_a_missing_open_spiel_is_named_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspiel", None)
    with pytest.raises(ZooError, match="pip install open_spiel"):
        make_game("open_spiel/hex")


def test_parameters_make_the_game_and_those_that_are_as_by_default_are_not_kept():
    game = make_game("open_spiel/hex", board_size=5, swap=False)
    assert game.num_actions == 25
    assert game.view.shape == (5, 5, 9)
    assert game.kwargs == {"board_size": 5}


def test_channels_come_last():
    game = make_game("open_spiel/othello")
    state = game.rules.new_initial_state()
    planes = np.reshape(state.observation_tensor(0), (3, 8, 8))
    seen = game.observe(game.initial(2))
    assert seen.shape == (2, 8, 8, 3)
    np.testing.assert_array_equal(seen[1], planes.transpose(1, 2, 0))


def test_who_begins_is_player_0_whatever_its_number_in_open_spiel():
    game = make_game("open_spiel/chess")
    assert game.rules.new_initial_state().current_player() == 1
    state = game.initial(1)
    assert game.player(state).tolist() == [0]
    assert game.player(game.play(state, game.legal(state).argmax(1)).state).tolist() == [1]


def test_a_player_who_moves_again_keeps_the_sign():
    game = make_game("open_spiel/mancala")
    state = game.initial(2)
    ends_at_home = next(a for a in range(game.num_actions) if game.action_name(state, 0, a) == "3")
    another = next(a for a in np.flatnonzero(game.legal(state)[1]) if a != ends_at_home)
    played = game.play(state, np.array([ends_at_home, another]))
    assert played.sign.tolist() == [1.0, -1.0]
    assert game.player(played.state).tolist() == [0, 1]


def test_moves_have_the_names_of_open_spiel():
    game = make_game("open_spiel/othello")
    state = game.initial(1)
    assert [game.action_name(state, 0, a) for a in np.flatnonzero(game.legal(state)[0])] == ["d3", "c4", "f5", "e6"]
    assert game.parse_action(state, 0, "d3") == 19


def test_pictures_have_no_colours_of_a_terminal():
    game = make_game("open_spiel/twixt")
    assert "\x1b" in str(game.rules.new_initial_state())
    assert "\x1b" not in game.render(game.initial(1), 0)
