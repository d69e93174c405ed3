"""Two players: tic-tac-toe, whose best moves are known."""

import functools

import numpy as np
import pytest

import zoo_core
from zoo_core.testing.fakes import TicTacToe
from zoo_core.testing.fakes.tic_tac_toe import Board
from zoo_planners.forward_search import ForwardSearch
from zoo_planners.rollout import Rollout

MODEL = TicTacToe()
PLANNERS = {
    "forward-search": lambda: ForwardSearch({"depth": 3, "gamma": 1.0}),
    "rollout": lambda: Rollout({"num_rollouts": 200, "depth": 9, "gamma": 1.0}),
}


@functools.cache
def worth(board):
    """Returns the value of a position for the player to move, and that of each legal move."""
    if board.over:
        return 0.0, {}
    moves = {}
    for field in range(9):
        if board.fields[field] == 0:
            after, reward = board.play(field)
            moves[field] = reward - worth(after)[0]
    return max(moves.values()), moves


def late_positions(free):
    """Returns the positions, among all that can be reached, with so many free fields."""
    found = {Board()}
    for _ in range(9 - free):
        found = {b.play(f)[0] for b in found for f in range(9) if b.fields[f] == 0 and not b.over}
    return sorted((board for board in found if not board.over), key=lambda board: board.fields)


def boards(*positions):
    array = np.empty(len(positions), object)
    array[:] = [None] * len(positions)
    for i, position in enumerate(positions):
        array[i] = position
    return array


def board(text):
    """Returns the position in which x moves next."""
    return Board(tuple({"x": 1, "o": -1, ".": 0}[mark] for mark in text.replace(" ", "")))


@pytest.mark.parametrize("name", PLANNERS)
@pytest.mark.parametrize(
    ("text", "move"),
    [
        ("xx. oo. ...", 2),  # wins, rather than block
        ("oo. .x. ..x", 2),  # blocks
        ("o.x .x. o..", 3),  # blocks the column
        ("x.. .o. oxo", 2),  # blocks the diagonal
    ],
)
def test_it_wins_and_blocks(name, text, move):
    best, moves = worth(board(text))
    assert [field for field, value in moves.items() if value == best] == [move]
    plan = PLANNERS[name]().plan(MODEL, boards(*[board(text)] * 2), rng=zoo_core.rng(0))
    assert plan.action.tolist() == [move] * 2


def test_exhaustive_search_plays_perfectly_to_the_end():
    positions = late_positions(free=4)[::80]
    assert len(positions) > 10
    plan = ForwardSearch({"depth": 4, "gamma": 1.0}).plan(MODEL, boards(*positions), rng=zoo_core.rng(0))
    assert plan.value.tolist() == [worth(position)[0] for position in positions]
    best = [worth(p)[1][a] == worth(p)[0] for p, a in zip(positions, plan.action.tolist(), strict=True)]
    assert all(best)


@pytest.mark.parametrize("name", PLANNERS)
def test_a_game_that_is_over_is_worth_nothing(name):
    over, _ = board("xx. oo. ...").play(2)
    plan = PLANNERS[name]().plan(MODEL, boards(over, board("xx. oo. ...")), rng=zoo_core.rng(0))
    assert plan.value.tolist() == [0.0, 1.0]
