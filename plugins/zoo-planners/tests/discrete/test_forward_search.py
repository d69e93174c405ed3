"""Forward search: the value of every state equals that of a naive recursion over all actions and outcomes."""

import numpy as np
import pytest
import torch

import zoo_core
from zoo_core.errors import ConfigError, NonFiniteError, UnsupportedSpaceError
from zoo_core.planner import Evaluation
from zoo_core.testing import cases, check_planner
from zoo_core.testing.fakes import Altered
from zoo_core.world_model import index
from zoo_planners.forward_search import ForwardSearch
from zoo_tabular.dynamic_programming import value_iteration
from zoo_tabular.lookup import Lookup

GAMMA = 0.9
LEGAL = torch.tensor([[1, 0, 1], [0, 1, 0], [1, 1, 1], [1, 1, 0], [0, 0, 1], [0, 1, 1]]).bool()
WORTH = torch.tensor([3.0, -2.0, 0.5, 1.0, -1.0, 2.0])


def brute_force(model, place, depth, worth=None):
    """Returns the best return of `depth` steps, by the definition."""
    if depth == 0:
        return 0.0 if worth is None else float(worth[place])
    table, sign = model.table(), -1.0 if model.takes_turns else 1.0
    returns = []
    for action in range(table.num_actions):
        if model.legal is not None and not model.legal[place, action]:
            continue
        outcomes = zip(*(part[place, action] for part in (table.probability, table.reward, table.terminated,
                                                           table.next_state)), strict=True)  # fmt: skip
        returns.append(
            sum(chance * (reward + (0.0 if ended else GAMMA * sign * brute_force(model, after, depth - 1, worth)))
                for chance, reward, ended, after in outcomes if chance > 0.0)
        )  # fmt: skip
    return max(returns)


def search(model, state, evaluate=None, seed=0, **config):
    planner = ForwardSearch({"gamma": GAMMA, **config}, evaluate=evaluate)
    return planner.plan(model, state, rng=zoo_core.rng(seed))


def says(worth):
    return lambda state, *, rng: Evaluation(worth[state.index])


@pytest.mark.parametrize("takes_turns", [False, True])
@pytest.mark.parametrize("legal", [None, LEGAL])
@pytest.mark.parametrize("worth", [None, WORTH])
@pytest.mark.parametrize("depth", [1, 4])
def test_values_are_those_of_a_naive_recursion(deterministic, states, depth, worth, legal, takes_turns):
    deterministic.legal, deterministic.takes_turns = legal, takes_turns
    plan = search(deterministic, states(range(6)), None if worth is None else says(worth), depth=depth)
    expected = [brute_force(deterministic, place, depth, worth) for place in range(6)]
    torch.testing.assert_close(plan.value, torch.tensor(expected, dtype=torch.float32))


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_where_there_is_chance_values_are_means_over_the_samples(even, states, depth):
    plan = search(even, states(range(6)), depth=depth, num_samples=2)  # each of the two outcomes once
    expected = [brute_force(even, place, depth) for place in range(6)]
    torch.testing.assert_close(plan.value, torch.tensor(expected, dtype=torch.float32))
    assert plan.sequence is None


def test_sampled_values_come_near_to_expected_ones(stochastic, states):
    expected = torch.tensor([brute_force(stochastic, place, 2) for place in range(6)])
    few, many = (
        search(stochastic, states(range(6)), depth=2, num_samples=num, max_rows=10**6).value for num in (1, 60)
    )
    assert (many - expected).abs().mean() < 0.15  # deviations of about 1.2 / √60
    assert (few - expected).abs().mean() > 0.5


def test_several_samples_see_through_luck_that_one_falls_for(world, states):
    """A sure 0.6 against a gamble for 1 that is worth 0.5."""
    gamble = world([[[(1.0, 0, 0.6, True)], [(0.5, 0, 1.0, True), (0.5, 0, 0.0, True)]]])
    roots = states([0] * 100)
    one, many = (search(gamble, roots, depth=1, num_samples=num).action for num in (1, 400))
    assert 30 < int(one.sum()) < 70
    assert int(many.sum()) == 0


def test_the_sequence_earns_the_value(endless, states):
    plan = search(endless, states(range(6)), depth=4)
    state, total = states(range(6)), torch.zeros(6)
    for t in range(4):
        step = endless.step(state, plan.sequence[:, t], rng=zoo_core.rng(0))
        total, state = total + GAMMA**t * step.reward, step.state
    torch.testing.assert_close(total, plan.value)
    assert torch.equal(plan.sequence[:, 0], plan.action)


def test_the_lake_without_ice_is_solved():
    lake = Lookup.from_env("FrozenLake-v1", is_slippery=False)
    best = value_iteration(lake.table(), GAMMA)
    places = np.flatnonzero(best.value)
    plan = search(lake, lake.observe(None, None, torch.as_tensor(places), None, rng=zoo_core.rng(0)), depth=6)
    np.testing.assert_allclose(plan.value, best.value[places], rtol=1e-5)
    np.testing.assert_allclose(best.q[places, plan.action], best.value[places])


@pytest.mark.parametrize("num_samples", [1, 3])
def test_rows_are_searched_as_they_would_be_alone(deterministic, states, num_samples):
    together = search(deterministic, states(range(6)), depth=3, num_samples=num_samples)
    for i in range(6):
        alone = search(deterministic, states([i]), depth=3, num_samples=num_samples)
        assert torch.equal(index(together[:3], slice(i, i + 1))[1], alone.value)
        assert torch.equal(together.action[i], alone.action[0])


