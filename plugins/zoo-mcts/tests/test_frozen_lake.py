"""The exact model of FrozenLake: which tree tends to what value iteration says, and which does not.

Errors are means over the 11 places from where the goal can be reached, and gaps what the worst action costs.
"""

import functools

import numpy as np
import pytest

import zoo_core
from zoo_tabular.dynamic_programming import policy_evaluation, value_iteration
from zoo_tabular.lookup import Lookup

GAMMA = 0.9


@functools.cache
def lake(slippery):
    model = Lookup.from_env("FrozenLake-v1", is_slippery=slippery)
    return model, value_iteration(model.table(), GAMMA)


@functools.cache
def judge(make_planner, make_states, slippery, tree, num_simulations):
    """Returns the mean error of the values and, place by place, how much worse than the best the action is."""
    model, solution = lake(slippery)
    places = np.flatnonzero(solution.value)
    search = make_planner(
        tree=tree, num_simulations=num_simulations, gamma=GAMMA, rollout_depth=20, exploration=0.7
    )
    plan = search.plan(model, make_states(places), rng=zoo_core.rng(0))
    gaps = solution.value[places] - solution.q[places, plan.action.numpy()]
    return np.abs(plan.value.numpy() - solution.value[places]).mean(), gaps


@pytest.mark.parametrize("tree", ["open-loop", "chance", "deterministic"])
def test_trees_find_the_optimum_where_nothing_is_left_to_chance(planner, states, tree):
    errors, gaps = zip(*(judge(planner, states, False, tree, num) for num in (100, 1_000, 10_000)), strict=True)
    assert errors[0] > 0.2  # of a mean value of 0.73
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.03
    assert gaps[2].max() == 0.0


def test_sharing_nodes_tends_to_value_iteration_on_ice(planner, states):
    errors, gaps = zip(
        *(judge(planner, states, True, "transposition", num) for num in (1_000, 10_000, 100_000)), strict=True
    )
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.55 * errors[0]  # 0.087, 0.070, 0.040 of a mean value of 0.198
    assert (gaps[2] < 0.01).sum() >= 10
    assert gaps[2].max() < 0.03
