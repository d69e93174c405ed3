"""Rollouts: their means are the values of the base policy, and what they choose is better than it."""

import gymnasium as gym
import numpy as np
import pytest
import torch

import zoo_core
from zoo_core.errors import NonFiniteError, UnsupportedSpaceError
from zoo_core.evaluation import evaluate
from zoo_core.planner import Evaluation
from zoo_core.testing import cases, check_planner
from zoo_core.testing.fakes import Altered
from zoo_planners.policy import PlanningPolicy
from zoo_planners.rollout import Rollout, action_values
from zoo_tabular.dynamic_programming import policy_evaluation

GAMMA = 0.9
CLOCKWISE = np.array([0, 1, 2, 0, 1, 2])  # a policy of six places


def q_values(model, policy):
    """Returns the exact value of every state and action, and the policy after it; and the values of the states."""
    table = model.table()
    value = policy_evaluation(table, policy, GAMMA)
    return table.expected_reward() + GAMMA * table.continuing_matrix() @ value, value


def follows(policy, value=None):
    """Returns an `evaluate` of a policy, actions `[S]` or probabilities `[S, A]`, and of values; 0 without."""
    chances = np.eye(3)[policy] if policy.ndim == 1 else policy
    logits = torch.from_numpy(chances).float().log()
    values = torch.zeros(6) if value is None else torch.from_numpy(value).float()
    return lambda state, *, rng: Evaluation(values[state.index], logits[state.index])


def values_of(model, state, evaluate=None, **kwargs):
    defaults = {"num_rollouts": 1, "depth": 5, "gamma": GAMMA}
    return action_values(model, state, evaluate=evaluate, rng=zoo_core.rng(0), **{**defaults, **kwargs})


@pytest.mark.parametrize("depth", [0, 1, 7])
def test_without_chance_values_are_exact_at_any_depth(deterministic, states, depth):
    q, value = q_values(deterministic, CLOCKWISE)
    estimated = values_of(deterministic, states(range(6)), follows(CLOCKWISE, value), depth=depth)
    np.testing.assert_allclose(estimated, q, rtol=1e-4)


@pytest.mark.parametrize("given", [False, True])
def test_means_are_the_values_of_the_base_policy(stochastic, states, given):
    policy = np.array([[0.1, 0.3, 0.6]] * 6) if given else np.full((6, 3), 1 / 3)
    evaluate = follows(policy) if given else None
    estimated = values_of(stochastic, states(range(6)), evaluate, num_rollouts=2_000, depth=40)
    np.testing.assert_allclose(estimated, q_values(stochastic, policy)[0], atol=0.15)  # deviations of 2 / √2,000
    other = q_values(stochastic, np.array([[0.6, 0.3, 0.1]] * 6))[0]
    assert np.abs(estimated.numpy() - other).max() > 0.3


def test_more_rollouts_are_the_mean_of_each_root_and_action(deterministic, states):
    q, value = q_values(deterministic, CLOCKWISE)
    estimated = values_of(deterministic, states(range(6)), follows(CLOCKWISE, value), num_rollouts=4)
    np.testing.assert_allclose(estimated, q, rtol=1e-4)


def test_what_it_chooses_is_better_than_the_base_policy(stochastic, states):
    base = np.full((6, 3), 1 / 3)
    plan = Rollout({"num_rollouts": 500, "depth": 40, "gamma": GAMMA}).plan(
        stochastic, states(range(6)), rng=zoo_core.rng(0)
    )
    before, after = (policy_evaluation(stochastic.table(), policy, GAMMA) for policy in (base, plan.action.numpy()))
    assert (after > before + 0.1).all()
    np.testing.assert_allclose(plan.value, q_values(stochastic, base)[0].max(1), atol=0.3)


def test_a_policy_that_lets_the_pole_fall_balances_it_with_rollouts():
    """Which is no wonder: the policy mostly pushes the cart away from the side to which the pole leans."""
    model = zoo_core.SimulatorModel("CartPole-v1")
    env = gym.make("CartPole-v1", max_episode_steps=60)

    def falls(state, *, rng):
        obs = model.decode(state)
        left = 0.5 * torch.sign(obs[:, 2])
        return Evaluation(torch.zeros(len(obs)), logits=torch.stack([left, -left], 1))

    scores = []
    for config in ({"num_rollouts": 1, "depth": 0}, {"num_rollouts": 10, "depth": 15}):
        policy = PlanningPolicy(model, Rollout(config, evaluate=falls))
        scores.append(evaluate(policy, env, episodes=1).mean)
    assert scores[0] < 20.0  # sees no difference between two actions, and always takes the first
    assert scores[1] == 60.0


