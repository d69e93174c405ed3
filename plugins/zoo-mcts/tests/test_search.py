"""What a search finds in small worlds, whichever way it goes: in the compiled loop or step by step, by any tree."""

import gymnasium as gym
import numpy as np
import pytest
import torch

import zoo_core
from zoo_core.cli.describe import field_comments
from zoo_core.errors import ConfigError, NonFiniteError, UnsupportedSpaceError
from zoo_core.planner import Evaluation
from zoo_core.testing.fakes import Altered, KalmanModel
from zoo_mcts.config import UCTConfig
from zoo_tabular.dynamic_programming import value_iteration

FOREVER = [[[(1.0, 0, 1.0, False)]]]  # one state, one action, reward 1


NAN, INF = -98.0, -99.0  # rewards that stand for others, since a table takes finite ones only


def flawed(model):
    """Returns a model that is no table, and has rewards that are none."""

    def alter(step):
        reward = step.reward.masked_fill(step.reward == NAN, torch.nan).masked_fill(step.reward == INF, torch.inf)
        return step._replace(reward=reward)

    return Altered(model, alter)


def constant(worth, logits=None):
    """Returns an `evaluate` by which every state is worth the same."""

    def evaluate(state, *, rng):
        num = len(state.index)
        return Evaluation(torch.full((num,), worth), None if logits is None else torch.tensor(logits).expand(num, -1))

    return evaluate


@pytest.mark.usefixtures("way")
def test_every_simulation_counts_once_at_the_root(chain, states, planner, tree):
    plan = planner(tree=tree, num_simulations=37).plan(chain, states([0, 2, 4]), rng=zoo_core.rng(0))
    visits = 37 * plan.weights
    torch.testing.assert_close(visits, visits.round())
    torch.testing.assert_close(visits.sum(1), torch.full((3,), 37.0))
    assert torch.equal(plan.action, visits.argmax(1))


@pytest.mark.usefixtures("way")
def test_the_same_rng_gives_the_same_plan(chain, states, planner, tree):
    plans = [planner(tree=tree).plan(chain, states([0, 2]), rng=zoo_core.rng(seed)) for seed in (3, 3, 4)]
    assert torch.equal(plans[0].value, plans[1].value)
    assert torch.equal(plans[0].weights, plans[1].weights)
    assert not torch.equal(plans[0].value, plans[2].value)


def test_a_root_of_a_table_is_searched_the_same_whatever_the_others_are(chain, states, planner, tree):
    search = planner(tree=tree)
    first = search.plan(chain, states([0, 2, 3]), rng=zoo_core.rng(0))
    second = search.plan(chain, states([4, 2, 1]), rng=zoo_core.rng(0))
    assert torch.equal(first.weights[1], second.weights[1])
    assert first.value[1] == second.value[1]


@pytest.mark.usefixtures("way")
def test_a_remembered_tree_without_rollouts_is_the_same_whatever_the_others_are(chain, states, planner):
    search = planner(tree="deterministic", rollout_depth=0)
    first = search.plan(chain, states([0, 2, 3]), rng=zoo_core.rng(0))
    second = search.plan(chain, states([4, 2, 1]), rng=zoo_core.rng(0))
    assert torch.equal(first.weights[1], second.weights[1])


@pytest.mark.usefixtures("way")
def test_values_tend_to_value_iteration_in_a_chain(chain, states, planner, tree):
    solution = value_iteration(chain.table(), 0.9)
    errors = []
    for num_simulations in (20, 400):
        search = planner(tree=tree, num_simulations=num_simulations, gamma=0.9, exploration=0.7)
        plan = search.plan(chain, states(range(5)), rng=zoo_core.rng(0))
        errors.append(np.abs(plan.value.numpy() - solution.value))
    assert errors[0].max() > 0.3  # of values from 0.66 to 1
    assert errors[1].max() < 0.1  # means lag behind the best
    assert plan.action.tolist() == solution.policy.tolist()


@pytest.mark.usefixtures("way")
def test_a_rollout_is_discounted_and_ends_at_its_depth(world, states, planner, tree):
    search = planner(tree=tree, num_simulations=1, gamma=0.5, rollout_depth=3, num_rollouts=2)
    plan = search.plan(world(FOREVER), states([0]), rng=zoo_core.rng(0))
    assert plan.value.item() == 1 + 0.5 + 0.25 + 0.125


@pytest.mark.usefixtures("way")
def test_a_rollout_ends_with_the_value_of_evaluate(world, states, planner, tree):
    for depth, expected in ((0, 1 + 0.5 * 8), (2, 1 + 0.5 + 0.25 + 0.125 * 8)):
        search = planner(constant(8.0), tree=tree, num_simulations=1, gamma=0.5, rollout_depth=depth)
        assert search.plan(world(FOREVER), states([0]), rng=zoo_core.rng(0)).value.item() == expected


