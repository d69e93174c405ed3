"""Test positions of Connect Four: their classes, their scores, and the mistakes that are counted."""

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.learn import positions as made
from benchmarks.learn.positions import CLASSES, NUM_POSITIONS, Position, boards, class_of, mistake_rate, remaining_moves
from zoo_mcts.games.connect_four import ConnectFour
from zoo_mcts.players import Choice, make_player
from zoo_mcts.players.minimax import best_moves
from zoo_mcts.players.perfect import ILLEGAL, ConnectFourSolver

STORED = made.read_positions()
GAME = ConnectFour()


def test_there_are_as_many_positions_of_each_class():
    assert {name: len(positions) for name, positions in STORED.items()} == dict.fromkeys(CLASSES, NUM_POSITIONS)


def test_positions_are_in_the_class_that_their_scores_say():
    for name, positions in STORED.items():
        assert {class_of(position.score, len(position.moves)) for position in positions} == {name}


def test_no_position_is_over_and_none_is_there_twice():
    for positions in STORED.values():
        state = boards(positions)
        assert not state.over.any()
        mirrored = state.cells.reshape(-1, 6, 7)[:, :, ::-1].reshape(-1, 42)
        counts = Counter(min(a.tobytes(), b.tobytes()) for a, b in zip(state.cells, mirrored, strict=True))
        assert set(counts.values()) == {1}


def test_nobody_wins_at_once():
    for positions in STORED.values():
        assert (best_moves(GAME, boards(positions), 1)[1] == 0.0).all()


def test_full_columns_are_marked():
    for positions in STORED.values():
        full = np.array([position.scores for position in positions]) == ILLEGAL
        np.testing.assert_array_equal(~full, GAME.legal(boards(positions)))


@pytest.mark.parametrize("name", CLASSES)
def test_stored_scores_are_those_of_the_solver(name):
    few = [position for position in STORED[name] if len(position.moves) not in (12, 13)][::50]
    np.testing.assert_array_equal(ConnectFourSolver().scores(boards(few)), [position.scores for position in few])


def test_easy_ends_are_solved_by_looking_to_the_end():
    few = [position for position in STORED["end-easy"] if len(position.moves) >= 31]
    best, score = best_moves(GAME, boards(few), 11)
    scores = np.array([position.scores for position in few])
    np.testing.assert_array_equal(np.sign(score), np.sign(scores.max(1)))
    np.testing.assert_array_equal(best, scores == scores.max(1)[:, None])
    left = np.array([remaining_moves(position.score, len(position.moves)) for position in few])
    decided = score != 0.0
    np.testing.assert_array_equal(left[decided], 12 - np.abs(score[decided]))  # a win by the k-th move counts 12 - k


@pytest.mark.parametrize(
    ("score", "num_moves", "left"),
    [(1, 0, 41), (0, 0, 42), (-2, 1, 37 + 1), (18, 6, 1), (21, 0, 1), (1, 40, 1), (1, 41, 1), (-1, 40, 2), (0, 41, 1)],
)
def test_scores_say_how_many_moves_remain(score, num_moves, left):
    assert remaining_moves(score, num_moves) == left


def test_remaining_moves_are_those_of_the_solver():
    import bitbully

    for positions in STORED.values():
        for position in positions[::25]:
            board = bitbully.Board(position.moves)
            left = bitbully.BitBully.score_to_moves_left(position.score, board)
            assert remaining_moves(position.score, len(position.moves)) == left


def test_a_mistake_lowers_the_outcome_whatever_the_score():
    scores = (3, 1, 0, -1, -5, ILLEGAL, 2)
    positions = [Position("5", scores)] * 5
    for actions, rate in (([0, 1, 6, 0, 0], 0.0), ([2, 3, 4, 2, 0], 0.8), ([2, 2, 2, 2, 2], 1.0)):
        player = SimpleNamespace(choose=lambda game, state, rng, actions=actions: Choice(np.array(actions)))
        assert mistake_rate(player, positions) == rate
    lost = [Position("5", (-3, -1, -2, -1, -5, -4, -2))] * 5
    assert mistake_rate(player, lost) == 0.0  # what is lost cannot be given away


def test_looking_further_makes_fewer_mistakes_and_random_moves_many():
    rates = {
        spec: np.mean([mistake_rate(make_player(spec, GAME), STORED[name]) for name in CLASSES])
        for spec in ("random", "minimax:2", "minimax:6")
    }
    assert rates["random"] > 1.3 * rates["minimax:2"]
    assert rates["minimax:2"] > 1.2 * rates["minimax:6"]


def test_generating_again_gives_the_same_positions(monkeypatch):
    # Without the plies whose solution takes longest.
    monkeypatch.setattr(made, "STAGES", {"middle": (22, 27), "end": (28, 40)})
    monkeypatch.setattr(made, "CLASSES", ("middle-easy", "end-easy"))
    first, again = made.generate(20), made.generate(20)
    assert first == again
    assert first["end-easy"] == STORED["end-easy"][:20]
