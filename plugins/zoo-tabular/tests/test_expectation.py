"""The expectation of a table against matrix products, all ways one by one, and the mean of many sampled dreams."""

import gymnasium as gym
import numpy as np
import pytest
import torch

import zoo_core
from zoo_core.errors import UnsupportedSpaceError
from zoo_tabular import expectation
from zoo_tabular.lookup import Lookup

ACTIONS = [
    1,
    2,
    1,
    1,
    2,
    2,
    1,
    2,
]  # down, right, ...: the shortest way to the goal, were it not slippery, and a bit more
GAMMA = 0.9


@pytest.fixture(scope="module")
def model():
    return Lookup.from_env("FrozenLake-v1", {"outcomes": "expected"})


def rollout(model, actions, num=1):
    """Returns the steps of `num` dreams that take the same actions."""
    rng = zoo_core.rng(0)
    state, steps = model.initial_state(num, rng=rng), []
    for action in actions:
        steps.append(model.step(state, torch.full((num,), action), rng=rng))
        state = steps[-1].state
    return steps


def expected_return(steps):
    """Returns the discounted return of each row: rewards, weighed with the probability that the episode got there."""
    alive, total = torch.ones(len(steps[0].reward)), torch.zeros(len(steps[0].reward))
    for t, step in enumerate(steps):
        total += GAMMA**t * alive * step.reward
        alive *= step.continues
    return total


def test_beliefs_are_the_product_of_the_matrices_of_what_goes_on(model, frozen_lake):
    going_on, reward = frozen_lake.continuing_matrix(), frozen_lake.expected_reward()
    weight, alive = frozen_lake.initial, 1.0
    for action, step in zip(ACTIONS, rollout(model, ACTIONS), strict=True):
        assert step.reward.item() == pytest.approx(weight @ reward[:, action] / alive, abs=1e-7)
        weight = weight @ going_on[:, action]
        assert step.continues.item() == pytest.approx(weight.sum() / alive, abs=1e-7)
        alive = weight.sum()
        np.testing.assert_allclose(step.state.probability[0], weight / alive, atol=1e-12)


def return_by_enumeration(process, state, actions):
    """Returns the expected return of a sequence of actions, way by way, each as often as it happens."""
    if not actions:
        return 0.0
    return sum(
        chance * (reward + (0.0 if terminated else GAMMA * return_by_enumeration(process, next_state, actions[1:])))
        for chance, next_state, reward, terminated in process[state][actions[0]]
    )


@pytest.mark.parametrize("actions", [ACTIONS, [2, 2, 1, 1, 1, 2, 2, 2], [0] * 8])
def test_rewards_and_continuations_make_the_exact_return(model, actions):
    process = gym.make("FrozenLake-v1").unwrapped.P
    exact = return_by_enumeration(process, 0, actions)
    assert expected_return(rollout(model, actions)).item() == pytest.approx(exact, abs=1e-7)
    assert (exact > 0.001) == (0 not in actions)


def test_sampled_dreams_return_as_much_on_average(model):
    """20,000 of them; the deviation of the mean is 0.0005."""
    sampled = expected_return(rollout(Lookup.from_env("FrozenLake-v1"), ACTIONS, 20_000))
    assert 0 < sampled.mean() == pytest.approx(expected_return(rollout(model, ACTIONS)).item(), abs=0.002)
    assert sampled.std() > 0.02


def test_beliefs_sum_to_one_and_what_cannot_end_goes_on_for_certain():
    """CliffWalking ends at its goal alone, which is 13 steps from the start."""
    source, model = np.random.default_rng(0), Lookup.from_env("CliffWalkingSlippery-v1", {"outcomes": "expected"})
    for t, step in enumerate(rollout(model, source.integers(4, size=40), num=3)):
        np.testing.assert_allclose(step.state.probability.sum(-1), 1.0, atol=1e-14)
        if t < 12:
            assert step.continues.tolist() == [1.0] * 3


