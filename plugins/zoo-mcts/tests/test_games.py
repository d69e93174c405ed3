"""Two players: tic-tac-toe, whose best moves are known."""

import functools

import numpy as np
import pytest
import torch

import zoo_core
from zoo_core.testing.fakes import TicTacToe
from zoo_core.testing.fakes.tic_tac_toe import Board
from zoo_mcts.leaves import sample_actions

MODEL = TicTacToe()


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


@functools.cache
def positions():
    """Returns all positions in which some moves are better than others."""
    found, fresh = {Board()}, [Board()]
    while fresh:
        board = fresh.pop()
        for after in {board.play(field)[0] for field in range(9) if board.fields[field] == 0} - found:
            found.add(after)
            fresh.append(after)
    deciding = [board for board in found if not board.over and len(set(worth(board)[1].values())) > 1]
    return sorted(deciding, key=lambda board: board.fields)


def boards(*positions):
    array = np.empty(len(positions), object)
    array[:] = [None] * len(positions)
    for i, position in enumerate(positions):
        array[i] = position
    return array


def board(text):
    """Returns the position in which x moves next."""
    return Board(tuple({"x": 1, "o": -1, ".": 0}[mark] for mark in text.replace(" ", "")))


@pytest.mark.parametrize(
    ("text", "move"),
    [
        ("xx. oo. ...", 2),  # wins, rather than block
        ("oo. .x. ..x", 2),  # blocks
        ("o.x .x. o..", 3),  # blocks the column
        ("x.. .o. oxo", 2),  # blocks the diagonal
    ],
)
def test_search_wins_and_blocks(planner, tree, text, move):
    position = board(text)
    best, moves = worth(position)
    assert [field for field, value in moves.items() if value == best] == [move]  # by exhaustive search
    plan = planner(tree=tree, num_simulations=200, gamma=1.0, rollout_depth=9).plan(
        MODEL, boards(*[position] * 4), rng=zoo_core.rng(0)
    )
    assert plan.action.tolist() == [move] * 4


def test_search_decides_well_where_it_matters(planner):
    assert len(positions()) == 3_191
    sample = boards(*positions()[::40])
    search = planner(tree="deterministic", num_simulations=100, gamma=1.0, rollout_depth=9)
    plan = search.plan(MODEL, sample, rng=zoo_core.rng(0))
    moves = [worth(position) for position in sample]
    chance = np.mean([np.mean([v == best for v in values.values()]) for best, values in moves])
    right = np.mean([values[a] == best for (best, values), a in zip(moves, plan.action.tolist(), strict=True)])
    assert chance < 0.45  # what random moves get
    assert right > 0.9


def test_illegal_moves_have_no_weight(planner, tree):
    sample = boards(*positions()[::500])
    plan = planner(tree=tree).plan(MODEL, sample, rng=zoo_core.rng(0))
    legal = MODEL.legal_actions(sample)
    assert legal.gather(1, plan.action[:, None]).all()
    assert (plan.weights[~legal] == 0.0).all()
    torch.testing.assert_close(plan.weights.sum(1), torch.ones(len(sample)))


@pytest.mark.parametrize("logits", [None, torch.tensor([9.0, 8.0, 7.0, 6.0, 5.0, 0.0, 0.0, 0.0, 0.0])])
def test_rollouts_make_legal_moves_only(logits):
    sample = boards(*positions())
    moves = sample_actions(MODEL, sample, logits, rng=zoo_core.rng(0))
    assert MODEL.legal_actions(sample).gather(1, moves[:, None]).all()


def test_a_game_that_is_over_is_worth_nothing(planner, tree):
    over, _ = board("xx. oo. ...").play(2)
    plan = planner(tree=tree).plan(MODEL, boards(over, Board()), rng=zoo_core.rng(0))
    assert plan.value[0] == 0.0
