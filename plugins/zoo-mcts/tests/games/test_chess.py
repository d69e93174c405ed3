"""Chess: mates, draws, numbers of moves."""

import sys

import numpy as np
import pytest

from zoo_core.errors import ZooError
from zoo_mcts.games.chess_moves import NUM_ACTIONS, action_of
from zoo_mcts.games.lookup import make_game

GAME = make_game("chess_v6")
FOOLS_MATE = ["f2f3", "e7e5", "g2g4", "d8h4"]
SHUFFLE = ["g1f3", "g8f6", "f3g1", "f6g8"]  # leads back to where it began


def play(*moves):
    """Returns what the last of these moves, in UCI, led to."""
    state = GAME.initial(1)
    for move in moves:
        played = GAME.play(state, np.array([GAME.parse_action(state, 0, move)]))
        state = played.state
    return played


def names(state):
    return {GAME.action_name(state, 0, action) for action in np.flatnonzero(GAME.legal(state)[0])}


def test_twenty_moves_begin_a_game():
    state = GAME.initial(2)
    assert GAME.legal(state).sum(1).tolist() == [20, 20]
    assert {"e2e4", "g1f3"} < names(state)


def test_mate_wins():
    played = play(*FOOLS_MATE)
    assert (played.reward.tolist(), played.over.tolist()) == ([1.0], [True])
    assert not GAME.legal(played.state).any()


def test_a_third_repetition_that_may_be_claimed_is_a_draw():
    *before, last = SHUFFLE * 2
    assert not play(*before[:-1]).over[0]
    played = play(*before)  # the move that would repeat the position for the third time may be made now
    assert (played.reward.tolist(), played.over.tolist()) == ([0.0], [True])
    assert last == "f6g8"


def test_a_repeated_position_is_seen():
    assert play(*SHUFFLE).state.position[0].planes[0, -1] != 0
    assert play(*SHUFFLE[:3]).state.position[0].planes[0, -1] == 0


def test_castling_en_passant_and_promotion_are_moves():
    assert "e1g1" in names(play("e2e4", "e7e5", "g1f3", "g8f6", "f1c4", "f8c5").state)
    assert "e5d6" in names(play("e2e4", "a7a6", "e4e5", "d7d5").state)
    promoting = play("a2a4", "b7b5", "a4b5", "a7a6", "b5a6", "c8b7", "a6b7", "h7h6").state
    assert {"b7a8q", "b7a8n", "b7a8b", "b7a8r"} < names(promoting)


def test_both_sides_number_their_moves_alike():
    white = action_of(12, 28, None, False)  # e2e4
    black = action_of(52, 36, None, True)  # e7e5
    assert white == black
    assert GAME.legal(GAME.initial(1))[0, white]
    assert GAME.legal(play("e2e4").state)[0, black]


def test_no_two_moves_have_the_same_number():
    queens_and_knights = [
        action_of(a, b, None, False) for a in range(64) for b in range(64) if action_of(a, b, None, False) >= 0
    ]
    promotions = [
        action_of(48 + a, 56 + b, piece, False)
        for a in range(8)
        for b in range(max(a - 1, 0), min(a + 2, 8))
        for piece in (2, 3, 4)
    ]
    numbers = queens_and_knights + promotions
    assert len(set(numbers)) == len(numbers) == 1_792 + 66
    assert max(numbers) < NUM_ACTIONS == 4_672


def test_the_board_is_shown_with_its_coordinates():
    lines = GAME.render(play("e2e4").state, 0).splitlines()
    assert lines[0] == "8 r n b q k b n r"
    assert lines[4] == "4 . . . . P . . ."
    assert lines[-1] == "  a b c d e f g h"


def test_a_missing_python_chess_is_named_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "chess", None)
    monkeypatch.delitem(sys.modules, "zoo_mcts.games.chess")
    with pytest.raises(ZooError, match="chess_v6 needs python-chess: pip install chess"):
        make_game("chess_v6")


def test_stalemate_is_a_draw():
    moves = (  # ten moves by Sam Loyd
        "e2e3 a7a5 d1h5 a8a6 h5a5 h7h5 h2h4 a6h6 a5c7 f7f6 c7d7 e8f7 d7b7 d8d3 b7b8 d3h7 b8c8 f7g6 c8e6"
    )
    played = play(*moves.split())
    assert (played.reward.tolist(), played.over.tolist()) == ([0.0], [True])