def test_a_certain_belief_of_a_sure_world_is_where_the_sampled_dream_is():
    """CliffWalking is deterministic: both kinds of outcomes dream the same."""
    source = np.random.default_rng(1)
    actions = source.integers(4, size=50)
    sampled, expected = (
        rollout(Lookup.from_env("CliffWalking-v1", {"outcomes": outcomes}), actions)
        for outcomes in ("sampled", "expected")
    )
    for one, other in zip(sampled, expected, strict=True):
        assert (one.reward, one.continues) == (other.reward, other.continues)
        assert other.state.probability[0, one.state.index[0]] == 1


def test_an_end_is_where_it_happened_and_stays(known):
    """Action 0 ends, in state 1 or 2; nothing moves or earns after it."""
    model = known((0, 0, 3.0, 1, True), (0, 0, 1.0, 2, True), (1, 1, 9.0, 3, False), outcomes="expected")
    end, after = rollout(model, [0, 1])
    assert (end.reward.item(), end.continues.item(), end.state.terminal.item()) == (2.0, 0.0, True)
    assert (after.reward.item(), after.continues.item(), after.state.terminal.item()) == (0.0, 0.0, True)
    for step in (end, after):
        np.testing.assert_allclose(step.state.probability, [[0, 0.5, 0.5, 0]])


def test_what_ended_has_no_part_in_what_goes_on(known):
    """Half of the steps end; given that it goes on, the dream is in state 2 for certain."""
    model = known((0, 0, 4.0, 1, True), (0, 0, 0.0, 2, False), (2, 0, 1.0, 0, False), outcomes="expected")
    first, second = rollout(model, [0, 0])
    assert (first.reward.item(), first.continues.item()) == (2.0, 0.5)
    assert first.state.probability.tolist() == [[0, 0, 1, 0]]
    assert (second.reward.item(), second.continues.item()) == (1.0, 1.0)


def test_a_chance_in_a_million_to_go_on_is_not_forgotten(known):
    model = known((0, 0, 0.0, 1, True), (0, 0, 0.0, 2, False), outcomes="expected")
    model.outcomes.count[0, 0, 0] = 1e8
    [step] = rollout(model, [0])
    assert step.continues.item() == pytest.approx(1e-8)
    assert not step.state.terminal.item()


def test_rows_of_different_actions_are_apart(known):
    model = known((0, 0, 1.0, 1, False), (0, 1, 2.0, 2, True), (3, 1, 3.0, 0, False), outcomes="expected")
    state = model.observe(None, None, torch.tensor([0, 0, 3, 3]), None, rng=zoo_core.rng(0))
    step = model.step(state, torch.tensor([0, 1, 1, 0]), rng=zoo_core.rng(0))
    assert step.state.probability.argmax(-1).tolist() == [1, 2, 0, 3]
    assert (step.reward.tolist(), step.continues.tolist()) == ([1, 2, 3, 0], [1, 0, 1, 1])


@pytest.mark.parametrize("num", [1, 7, 64])
def test_rows_of_any_actions_are_moved_by_the_matrix_of_their_own(num, random_table):
    """Beliefs of anything, on a world where some certainly end; products in float64, row by row."""
    table = random_table(0, num_states=6, num_actions=5, ending=0.4)
    table.terminated[2:4, 1] = True
    expected = expectation.Expectation(table, torch.ones(6, 5), torch.device("cpu"))
    source = np.random.default_rng(num)
    before, action = source.dirichlet(np.ones(6), num), source.integers(5, size=num)
    before[::3], action[::3] = np.eye(6)[2], 1  # these end
    belief = expectation.Belief(torch.from_numpy(before), torch.zeros(num, dtype=torch.bool))
    step = expected.step(belief, torch.from_numpy(action), uncertainty=False)
    assert step.state.probability.dtype == torch.float64
    assert step.state.terminal.tolist() == [i % 3 == 0 for i in range(num)]
    for i, (row, chosen) in enumerate(zip(before, action, strict=True)):
        going_on = row @ table.continuing_matrix()[:, chosen]
        after = row @ table.transition_matrix()[:, chosen] if i % 3 == 0 else going_on / going_on.sum()
        np.testing.assert_allclose(step.state.probability[i], after, atol=1e-15)
        assert step.reward[i].item() == pytest.approx(row @ table.expected_reward()[:, chosen], abs=1e-6)
        assert step.continues[i].item() == pytest.approx(going_on.sum(), abs=1e-6)


