"""What `evaluate` may say, and where a search may begin: what does not fit is refused, whichever way a search goes."""

import numpy as np
import pytest
import torch

import zoo_core
from zoo_core.errors import NonFiniteError
from zoo_core.planner import Evaluation
from zoo_core.testing.fakes import TicTacToe
from zoo_core.testing.fakes.tic_tac_toe import Board
from zoo_mcts.leaves import sample_actions
from zoo_tabular.lookup import TableState

NAN, INF = torch.nan, torch.inf


def says(value, logits=None):
    """Returns an `evaluate` that says what these make of the number of states."""
    return lambda state, *, rng: Evaluation(
        value(len(state.index)), None if logits is None else logits(len(state.index))
    )


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    ("value", "logits", "got"),
    [
        (lambda num: torch.zeros(1 + num), None, r"got value \[\d+\]$"),
        (lambda num: torch.tensor(1.0), None, r"got value \[\]$"),
        (lambda num: torch.zeros(num, 1), None, r"got value \[\d+, 1\]$"),
        (torch.zeros, lambda num: torch.zeros(num, 400), r"logits \[\d+, 400\]$"),
        (torch.zeros, lambda num: torch.zeros(num, 1), r"logits \[\d+, 1\]$"),
        (torch.zeros, lambda num: torch.zeros(2), r"logits \[2\]$"),
        (torch.zeros, lambda num: torch.zeros(2 * num, 2), r"logits \[\d+, 2\]$"),
    ],
    ids=["longer", "scalar", "column", "actions", "one-action", "one-row", "rows"],
)
def test_shapes_that_do_not_fit_are_refused(chain, states, planner, tree, value, logits, got):
    search = planner(says(value, logits), tree=tree)
    with pytest.raises(ValueError, match=r"must return value \[(\d+)\].* logits \[\1, 2\] or None.*" + got):
        search.plan(chain, states([0, 2, 4]), rng=zoo_core.rng(0))


@pytest.mark.usefixtures("way")
def test_one_value_is_not_that_of_all_states(chain, states, planner):
    with pytest.raises(ValueError, match=r"value \[5\].* got value \[1\]|value \[3\].* got value \[1\]"):
        planner(says(lambda num: torch.zeros(1))).plan(chain, states([0, 2, 4]), rng=zoo_core.rng(0))


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("row", [[NAN, NAN], [NAN, 0.0], [-INF, -INF], [INF, 0.0]])
def test_logits_that_are_no_policy_are_refused(chain, states, planner, row):
    search = planner(says(torch.zeros, lambda num: torch.tensor(row).expand(num, -1)))
    with pytest.raises(ValueError, match=r"greatest is a finite number, got \[.*\] for row 0"):
        search.plan(chain, states([1]), rng=zoo_core.rng(0))


@pytest.mark.usefixtures("way")
def test_a_policy_may_rule_out_an_action(chain, states, planner):
    evaluate = says(torch.zeros, lambda num: torch.tensor([-INF, 0.0]).expand(num, -1))
    search = planner(evaluate, num_simulations=1, rollout_depth=5)
    plan = search.plan(chain, states([1] * 20), rng=zoo_core.rng(0))
    assert (plan.value > 0.9).all()  # from place 0 five steps to the right, if there is no other


@pytest.mark.usefixtures("way")
def test_an_action_that_leads_to_values_of_nan_is_not_recommended(chain, states, planner, tree):
    def evaluate(state, *, rng):  # NaN to the left of place 2
        return Evaluation(torch.where(state.index < 2, NAN, 0.5))

    plan = planner(evaluate, tree=tree, rollout_depth=0).plan(chain, states([2]), rng=zoo_core.rng(0))
    assert plan.action.tolist() == [1]
    assert plan.value.isfinite().all()
    assert plan.weights[0, 0] == 0.0


@pytest.mark.usefixtures("way")
def test_values_of_nan_everywhere_are_an_error(world, states, planner, tree):
    forever = world([[[(1.0, 0, 1.0, False)], [(1.0, 0, 2.0, False)]]])
    search = planner(says(lambda num: torch.full((num,), NAN)), tree=tree, rollout_depth=0)
    with pytest.raises(NonFiniteError, match="values of `evaluate`"):
        search.plan(forever, states([0]), rng=zoo_core.rng(0))


@pytest.mark.parametrize("place", [5, -1, 10**7])
def test_roots_outside_the_table_are_refused(chain, states, planner, tree, place):
    with pytest.raises(ValueError, match=rf"roots must be states from 0 to 4, got {place}"):
        planner(tree=tree).plan(chain, states([0, place]), rng=zoo_core.rng(0))


def test_roots_without_a_terminal_each_are_refused(chain, planner):
    state = TableState(torch.zeros(3, dtype=torch.int64), torch.zeros(1, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"index and terminal \[B\], got \[3\] and \[1\]"):
        planner().plan(chain, state, rng=zoo_core.rng(0))


def test_only_legal_actions_make_a_policy_unless_there_are_none():
    full = Board((1, -1, 1, -1, 1, -1, -1, 1, -1))
    array = np.empty(2, object)
    array[:] = [Board((1, -1, 1, -1, 1, -1, -1, 1, 0)), full]
    logits = torch.tensor([[NAN] * 8 + [-5.0], [-INF] * 9])  # nothing is known of what may not be done
    model = TicTacToe()
    assert model.legal_actions(array).sum(1).tolist() == [1, 0]
    assert sample_actions(model, array, logits, rng=zoo_core.rng(0))[0] == 8


def test_a_legal_action_is_found_whatever_is_drawn(monkeypatch):
    array = np.empty(1, object)
    array[0] = Board((1, -1, 1, -1, 1, -1, -1, 1, 0))
    monkeypatch.setattr(torch, "rand", lambda *shape, **_: torch.zeros(*shape))  # the least that can be drawn
    assert sample_actions(TicTacToe(), array, torch.zeros(1, 9), rng=zoo_core.rng(0)).tolist() == [8]