def test_the_same_rng_gives_the_same_plan_and_another_another_one(stochastic, states):
    first, again, other = (search(stochastic, states(range(6)), num_samples=2, seed=s).value for s in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


# -- what is no number -------------------------------------------------------------------------------------------------


def broken_at(model, *places):
    """Returns the model with rewards of NaN for whatever is done in these places."""

    class Broken(Altered):
        def step(self, state, action, **kwargs):
            step = super().step(state, action, **kwargs)
            here = torch.isin(state.index, torch.tensor(places))
            return step._replace(reward=torch.where(here & ~state.terminal, torch.nan, step.reward))

    return Broken(model, lambda step: step)


@pytest.fixture
def fork(world):
    """From place 0 to 1 or to 2, where both actions pay 5 and 0.5, and end."""
    return world([
        [[(1.0, 1, 0.0, False)], [(1.0, 2, 0.0, False)]],
        [[(1.0, 1, 5.0, True)]] * 2,
        [[(1.0, 2, 0.5, True)]] * 2,
    ])  # fmt: skip


@pytest.mark.parametrize(("takes_turns", "value"), [(False, GAMMA * 0.5), (True, -GAMMA * 0.5)])
def test_nan_ranks_last_for_whoever_moves_next(fork, states, takes_turns, value):
    fork.takes_turns = takes_turns
    plan = search(broken_at(fork, 1), states([0]), depth=3)
    assert plan.action.tolist() == [1]
    assert plan.value.item() == pytest.approx(value)


def test_one_root_of_nan_is_an_error_that_names_model_and_root(fork, states):
    with pytest.raises(NonFiniteError, match=r"Broken predicted no return that is a number from root 1"):
        search(broken_at(fork, 1), states([2, 1]), depth=2)


def test_values_after_an_end_do_not_count(fork, states):
    plan = search(fork, states([0]), lambda state, *, rng: Evaluation(torch.full((len(state.index),), torch.nan)))
    assert plan.value.item() == pytest.approx(GAMMA * 5.0)


def test_an_episode_that_is_over_is_worth_nothing(fork, states):
    over = states([0, 1])._replace(terminal=torch.tensor([True, True]))
    assert search(fork, over).value.tolist() == [0.0, 0.0]


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [{"depth": 12}, {"depth": 4, "num_samples": 10}, {"depth": 100_000}])
def test_too_many_states_are_refused_before_any_step(deterministic, states, config):
    untouched = Altered(deterministic, lambda step: pytest.fail("a step was made"))
    depth, samples = config["depth"], config.get("num_samples", 1)
    message = (
        rf"depth={depth} would look at \(3 actions · {samples} num_samples\)\^{depth} states from each root, more than "
        r"max_rows=262,144: lower depth or num_samples, or raise max_rows"
    )
    planner = ForwardSearch(config)
    for refuse in (
        lambda: planner.check(untouched),
        lambda: planner.plan(untouched, states([0]), rng=zoo_core.rng(0)),
    ):
        with pytest.raises(ConfigError, match=message):
            refuse()


def test_the_states_of_one_root_may_be_as_many_as_allowed(deterministic, states):
    assert search(deterministic, states([0, 1]), depth=3, max_rows=27).value.isfinite().all()
    with pytest.raises(ConfigError, match="more than max_rows=26"):
        search(deterministic, states([0, 1]), depth=3, max_rows=26)


@pytest.mark.parametrize(("max_rows", "sizes"), [(27, [1] * 5), (60, [2, 2, 1]), (135, [5])])
def test_roots_are_searched_as_many_at_a_time_as_there_is_room_for(deterministic, states, max_rows, sizes):
    rows = []
    watched = Altered(deterministic, lambda step: rows.append(len(step.reward)) or step)
    plan = search(watched, states(range(5)), depth=3, max_rows=max_rows)
    whole = search(deterministic, states(range(5)), depth=3)
    assert rows == [num * 3**level for num in sizes for level in (1, 2, 3)]
    assert all(torch.equal(one, two) for one, two in zip(plan[:3], whole[:3], strict=True))
    sampled = search(deterministic, states(range(5)), depth=1, num_samples=9, max_rows=max_rows)
    assert sampled.value.shape == (5,)
    assert sampled.sequence is None


def test_a_hopeless_root_is_named_by_its_place_among_all(fork, states):
    with pytest.raises(NonFiniteError, match="from root 4"):
        search(broken_at(fork, 1), states([2, 2, 2, 2, 1]), depth=2, max_rows=8)


@pytest.mark.parametrize("name", ["depth", "num_samples", "max_rows"])
def test_sizes_below_one_are_refused(name):
    with pytest.raises(ValueError, match=rf"{name} must be in \[1, inf\), got 0"):
        ForwardSearch({name: 0})


def test_box_actions_are_refused():
    (pendulum,) = (case.model for case in cases.model_cases() if case.name == "kalman")
    with pytest.raises(UnsupportedSpaceError, match="forward-search takes Discrete action spaces, got Box"):
        search(pendulum, pendulum.initial_state(1, rng=zoo_core.rng(0)))


def test_values_of_another_shape_are_refused(deterministic, states):
    with pytest.raises(ValueError, match=r"must return value \[18\] for 18 states, got \[18, 1\]"):
        search(deterministic, states([0, 1]), lambda state, *, rng: Evaluation(WORTH[state.index, None]), depth=2)


@pytest.mark.parametrize("name", ["lookup-table", "tic-tac-toe", "value-equivalent"])
def test_the_planner_keeps_the_contract(name):
    (model,) = (case.model for case in cases.model_cases() if case.name == name)
    check_planner(ForwardSearch({"depth": 2}), model)
