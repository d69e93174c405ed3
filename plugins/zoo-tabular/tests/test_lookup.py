"""A table dreams what it counted, as often as it counted it, and invents nothing where there is no data."""

import copy
import pickle

import gymnasium as gym
import numpy as np
import pytest
import torch

import zoo_core
from zoo_tabular.dynamic_programming import value_iteration
from zoo_tabular.lookup import Lookup, TableState
from zoo_tabular.outcomes import no_outcomes

NAMES = ["lookup", "lookup-deterministic"]
QUANTILE = {1: 10.83, 2: 13.82, 3: 16.27}  # of chi-square, which 1 of 1,000 samples exceeds, by degrees of freedom


def at(*states):
    index = torch.tensor(states)
    return TableState(index, torch.zeros_like(index, dtype=torch.bool))


def draws(model, state, action, num=10_000, **kwargs):
    """Returns `num` steps from a state, as arrays of next states, rewards and continuations."""
    step = model.step(at(*[state] * num), torch.full((num,), action), rng=zoo_core.rng(0), **kwargs)
    return step.state.index.numpy(), step.reward.numpy(), step.continues.numpy()


# -- drawing -----------------------------------------------------------------------------------------------------------


def test_a_dream_draws_outcomes_as_often_as_they_were_counted(frozen_lake, frozen_replay):
    """Chi-square of 1,000 draws of each pair; of 60 pairs one exceeds the quantile of 1 in 1,000 once in 17 seeds."""
    model = zoo_core.make_model("lookup", frozen_replay.observation_space, frozen_replay.action_space, device="cpu")
    model.fit(frozen_replay, rng=zoo_core.rng(0))
    checked = 0
    for state, action in zip(*np.nonzero(model.outcomes.count.sum(-1)), strict=True):
        counts, successors = model.outcomes.count[state, action], model.outcomes.next_state[state, action]
        expected = 1_000 * counts / counts.sum()
        seen, _, _ = draws(model, state, action, 1_000)
        chi_square = sum(((seen == n).sum() - e) ** 2 / e for n, e in zip(successors, expected, strict=True) if e > 0)
        assert set(seen) <= set(successors[counts > 0])
        if (counts > 0).sum() > 1:
            assert chi_square < QUANTILE[(counts > 0).sum() - 1], (state, action)
            checked += 1
    assert checked > 35


@pytest.mark.parametrize(
    ("temperature", "shares"),
    [(1.0, [9, 4, 1]), (2.0, [3, 2, 1]), (0.5, [81, 16, 1])],
)
def test_a_temperature_raises_counts_to_its_inverse(known, temperature, shares):
    model = known(*[(0, 0, 0.0, 1, False)] * 9, *[(0, 0, 0.0, 2, False)] * 4, (0, 0, 0.0, 3, False))
    seen, _, _ = draws(model, 0, 0, temperature=temperature)
    expected = 10_000 * np.array(shares) / sum(shares)
    assert (((np.bincount(seen, minlength=4)[1:] - expected) ** 2) / expected).sum() < QUANTILE[2]


def test_temperature_0_takes_the_most_frequent_outcome(known):
    model = known((0, 0, 0.0, 1, False), *[(0, 0, 0.0, 2, False)] * 2, (0, 0, 0.0, 3, False))
    assert set(draws(model, 0, 0, temperature=0.0)[0]) == {2}


def test_a_very_low_temperature_draws_the_likeliest_outcome():
    """(2/3)**10,000 is less than any float. In the upper right corner, up leads left once and nowhere twice."""
    assert set(draws(Lookup.from_env("FrozenLake-v1"), 3, 3, 100, temperature=1e-4)[0]) == {3}


def test_an_outcome_with_a_reward_and_an_end_has_both(known):
    model = known((0, 0, 2.0, 1, True), (0, 0, -1.0, 1, False), (0, 0, 3.0, 2, False), (0, 0, 5.0, 2, False))
    seen = set(zip(*draws(model, 0, 0), strict=True))
    assert seen == {(1, 2.0, 0.0), (1, -1.0, 1.0), (2, 4.0, 1.0)}


def test_a_row_draws_the_same_whatever_the_others_do(known):
    model = known((0, 0, 0.0, 1, False), (0, 0, 0.0, 2, False), (1, 1, 0.0, 3, True))
    action = torch.zeros(64, dtype=torch.int64)
    first = model.step(at(*[0] * 64), action, rng=zoo_core.rng(0)).state.index
    other = model.step(at(*[0] * 32, *[1] * 32), action, rng=zoo_core.rng(0)).state.index
    assert torch.equal(first[:32], other[:32])
    assert set(first.tolist()) == {1, 2}


def test_rows_that_are_over_rest(known):
    model = known((0, 0, 7.0, 1, True), (1, 0, 9.0, 2, False))
    end = model.step(at(0), torch.tensor([0]), rng=zoo_core.rng(0))
    assert (end.state.index.item(), end.reward.item(), end.continues.item()) == (1, 7.0, 0.0)
    for action in (0, 1):
        after = model.step(end.state, torch.tensor([action]), rng=zoo_core.rng(0))
        assert (after.state.index.item(), after.reward.item(), after.continues.item()) == (1, 0.0, 0.0)


@pytest.mark.parametrize("outcomes", ["sampled", "expected"])
def test_where_something_is_seen_it_is_not_over(outcomes):
    model = Lookup.from_env("FrozenLake-v1", {"outcomes": outcomes})
    state = model.observe(None, None, torch.arange(16), None, rng=zoo_core.rng(0))
    assert not state.terminal.any()
    assert torch.equal(model.features(state), torch.eye(16))