def test_only_the_matrices_of_actions_that_are_taken_are_looked_at(model):
    """Those of the others are not numbers, and so are all of where an episode ends while none does."""
    expected = expectation.Expectation(model.table(), model.count.sum(-1), torch.device("cpu"))
    expected.to_going_on[[0, 3]] = expected.to_any[:] = torch.nan
    step = expected.step(expected.certain(torch.tensor([0, 1, 4])), torch.tensor([1, 2, 1]), uncertainty=False)
    assert bool(step.state.probability.isfinite().all())


def test_nothing_is_drawn(model):
    rng = zoo_core.rng(0)
    before = rng.get_state().clone()
    state = model.observe(None, None, torch.tensor([0]), None, rng=rng)
    model.step(state, torch.tensor([1]), rng=rng, uncertainty=True)
    assert torch.equal(rng.get_state(), before)


def test_features_are_the_distribution_and_an_observation_is_the_likeliest_state(known):
    model = known(*[(0, 0, 0.0, 1, False)] * 1, *[(0, 0, 0.0, 2, False)] * 3, outcomes="expected")
    [step] = rollout(model, [0])
    assert model.features(step.state).tolist() == [[0, 0.25, 0.75, 0]]
    assert model.features(step.state).dtype == torch.float32
    assert model.decode(step.state).tolist() == [2]


def test_uncertainty_is_that_of_all_states_it_may_be_in(known):
    model = known(
        *[(0, 0, 0.0, 1, False)] * 3, (0, 0, 0.0, 2, False), *[(1, 1, 0.0, 1, False)] * 8, outcomes="expected"
    )
    rng = zoo_core.rng(0)
    first = model.step(model.initial_state(1, rng=rng), torch.tensor([0]), rng=rng, uncertainty=True)
    second = model.step(first.state, torch.tensor([1]), rng=rng, uncertainty=True)
    spread = (1 - 0.75**2 - 0.25**2) ** 0.5
    assert first.uncertainty["epistemic"].item() == pytest.approx(5**-0.5)
    assert second.uncertainty["epistemic"].item() == pytest.approx(0.75 / 3 + 0.25)
    for step in (first, second):
        assert step.uncertainty["aleatoric"].item() == pytest.approx(spread)
        assert {values.dtype for values in step.uncertainty.values()} == {torch.float32}


def test_a_pair_never_tried_leads_back_with_the_reward_of_the_unseen(known):
    model = known(
        (0, 0, 1.0, 1, False), (0, 0, 1.0, 2, False), (1, 0, 3.0, 1, True), outcomes="expected", unseen_reward=7.0
    )
    _, second = rollout(model, [0, 0])  # half of it ends in state 1, the other half was never tried
    assert (second.reward.item(), second.continues.item()) == (5.0, 0.5)
    assert second.state.probability.tolist() == [[0, 0, 1, 0]]


def test_what_is_recorded_later_is_expected_from_then_on(known, steps_of):
    model = known((0, 0, 1.0, 1, False), outcomes="expected")
    assert rollout(model, [0])[0].state.probability.tolist() == [[0, 1, 0, 0]]
    model.record(*steps_of((0, 0, 3.0, 2, False)))
    [step] = rollout(model, [0])
    assert (step.state.probability.tolist(), step.reward.item()) == ([[0, 0.5, 0.5, 0]], 2.0)
    model.record(*steps_of((0, 0, 3.0, 2, False), (0, 0, 1.0, 1, False), (0, 0, 1.0, 1, False)))  # there is room
    assert rollout(model, [0])[0].state.probability.tolist() == [[0, 0.6, 0.4, 0]]
    model.outcomes = known((0, 0, 4.0, 3, True)).outcomes
    assert rollout(model, [0])[0].state.probability.tolist() == [[0, 0, 0, 1]]


def test_a_table_too_large_for_matrices_is_refused_where_they_are_needed(known, monkeypatch):
    monkeypatch.setattr(expectation, "MAX_NUMBERS", 31)
    with pytest.raises(UnsupportedSpaceError, match=r'"expected" needs a matrix of 32 numbers, at most 31.*"sampled"'):
        rollout(known((0, 0, 1.0, 1, False), outcomes="expected"), [0])
    rollout(known((0, 0, 1.0, 1, False)), [0])