def test_turns_count_against_the_player_who_moved(deterministic, states):
    """By hand: the mover's reward, less the opponent's for what the base policy does, plus one's own after that."""
    deterministic.takes_turns = True
    table = deterministic.table()

    def mover(place, action, steps):
        reward = table.reward[place, action, 0]
        if steps == 0 or table.terminated[place, action, 0]:
            return reward
        after = table.next_state[place, action, 0]
        return reward - GAMMA * mover(after, CLOCKWISE[after], steps - 1)

    expected = [[mover(place, action, 3) for action in range(3)] for place in range(6)]
    estimated = values_of(deterministic, states(range(6)), follows(CLOCKWISE), depth=3)
    np.testing.assert_allclose(estimated, expected, rtol=1e-4)


def test_illegal_actions_are_never_taken_nor_chosen(stochastic, states):
    stochastic.legal = torch.tensor([[1, 0, 1], [0, 1, 0], [1, 1, 1], [1, 1, 0], [0, 0, 1], [0, 1, 1]]).bool()
    for uniform in (None, follows(np.full((6, 3), 1 / 3))):  # the world refuses illegal actions
        values = values_of(stochastic, states(range(6)), uniform, num_rollouts=20)
        assert torch.equal(values.isnan(), ~stochastic.legal)
        plan = Rollout(None, evaluate=uniform).plan(stochastic, states(range(6)), rng=zoo_core.rng(0))
        assert stochastic.legal.gather(1, plan.action[:, None]).all()


def test_rollouts_of_one_root_do_not_move_those_of_others(stochastic, states):
    def break_last_root(step):
        reward = step.reward.clone()
        reward[-60:-20] = torch.nan  # all but the last action of root 2
        return step._replace(reward=reward)

    planner = Rollout({"num_rollouts": 20})
    whole = planner.plan(stochastic, states([0, 1, 2]), rng=zoo_core.rng(0))
    broken = planner.plan(Altered(stochastic, break_last_root), states([0, 1, 2]), rng=zoo_core.rng(0))
    assert torch.equal(broken.value[:2], whole.value[:2])
    assert torch.equal(broken.action[:2], whole.action[:2])
    assert broken.action[2] == 2
    assert broken.value[2].isfinite()


def test_a_root_of_nan_is_an_error(stochastic, states):
    broken = Altered(stochastic, lambda step: step._replace(reward=step.reward * torch.nan))
    with pytest.raises(NonFiniteError, match="from root 0"):
        Rollout().plan(broken, states([0, 1]), rng=zoo_core.rng(0))


def test_nothing_counts_after_an_end(world, states):
    both_end = world([[[(1.0, 0, 2.0, True)], [(1.0, 0, 1.0, True)]]])

    def evaluate(state, *, rng):
        return Evaluation(torch.full((len(state.index),), torch.nan))

    plan = Rollout(None, evaluate=evaluate).plan(both_end, states([0]), rng=zoo_core.rng(0))
    assert (plan.action.item(), plan.value.item()) == (0, 2.0)


def test_the_same_rng_gives_the_same_plan_and_another_another_one(stochastic, states):
    first, again, other = (Rollout().plan(stochastic, states([0, 1]), rng=zoo_core.rng(s)).value for s in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("logits", "message"),
    [
        (torch.zeros(6, 4), r"must return logits \[\d+, 3\] for \d+ states, got \[\d+, 4\]"),
        (torch.zeros(6, 1), r"must return logits \[\d+, 3\] for \d+ states, got \[\d+, 1\]"),
        (torch.full((6, 3), torch.nan), r"greatest .* is a finite number, got \[nan, nan, nan\] for row 0"),
        (torch.full((6, 3), -torch.inf), r"greatest .* is a finite number, got \[-inf, -inf, -inf\] for row 0"),
    ],
)
def test_logits_that_are_no_policy_are_refused(deterministic, states, logits, message):
    def evaluate(state, *, rng):
        return Evaluation(torch.zeros(len(state.index)), logits[state.index])

    with pytest.raises(ValueError, match=message):
        Rollout(None, evaluate=evaluate).plan(deterministic, states([0]), rng=zoo_core.rng(0))


def test_box_actions_are_refused():
    (pendulum,) = (case.model for case in cases.model_cases() if case.name == "kalman")
    with pytest.raises(UnsupportedSpaceError, match="rollout takes Discrete action spaces, got Box"):
        Rollout().plan(pendulum, pendulum.initial_state(1, rng=zoo_core.rng(0)), rng=zoo_core.rng(0))


@pytest.mark.parametrize(("name", "value", "low"), [("num_rollouts", 0, 1), ("depth", -1, 0)])
def test_sizes_out_of_range_are_refused(name, value, low):
    with pytest.raises(ValueError, match=rf"{name} must be in \[{low}, inf\), got {value}"):
        Rollout({name: value})


@pytest.mark.parametrize("name", ["lookup-table", "tic-tac-toe", "value-equivalent"])
def test_the_planner_keeps_the_contract(name):
    (model,) = (case.model for case in cases.model_cases() if case.name == name)
    check_planner(Rollout({"num_rollouts": 8, "depth": 2}), model)