def test_uncertainty_falls_with_tries_and_knows_chance(known):
    model = known(*[(0, 0, 0.0, 1, False)] * 3, *[(0, 0, 0.0, 2, False)] * 1, *[(0, 1, 0.0, 3, False)] * 15)
    step = model.step(at(0, 0, 1), torch.tensor([0, 1, 0]), rng=zoo_core.rng(0), uncertainty=True)
    np.testing.assert_allclose(step.uncertainty["epistemic"], [5**-0.5, 0.25, 1.0], rtol=1e-6)
    np.testing.assert_allclose(step.uncertainty["aleatoric"], [(1 - 0.75**2 - 0.25**2) ** 0.5, 0.0, 0.0], atol=1e-6)
    assert model.step(at(0), torch.tensor([0]), rng=zoo_core.rng(0)).uncertainty is None


def test_what_is_written_into_the_outcomes_is_dreamed(known):
    model = known((0, 0, 1.0, 1, False))
    model.outcomes.next_state[0, 0, 0] = 3
    assert set(draws(model, 0, 0, 10)[0]) == {3}


def test_views_are_kept_while_they_are_of_the_memory_of_the_model(known):
    model = known((0, 0, 1.0, 1, False))
    assert model.outcomes is model.outcomes


@pytest.mark.parametrize(
    "change",
    [
        lambda model: model.share_memory(),
        lambda model: model.to(torch.device("meta")).to_empty(device="cpu"),
        lambda model: model.load_state_dict({k: v.clone() for k, v in model.state_dict().items()}, assign=True),
        lambda model: setattr(model, "outcomes", no_outcomes(4, 2)),
        lambda model: model.record(*(np.array([value]) for value in (0, 0, 1.0, 2, True))),  # needs more room
    ],
    ids=["shared", "moved", "replaced", "set", "grown"],
)
def test_views_are_of_the_memory_of_the_model_whatever_becomes_of_it(known, change):
    model = known((0, 0, 1.0, 1, False))
    before = model.outcomes
    change(model)
    assert model.outcomes is not before
    for name, values in model.outcomes._asdict().items():
        assert np.shares_memory(values, getattr(model, name).numpy()), name


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_counts_in_memory_of_its_own(known, steps_of, copied):
    model = known((0, 0, 1.0, 1, False))
    assert model.outcomes.count.sum() == 1
    other = copied(model)
    other.record(*steps_of((0, 0, 1.0, 1, False)))
    assert (model.count.sum().item(), other.count.sum().item()) == (1, 2)


# -- what was never tried ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("unseen_reward", [0.0, 2.5])
def test_a_pair_never_tried_leads_back_with_the_reward_of_the_unseen(known, name, unseen_reward):
    model = known((0, 0, 9.0, 1, True), name=name, unseen_reward=unseen_reward)
    for state, action in ((0, 1), (3, 0)):
        seen = set(zip(*draws(model, state, action, 100), strict=True))
        assert seen == {(state, unseen_reward, 1.0)}
    table = model.table()
    tried = np.zeros((4, 2), bool)
    tried[0, 0] = True
    np.testing.assert_array_equal(table.expected_reward()[~tried], unseen_reward)
    np.testing.assert_array_equal(table.continuing_matrix()[~tried], np.eye(4)[np.nonzero(~tried)[0]])


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_expected_of_what_was_never_tried(known, name):
    """A model of a reward that ends, and of nothing else: no value but there."""
    model = known((0, 0, 9.0, 1, True), name=name)
    np.testing.assert_allclose(value_iteration(model.table(), 0.9).q, [[9, 8.1], [0, 0], [0, 0], [0, 0]], atol=1e-8)


def greedy_steps(unseen_reward, num_steps, slippery=False):
    """Acts greedily in an unknown lake, planning after each step; returns the rewards and the pairs tried."""
    env = gym.make("FrozenLake-v1", is_slippery=slippery)
    model = Lookup(env.observation_space, env.action_space, {"unseen_reward": unseen_reward})
    obs, _ = env.reset(seed=0)
    rewards = 0.0
    for _ in range(num_steps):
        action = value_iteration(model.table(), 0.95, tolerance=1e-6).policy[obs]
        next_obs, reward, terminated, truncated, _ = env.step(action)
        row = [obs], [action], [float(reward)], [next_obs], [terminated]
        model.record(*(np.array(column) for column in row))
        obs, rewards = next_obs, rewards + reward
        if terminated or truncated:
            obs, _ = env.reset()
    return rewards, int((model.outcomes.count.sum(-1) > 0).sum())


def test_optimism_explores_until_it_finds_what_it_hoped_for():
    """R-max (Brafman & Tennenholtz 2002): what was never tried is as good as the best there is, so that is where to go.

    The lake has 11 states with 4 actions each; 6 steps to the goal. Without optimism nothing is ever worth a step.
    """
    rewards, tried = greedy_steps(unseen_reward=1.0, num_steps=250)
    assert rewards >= 1
    assert tried == 44
    assert greedy_steps(unseen_reward=0.0, num_steps=250) == (0.0, 1)


def test_an_optimist_goes_through_what_it_knows_to_what_it_does_not(known):
    """States in a row, all known but one action of the last."""
    known_steps = [(s, a, 0.0, min(s + 1, 3) if a else max(s - 1, 0), False) for s in range(4) for a in range(2)]
    model = known(*known_steps[:-1], unseen_reward=1.0)
    solution = value_iteration(model.table(), 0.9)
    assert solution.policy.tolist() == [1, 1, 1, 1]
    np.testing.assert_allclose(solution.value, 10 * 0.9 ** np.array([3, 2, 1, 0]), rtol=1e-6)