def test_later_rewards_weigh_by_the_probability_to_go_on_and_change_sides(world, states, planner, tree):
    model = Altered(world(FOREVER), lambda step: step._replace(continues=torch.tensor([0.8]), sign=-1.0))
    search = planner(constant(10.0), tree=tree, num_simulations=1, gamma=0.5, rollout_depth=2)
    value = search.plan(model, states([0]), rng=zoo_core.rng(0)).value
    torch.testing.assert_close(value, torch.tensor([1 - 0.4 + 0.4**2 - 0.4**3 * 10]))


@pytest.mark.usefixtures("way")
def test_nothing_is_earned_after_an_end(world, states, planner, tree):
    model = world([[[(1.0, 0, 2.0, True)], [(1.0, 0, 1.0, True)]]])
    plan = planner(constant(1_000.0), tree=tree).plan(model, states([0]), rng=zoo_core.rng(0))
    assert plan.value.item() == 2.0
    assert plan.action.item() == 0


@pytest.mark.usefixtures("way")
def test_nothing_is_earned_where_a_rollout_ends(world, states, planner, tree):
    model = world([[[(1.0, 1, 0.0, False)]], [[(1.0, 0, 2.0, True)]]])
    search = planner(constant(1_000.0), tree=tree, num_simulations=1, gamma=0.5)
    assert search.plan(model, states([0]), rng=zoo_core.rng(0)).value.item() == 0.5 * 2.0


@pytest.mark.usefixtures("way")
def test_a_terminal_root_is_worth_nothing(chain, states, planner, tree):
    state = states([1, 4])._replace(terminal=torch.tensor([False, True]))
    plan = planner(constant(9.0), tree=tree).plan(chain, state, rng=zoo_core.rng(0))
    assert plan.value[0] > 0.0
    assert plan.value[1] == 0.0


@pytest.mark.usefixtures("way")
def test_the_logits_of_evaluate_are_the_simulation_policy(chain, states, planner, tree):
    values = []
    for logits in ([0.0, 0.0], [-1e9, 0.0]):  # any, or always right
        search = planner(constant(0.0, logits), tree=tree, num_simulations=2, gamma=0.5, rollout_depth=4)
        values.append(search.plan(chain, states([1] * 50), rng=zoo_core.rng(0)).value)
    assert (values[0] < 0.5**3).any()
    assert (values[1] >= 0.5**4).all()  # at worst, one step left and then four to the right


def test_an_action_with_a_return_of_nan_is_not_recommended(world, states, planner, tree):
    model = flawed(world([[[(1.0, 0, NAN, True)], [(1.0, 0, 1.0, True)], [(1.0, 0, INF, True)]]]))
    plan = planner(tree=tree).plan(model, states([0] * 8), rng=zoo_core.rng(0))
    assert plan.action.tolist() == [1] * 8
    assert plan.value.tolist() == [1.0] * 8
    assert plan.weights.tolist() == [[0.0, 1.0, 0.0]] * 8


def test_nan_far_down_leaves_other_ways_open(world, states, planner, tree):
    # action 0 leads to a choice between NaN and 5, action 1 pays 1
    model = flawed(
        world([[[(1.0, 1, 0.0, False)], [(1.0, 0, 1.0, True)]], [[(1.0, 1, NAN, True)], [(1.0, 1, 5.0, True)]]])
    )
    plan = planner(tree=tree, rollout_depth=0).plan(model, states([0] * 8), rng=zoo_core.rng(0))
    assert plan.action.tolist() == [0] * 8


def test_a_root_without_a_finite_return_is_an_error_that_names_it(world, states, planner, tree):
    model = flawed(world([[[(1.0, 0, 1.0, True)]], [[(1.0, 0, NAN, True)]]]))
    with pytest.raises(NonFiniteError, match="Altered predicted no return from root 1 that is a finite number"):
        planner(tree=tree).plan(model, states([0, 1]), rng=zoo_core.rng(0))


def test_actions_that_are_not_discrete_are_refused_before_any_step(planner):
    model = KalmanModel(gym.spaces.Box(-1.0, 1.0, (2,)), gym.spaces.Box(-1.0, 1.0, (1,)))
    with pytest.raises(UnsupportedSpaceError, match="mcts-uct takes Discrete action spaces, got Box"):
        planner().plan(model, None, rng=zoo_core.rng(0))


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"num_simulations": 0}, "num_simulations must be in"),
        ({"gamma": 1.1}, "gamma must be in"),
        ({"exploration": -1.0}, "exploration must be in"),
        ({"rollout_depth": -1}, "rollout_depth must be in"),
        ({"num_rollouts": 0}, "num_rollouts must be in"),
        ({"tree": "closed-loop"}, "did you mean 'open-loop'"),
    ],
)
def test_options_that_make_no_sense_are_refused(config, text):
    with pytest.raises(ConfigError, match=text):
        zoo_core.make_planner("mcts-uct", config)


def test_the_settings_name_every_tree(tree):
    assert f'"{tree}"' in field_comments(UCTConfig)["tree"]
