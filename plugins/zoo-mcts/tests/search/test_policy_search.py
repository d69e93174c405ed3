"""What both searches with a policy promise: who is searched, what is counted, what is refused."""

import numpy as np
import pytest
import torch

import zoo_core
from zoo_core.errors import NonFiniteError, UnsupportedSpaceError
from zoo_core.planner import Evaluation
from zoo_core.plugins import specs
from zoo_core.testing import cases, check_planner
from zoo_core.world_model import index
from zoo_mcts import policy_search
from zoo_mcts.games import solved
from zoo_mcts.games.boards import Boards
from zoo_mcts.policy_search import MCTS, GumbelMCTS

SPECS = {spec.id: spec for spec in specs("planner")}
NAN, INF = torch.nan, torch.inf


def grown(monkeypatch, planner, model, state, seed=0):
    """Returns the trees of a search."""
    kept = []
    make = policy_search.make_tree
    monkeypatch.setattr(policy_search, "make_tree", lambda *args: kept.append(make(*args)) or kept[-1])
    planner.plan(model, state, rng=zoo_core.rng(seed))
    return kept[0]


@pytest.mark.parametrize("name", ["lookup-table", "tic-tac-toe", "value-equivalent", "dict", "mdn-rnn"])
@pytest.mark.parametrize("id", ["mcts", "gumbel-mcts"])
def test_the_planners_keep_the_contract(id, name):
    case = next(case for case in cases.model_cases() if case.name == name)
    spec = SPECS[id]
    check_planner(zoo_core.make_planner(id, spec.check_config), case.model)


def test_every_simulation_counts_once(search, rules, monkeypatch):
    planner = search({"num_simulations": 37})
    tree = grown(monkeypatch, planner, rules, index(solved.decision_states(), slice(0, 3_000, 100)))
    assert (tree.visits[:, 0].sum(1) == 37).all()
    assert (tree.total[:, 0] == 37).all()


def test_a_row_is_searched_as_if_the_others_were_other_ones(search, network):
    model = network()
    planner = search({"num_simulations": 30}, evaluate=model.evaluate)
    state = model.initial_state(6, rng=zoo_core.rng(1))
    other = state._replace(latent=torch.cat([state.latent[:1], 1.0 - state.latent[1:]]))
    plans = [planner.plan(model, roots, rng=zoo_core.rng(0)) for roots in (state, other)]
    assert torch.equal(plans[0].weights[0], plans[1].weights[0])
    assert torch.equal(plans[0].value[0], plans[1].value[0])
    assert not (plans[0].value[1:] == plans[1].value[1:]).any()


def test_equal_roots_do_not_share_their_chance(rules):
    plan = MCTS({"num_simulations": 10}).plan(rules, rules.game.initial(64), rng=zoo_core.rng(0))
    assert len(set(plan.action.tolist())) > 3


def test_illegal_actions_are_never_tried(search, rules, monkeypatch):
    def evaluate(state, *, rng):  # likes best what is taken
        taken = torch.from_numpy(state.cells != 0).float()
        return Evaluation(torch.zeros(len(taken)), 20.0 * taken)

    state = index(solved.decision_states(), slice(0, 3_000, 60))
    tree = grown(monkeypatch, search({"num_simulations": 60}, evaluate=evaluate), rules, state)
    legal = rules.game.legal(state)
    assert not tree.visits[:, 0][~legal].any()
    assert (tree.visits[:, 0][legal] > 0).all()


def test_an_end_is_not_evaluated_again(search, rules):
    nearly = Boards(np.array([[1, 1, -1, -1, -1, 1, 1, 0, -1]], np.int8), np.ones(1, np.int8), np.zeros(1, np.bool_))
    seen = []

    def evaluate(state, *, rng):
        seen.append(len(state.over))
        return Evaluation(torch.full((len(state.over),), 9.0))  # what is said of an end does not count

    plan = search({"num_simulations": 20}, evaluate=evaluate).plan(rules, nearly, rng=zoo_core.rng(0))
    assert len(seen) == 2  # the root, and the end
    assert plan.action.tolist() == [7]
    if search is MCTS:
        assert plan.value.tolist() == [0.0]


def test_noise_is_in_the_prior_of_the_root_and_nowhere_else(network, monkeypatch):
    model = network()
    state = model.initial_state(3, rng=zoo_core.rng(1))
    for alpha in (None, 0.3):
        planner = MCTS({"num_simulations": 40, "noise_alpha": alpha}, evaluate=model.evaluate)
        monkeypatch.undo()
        tree = grown(monkeypatch, planner, model, state)
        made = {(row, node): tree.worth[row, node] for row in range(3) for node in range(41)}
        below = torch.stack([evaluated(model, state, tree, row, 5) for row in range(3)])
        assert torch.allclose(torch.from_numpy(tree.prior[:, 5]), below, atol=1e-5)
        root = model.evaluate(state, rng=None).logits.softmax(-1)
        assert torch.allclose(torch.from_numpy(tree.prior[:, 0]), root, atol=1e-5) == (alpha is None)
        assert len(made) == 123


