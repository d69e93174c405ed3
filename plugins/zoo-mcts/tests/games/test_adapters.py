"""From environments of PettingZoo and Shimmy to their games, and those that do not fit."""

import json
from types import ModuleType

import pytest
from pettingzoo.classic.chess import chess
from pettingzoo.classic.connect_four import connect_four
from pettingzoo.classic.go import go
from pettingzoo.classic.rps import rps
from pettingzoo.classic.tictactoe import tictactoe
from shimmy import OpenSpielCompatibilityV0

from zoo_core.errors import UnknownNameError
from zoo_mcts.games.lookup import game_of, make_game
from zoo_mcts.games.replayed import ReplayedGame

CLASSICS = [(chess, "chess_v6"), (connect_four, "connect_four_v3"), (tictactoe, "tictactoe_v3"), (go, "go_v5")]


@pytest.mark.parametrize(("module", "id"), CLASSICS)
def test_pettingzoos_games_are_recognised_however_they_are_wrapped(module, id):
    for env in (module, module.env, module.env(), module.raw_env(), module.env().unwrapped):
        game = game_of(env)
        assert (game.id, type(game)) == (id, type(make_game(id)))


def test_a_go_board_is_as_large_as_that_of_the_environment():
    assert game_of(go.env(board_size=9, komi=5.5)).kwargs == {"board_size": 9, "komi": 5.5}


def test_shimmys_games_are_those_of_open_spiel():
    game = game_of(OpenSpielCompatibilityV0(game_name="hex", config={"board_size": 4}))
    assert (game.id, game.kwargs) == ("open_spiel/hex", {"board_size": 4})


def test_a_changed_game_of_pettingzoo_is_replayed_rather_than_taken_for_the_original():
    class Own(connect_four.raw_env):
        pass

    game = game_of(Own)
    assert (type(game), game.num_actions) == (ReplayedGame, 7)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("rps_v2", "moves are simultaneous"),
        ("texas_holdem_v4", "cards are hidden from players"),
        ("texas_holdem_no_limit_v6", "cards are hidden from players"),
        ("leduc_holdem_v4", "cards are hidden from players"),
        ("gin_rummy_v4", "cards are hidden from players"),
        ("hanabi_v5", "cards are hidden from players, and they win together"),
    ],
)
def test_a_game_that_does_not_fit_is_refused_by_name_with_the_reason(name, why):
    with pytest.raises(ValueError, match=f"^pettingzoo.classic.{name} does not fit: {why}$"):
        game_of(ModuleType(f"pettingzoo.classic.{name}"))


def test_an_environment_that_does_not_fit_is_refused_with_the_reason():
    with pytest.raises(ValueError, match=r"^rps_v2 does not fit: moves are simultaneous$"):
        game_of(rps.env())
    with pytest.raises(ValueError, match="open_spiel/kuhn_poker does not fit: chance plays a part"):
        game_of(OpenSpielCompatibilityV0(game_name="kuhn_poker"))


def test_something_else_is_refused():
    with pytest.raises(TypeError, match=r"expected a game's id, a PettingZoo AEC .* or what makes one, got int"):
        game_of(3)
    with pytest.raises(TypeError, match="expected what makes a PettingZoo AEC environment, it made list"):
        game_of(list)
    with pytest.raises(TypeError, match="module json has no function env"):
        game_of(json)


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="unknown game 'chess_v5': did you mean 'chess_v6'"):
        make_game("chess_v5")
    with pytest.raises(UnknownNameError, match="unknown game 'nowhere:env': No module named 'nowhere'"):
        make_game("nowhere:env")
    with pytest.raises(ValueError, match="connect_four_v3: got an unexpected keyword argument 'rows'"):
        make_game("connect_four_v3", rows=3)
