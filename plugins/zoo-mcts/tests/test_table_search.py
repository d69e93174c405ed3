"""A table is searched by the same rules as any other model: the two agree within their sampling error."""

import tracemalloc

import gymnasium as gym
import numpy as np
import pytest
import torch

import zoo_core
import zoo_mcts.planner
from zoo_core.planner import Evaluation
from zoo_core.testing.fakes import Altered
from zoo_mcts.table_search import _sample, is_table
from zoo_tabular.lookup import Lookup, LookupDeterministic

NUM = 400  # roots, all the same: as many independent samples


def looks_ahead(state, *, rng):
    """Values and logits that differ from state to state."""
    index = state.index.double()
    return Evaluation(index / 16, torch.stack([index.sin(), index.cos(), 0 * index, -index.sin()], 1))


@pytest.mark.parametrize("evaluate", [None, looks_ahead])
@pytest.mark.parametrize("place", [14, 9])
def test_both_ways_agree_on_slippery_frozen_lake(planner, states, tree, monkeypatch, evaluate, place):
    model = Lookup.from_env("FrozenLake-v1")
    search = planner(evaluate, tree=tree, num_simulations=40, gamma=0.9, rollout_depth=4, num_rollouts=2)
    fast = search.plan(model, states([place] * NUM), rng=zoo_core.rng(0))
    monkeypatch.setattr(zoo_mcts.planner, "is_table", lambda model, state: False)
    slow = search.plan(model, states([place] * NUM), rng=zoo_core.rng(1))
    for first, second in ((fast.value, slow.value), (fast.weights, slow.weights)):
        error = ((first.var(0) + second.var(0)) / NUM).sqrt()
        assert ((first.mean(0) - second.mean(0)).abs() < 4.5 * error + 1e-6).all()


def test_trees_are_the_same_where_nothing_is_left_to_chance(planner, states):
    model = Lookup.from_env("FrozenLake-v1", is_slippery=False)
    plans = [
        planner(tree=tree, num_simulations=500).plan(model, states(range(16)), rng=zoo_core.rng(0))
        for tree in ("open-loop", "chance", "deterministic")
    ]
    assert all(torch.equal(plan.weights, plans[0].weights) for plan in plans)
    assert all(torch.equal(plan.value, plans[0].value) for plan in plans)


def test_outcomes_come_as_often_as_the_table_says(world, states, planner):
    model = world([[[(0.1, 0, 0.0, True), (0.6, 0, 1.0, True), (0.3, 0, 2.0, True)]]])
    plan = planner(num_simulations=10_000).plan(model, states([0]), rng=zoo_core.rng(0))
    assert plan.value.item() == pytest.approx(1.2, abs=0.03)  # 5 standard errors


def test_what_has_no_probability_never_happens(world, states, planner):
    outcomes = [(1.0, 0, 1.0, True), (0.0, 0, -1e6, True)]
    tenth = [(0.1, 0, 1.0 + i, True) for i in range(10)]  # sums to 1 - 1e-16
    model = world([[[*outcomes]], [[*tenth, (0.0, 0, -1e6, True)]]])
    plan = planner(num_simulations=5_000).plan(model, states([0, 1]), rng=zoo_core.rng(0))
    assert plan.value[0] == 1.0
    assert plan.value[1] > 0.0


def test_the_last_possible_outcome_has_what_probabilities_miss_of_one():
    streams, probability = np.zeros(1, np.uint64), np.array([0.0, 0.25, 0.25, 0.0])
    shares = np.bincount([_sample(probability, streams, 0) for _ in range(2_000)], minlength=4) / 2_000
    assert shares == pytest.approx([0.0, 0.25, 0.75, 0.0], abs=0.05)
    assert shares[[0, 3]].tolist() == [0.0, 0.0]


def test_what_was_never_tried_leads_back_to_where_it_began(planner, states):
    model = LookupDeterministic.from_env("FrozenLake-v1", is_slippery=False)
    model.count.zero_()
    plan = planner(num_simulations=100).plan(model, states([0, 14]), rng=zoo_core.rng(0))
    assert plan.value.tolist() == [0.0, 0.0]


def test_only_tables_are_searched_as_such(states):
    model = Lookup.from_env("FrozenLake-v1")
    expected = Lookup.from_env("FrozenLake-v1", {"outcomes": "expected"})
    assert is_table(model, states([0]))
    assert not is_table(Altered(model, lambda step: step), states([0]))
    assert not is_table(expected, expected.initial_state(1, rng=zoo_core.rng(0)))


class AnotherStep(Lookup):
    """Does not do what its table says: pays 7 for any step."""

    def step(self, state, action, **kwargs):
        step = super().step(state, action, **kwargs)
        return step._replace(reward=torch.full_like(step.reward, 7.0))


class AnotherView(Lookup):
    """Shows less than its table knows."""

    def decode(self, state):
        return torch.zeros_like(state.index)


class AnotherTable(Lookup):
    """Does not step as its table says."""

    def table(self):
        raise AssertionError("nobody should ask")


class TwoPlayers(Lookup):
    """A table in which sides change."""

    num_players = 2


class MoreWords(Lookup):
    """A table as any other."""

    def greet(self):
        return "hello"


@pytest.mark.parametrize("model_class", [AnotherStep, AnotherView, AnotherTable, TwoPlayers])
def test_what_a_table_does_not_tell_is_searched_step_by_step(states, planner, model_class):
    model = model_class.from_env("FrozenLake-v1")
    assert not is_table(model, states([0]))
    plan = planner(num_simulations=2, rollout_depth=0).plan(model, states([0]), rng=zoo_core.rng(0))
    assert plan.value.item() == (7.0 if model_class is AnotherStep else 0.0)


def test_a_subclass_that_steps_as_its_table_is_one(states):
    assert is_table(MoreWords.from_env("FrozenLake-v1"), states([0]))
    assert is_table(LookupDeterministic.from_env("FrozenLake-v1", is_slippery=False), states([0]))


def test_a_search_touches_only_what_it_reaches(states, planner, monkeypatch):
    shape = 20_000, 2
    model = Lookup(gym.spaces.Discrete(shape[0]), gym.spaces.Discrete(shape[1]))
    table = model.table()
    monkeypatch.setattr(Lookup, "table", lambda self: table)
    search = planner(tree="chance")
    search.plan(model, states([0]), rng=zoo_core.rng(0))  # compiles
    tracemalloc.start()
    try:
        search.plan(model, states([0]), rng=zoo_core.rng(0))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < table.probability.nbytes / 4  # nothing as long as the table is made


def test_a_learned_table_is_planned_in(planner):
    replay = zoo_core.Replay.collect("FrozenLake-v1", 2_000, seed=0, env_kwargs={"is_slippery": False})
    model = zoo_core.make_model("lookup", replay.observation_space, replay.action_space)
    model.fit(replay, rng=zoo_core.rng(0))
    state = model.observe(None, None, torch.tensor([14]), None, rng=zoo_core.rng(0))
    plan = planner(num_simulations=100).plan(model, state, rng=zoo_core.rng(0))
    assert plan.action.item() == 2
    assert np.isclose(plan.value.item(), 1.0)
