"""Perfect players: what is known of the games."""

import numpy as np
import pytest

from zoo_core.errors import ZooError
from zoo_core.world_model import index
from zoo_mcts.games import solved
from zoo_mcts.games.lookup import make_game
from zoo_mcts.players import make_player
from zoo_mcts.players.minimax import best_moves
from zoo_mcts.players.perfect import ILLEGAL, ConnectFourSolver, PerfectPlayer


@pytest.fixture(scope="module")
def solver():
    return ConnectFourSolver()


def test_connect_four_opens_in_the_centre(connect_four, rng):
    choice = PerfectPlayer(connect_four).choose(connect_four, connect_four.initial(20), rng=rng)
    assert (choice.action == 3).all()
    assert (choice.value == 1.0).all()


def test_openings_of_connect_four_have_the_scores_of_pons(connect_four, solver):
    assert solver.scores(connect_four.initial(1)).tolist() == [[-2, -1, 0, 1, 0, -1, -2]]


def test_full_columns_have_no_score(connect_four, after, solver):
    scores = solver.scores(after(connect_four, "333333"))
    assert scores[0, 3] == ILLEGAL
    assert (scores[0, [0, 1, 2, 4, 5, 6]] > ILLEGAL).all()


def test_a_win_at_once_scores_one_more_than_the_stones_left(connect_four, after, solver):
    assert solver.scores(after(connect_four, "001122"))[0, 3] == 18  # of 21 stones, the fourth wins


def test_the_solver_agrees_with_looking_to_the_end(connect_four, at_random, solver):
    state = at_random(connect_four, 31, 60)
    state = index(state, ~state.over)
    best, score = best_moves(connect_four, state, 11)
    scores = solver.scores(state)
    np.testing.assert_array_equal(np.sign(scores.max(1)), np.sign(score))
    np.testing.assert_array_equal(scores == scores.max(1)[:, None], best)


def test_rows_are_solved_by_themselves_whoever_is_to_move(connect_four, at_random, solver):
    state = index(at_random(connect_four, 25, 12), [0, 3, 3, 7])
    alone = [solver.scores(index(state, slice(row, row + 1)))[0] for row in range(4)]
    np.testing.assert_array_equal(solver.scores(state), alone)


def test_tic_tac_toe_is_played_by_its_solution(tic_tac_toe, rng):
    states = solved.decision_states()
    choice = PerfectPlayer(tic_tac_toe).choose(tic_tac_toe, states, rng=rng)
    assert solved.accuracy(states, choice.action) == 1.0
    np.testing.assert_array_equal(choice.value, solved.values(states))


def test_a_game_without_a_solver_is_named():
    with pytest.raises(
        ZooError, match=r"no perfect player of go_v5: only tictactoe_v3 and connect_four_v3 have a solver"
    ):
        make_player("perfect", make_game("go_v5", board_size=5))


def test_a_missing_solver_says_what_to_install(connect_four, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "bitbully", None)
    with pytest.raises(ZooError, match=r"needs the package bitbully: pip install 'zoo-mcts\[solver\]'"):
        make_player("perfect", connect_four)