def evaluated(model, state, tree, row, node):
    """Returns the policy at a node, walked to from the root."""
    actions = []
    while node != 0:
        actions.append(int(tree.made_by[row, node]))
        node = int(tree.parent[row, node])
    here = index(state, slice(row, row + 1))
    for action in reversed(actions):
        here = model.step(here, torch.tensor([action]), rng=None).state
    return model.evaluate(here, rng=None).logits.softmax(-1)[0].detach()


def test_without_an_evaluate_all_actions_are_as_likely(rules, monkeypatch):
    tree = grown(monkeypatch, MCTS({"num_simulations": 5}), rules, rules.game.initial(1))
    assert tree.prior[0, 0] == pytest.approx([1 / 9] * 9)
    assert not tree.value[0, 0].any()


@pytest.mark.parametrize("row", [[NAN, NAN], [NAN, 0.0], [-INF, -INF], [INF, 0.0]])
def test_logits_that_are_no_policy_are_refused(search, network, row):
    model = network(num_actions=2)

    def evaluate(state, *, rng):
        return Evaluation(torch.zeros(len(state.latent)), torch.tensor(row).expand(len(state.latent), -1))

    with pytest.raises(ValueError, match=r"greatest is a finite number, got \[.*\] for row 0"):
        search(evaluate=evaluate).plan(model, model.initial_state(2, rng=zoo_core.rng(0)), rng=zoo_core.rng(0))


def test_a_policy_may_rule_out_an_action(search, network):
    model = network(num_actions=2)

    def evaluate(state, *, rng):
        return Evaluation(torch.zeros(len(state.latent)), torch.tensor([-INF, 0.0]).expand(len(state.latent), -1))

    plan = search(evaluate=evaluate).plan(model, model.initial_state(2, rng=zoo_core.rng(0)), rng=zoo_core.rng(0))
    assert plan.weights.tolist() == [[0.0, 1.0]] * 2


@pytest.mark.parametrize(("value", "got"), [(torch.zeros(1, 1), r"value \[1, 1\]"), (torch.zeros(()), r"value \[\]")])
def test_values_of_another_shape_are_refused(search, network, value, got):
    model = network()
    state = model.initial_state(1, rng=zoo_core.rng(0))
    with pytest.raises(ValueError, match=r"must return value \[1\] and logits \[1, 3\].* got " + got):
        search(evaluate=lambda state, *, rng: Evaluation(value)).plan(model, state, rng=zoo_core.rng(0))


def test_what_leads_to_nan_only_is_not_taken(search, rules):
    def evaluate(state, *, rng):  # NaN wherever the centre was taken
        return Evaluation(torch.where(torch.from_numpy(state.cells[:, 4]) != 0, NAN, 0.0))

    plan = search({"num_simulations": 60}, evaluate=evaluate).plan(rules, rules.game.initial(8), rng=zoo_core.rng(0))
    assert (plan.action != 4).all()
    assert (plan.weights[:, 4] == 0.0).all()
    assert plan.value.isfinite().all()


def test_nan_everywhere_is_an_error(search, rules):
    planner = search(evaluate=lambda state, *, rng: Evaluation(torch.full((len(state.over),), NAN)))
    with pytest.raises(NonFiniteError, match=r"RulesModel predicted no return from root 0 .* values of `evaluate`"):
        planner.plan(rules, rules.game.initial(2), rng=zoo_core.rng(0))


def test_actions_must_be_discrete(search):
    case = next(case for case in cases.model_cases() if case.name == "mlp-Pendulum-v1")
    state = case.model.initial_state(1, rng=zoo_core.rng(0))
    with pytest.raises(UnsupportedSpaceError, match=search.__name__):
        search().plan(case.model, state, rng=zoo_core.rng(0))


@pytest.mark.parametrize(
    ("search", "field", "value"),
    [
        (MCTS, "num_simulations", 0),
        (MCTS, "noise_alpha", -1.0),
        (MCTS, "noise_fraction", 1.5),
        (MCTS, "value_scale", "max"),
        (GumbelMCTS, "max_considered", 0),
        (GumbelMCTS, "gumbel_scale", -1.0),
    ],
)
def test_impossible_options_are_refused(search, field, value):
    with pytest.raises(ValueError, match=field):
        search({field: value})
