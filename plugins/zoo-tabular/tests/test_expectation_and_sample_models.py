"""Expectation and sample models on a transition with two outcomes: where they differ, and where it does not matter.

From the start a walker falls to the left or the right end of a row of five places, by chance, and never to the middle.
A sample model ends at either end. An expectation model is between them, where nobody ever was; with a value function
that is linear in the features that makes no difference (Wan et al. 2019, arXiv:1904.01191), with any other it does.
"""

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces

import zoo_core
from zoo_tabular.linear import Linear
from zoo_tabular.lookup import Lookup
from zoo_tabular.table import Table

START = 5  # states 0 to 4 are the places of the row
PLACES = np.arange(5.0)
LEFT, MIDDLE, RIGHT = 0, 2, 4
TO_LEFT = (0.5, 0.9)  # probability, by action
WIDE = 20  # falls of each action in the data, as often to the left as is expected
SAMPLES = 4_000


def falls():
    """Returns each action's falls as steps: actions `[N]`, places `[N]`, rewards `[N]`; 3 for the right end."""
    action = np.repeat([0, 1], WIDE)
    place = np.concatenate([np.where(np.arange(WIDE) < WIDE * odds, LEFT, RIGHT) for odds in TO_LEFT])
    return action, place, 3.0 * (place == RIGHT)


def fall_into(space, start, encode, model_class, config=None):
    """Fits a model to falls, observed as `encode` shows places; returns it with its belief at the start."""
    replay = zoo_core.Replay(space, spaces.Discrete(2))
    no = np.zeros(1, bool)
    for action, place, reward in zip(*falls(), strict=True):
        replay.add(np.array([start]), np.array([action]), np.array([reward]), no, ~no, np.array([encode(place)]))
    model = model_class(space, spaces.Discrete(2), config)
    model.fit(replay, rng=zoo_core.rng(0))
    return model


def walker(features=None):
    """The linear model of a walker who sees (height, place): (1, 1) at the start, then (0, place)."""
    space = spaces.Box(-np.inf, np.inf, (2,), np.float32)
    start, encode = np.array([1.0, 1.0]), lambda place: np.array([0.0, place])
    return fall_into(space, start, encode, Linear, {"features": features})


def state_model(model_class, config=None):
    return fall_into(spaces.Discrete(6), START, int, model_class, config)


def after(model, action, num=1):
    """Returns the step that follows `action` at the start, `num` times."""
    obs = torch.full((num,), START) if isinstance(model.observation_space, spaces.Discrete) else torch.ones(num, 2)
    state = model.observe(None, None, obs, None, rng=zoo_core.rng(0))
    return model.step(state, torch.full((num,), action), rng=zoo_core.rng(1))


def square(place):
    return (place - MIDDLE) ** 2


def distance(place):
    return abs(place - MIDDLE)


# -- where they end ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("action", "odds"), [(0, 0.5), (1, 0.9)])
def test_a_sample_model_ends_at_either_end_and_never_between(action, odds):
    model = state_model(Lookup)
    places = model.decode(after(model, action, SAMPLES).state)
    assert set(places.tolist()) == {LEFT, RIGHT}
    error = (odds * (1 - odds) / SAMPLES) ** 0.5
    assert float((places == LEFT).float().mean()) == pytest.approx(odds, abs=4 * error)


def test_an_expectation_model_is_in_the_middle_where_nothing_ever_was():
    model = walker()
    assert MIDDLE not in falls()[1]
    np.testing.assert_allclose(model.decode(after(model, 0).state)[0], [0.0, MIDDLE], atol=1e-5)
    np.testing.assert_allclose(model.decode(after(model, 1).state)[0], [0.0, 0.4], atol=1e-5)


def test_of_one_hot_states_the_expectation_is_the_distribution():
    model = state_model(Linear)
    features = model.features(after(model, 0).state)[0].numpy()
    np.testing.assert_allclose(features, [0.5, 0, 0, 0, 0.5, 0], atol=1e-6)
    assert features[:5] @ PLACES == pytest.approx(MIDDLE, abs=1e-5)


def test_expected_outcomes_of_the_lookup_table_are_the_linear_model():
    linear, table = state_model(Linear), state_model(Lookup, {"outcomes": "expected"})
    for action in (0, 1):
        first, second = after(linear, action), after(table, action)
        torch.testing.assert_close(linear.features(first.state), table.features(second.state), atol=1e-6, rtol=0)
        torch.testing.assert_close(first.reward, second.reward, atol=1e-6, rtol=0)


# -- a linear value function -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", [0, 1])
def test_under_a_linear_value_function_of_places_they_agree(action):
    """r + V(S') with V = 0.7 - 1.3 place: exactly against the table, to sampling error against samples."""
    table, expectation, samples = state_model(Lookup).table(), walker(), state_model(Lookup)

    def value(place):
        return 0.7 - 1.3 * place

    exact = table.expected_reward()[START, action] + table.transition_matrix()[START, action, :5] @ value(PLACES)
    imagined = after(expectation, action)
    promised = float(imagined.reward + value(expectation.decode(imagined.state)[0, 1]))
    assert promised == pytest.approx(exact, abs=1e-5)
    drawn = after(samples, action, SAMPLES)
    targets = drawn.reward + value(samples.decode(drawn.state))
    assert float(targets.mean()) == pytest.approx(exact, abs=4 * float(targets.std()) / SAMPLES**0.5)


def test_any_value_function_is_linear_in_one_hot_features():
    values = np.random.default_rng(0).standard_normal(6)
    model, matrix = state_model(Linear), state_model(Lookup).table().transition_matrix()
    for action in (0, 1):
        features = model.features(after(model, action).state)[0].numpy()
        assert features @ values == pytest.approx(matrix[START, action] @ values, abs=1e-5)


def test_plans_of_many_steps_are_worth_the_same_in_both():
    """On the slippery lake, with holes and a goal: the return of a plan, exact and as the mean of sampled dreams."""
    replay = zoo_core.Replay.collect("FrozenLake-v1", 20_000, seed=0)
    models = []
    for model_class in (Linear, Lookup):
        models.append(model_class(replay.observation_space, replay.action_space))
        models[-1].fit(replay, rng=zoo_core.rng(0))
    plan = [1, 1, 2, 1, 2, 2, 1, 2, 2]
    expected = float(returns(models[0], plan, 1)[0])
    sampled = returns(models[1], plan, 20_000)
    error = float(sampled.std()) / len(sampled) ** 0.5
    assert expected > 10 * error  # there is something to compare
    assert float(sampled.mean()) == pytest.approx(expected, abs=4 * error)
    assert expected == pytest.approx(exact_return(models[1].table(), plan), abs=1e-5)


def returns(model, plan, num):
    """Returns the discounted return `[num]` of a plan: rewards times the probability that the episode still goes on."""
    rng = zoo_core.rng(0)
    state = model.observe(None, None, torch.zeros(num, dtype=torch.int64), None, rng=rng)
    total, alive = torch.zeros(num), torch.ones(num)
    for action in plan:
        imagined = model.step(state, torch.full((num,), action), rng=rng)
        total, alive, state = total + alive * imagined.reward, alive * imagined.continues * 0.95, imagined.state
    return total


def exact_return(table, plan):
    """The same from the matrices of a table, backwards."""
    value = np.zeros(table.num_states)
    for action in reversed(plan):
        value = table.expected_reward()[:, action] + 0.95 * table.continuing_matrix()[:, action] @ value
    return value[0]


# -- any other value function ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "action", "of_samples", "of_expectation"),
    [
        (square, 0, 4.0, 0.0),  # (0 - 2)² = (4 - 2)² = 4, and the mean is at 2; the gap is the variance
        (square, 1, 4.0, 2.56),  # the mean is at 0.4; the variance 0.9 · 0.1 · 4² = 1.44
        (distance, 0, 2.0, 0.0),
        (distance, 1, 2.0, 1.6),
    ],
)
def test_under_another_value_function_they_differ_by_jensens_gap(value, action, of_samples, of_expectation):
    samples, expectation = state_model(Lookup), walker()
    drawn = samples.decode(after(samples, action, SAMPLES).state).float()
    assert float(value(drawn).mean()) == pytest.approx(of_samples, abs=1e-5)
    exact = samples.table().transition_matrix()[START, action, :5] @ value(PLACES)
    assert exact == pytest.approx(of_samples)
    place = expectation.decode(after(expectation, action).state)[0, 1]
    assert float(value(place)) == pytest.approx(of_expectation, abs=1e-4)


def test_the_gap_closes_where_the_value_is_among_the_features():
    """With the square as a feature, the value function is linear again."""
    model = walker(features=lambda obs: square(obs[:, 1:]))
    for action in (0, 1):
        assert float(model.features(after(model, action).state)[0, 3]) == pytest.approx(4.0, abs=1e-4)


def test_a_wrong_choice_follows_from_the_gap():
    """Who wants to be at an end is told by the expectation that the fair fall, which always leads to one, is worthless:
    less than the other, which is no better.
    """
    expectation, samples = walker(), state_model(Lookup)
    promised = [float(distance(expectation.decode(after(expectation, a).state)[0, 1])) for a in (0, 1)]
    earned = [float(distance(samples.decode(after(samples, a, SAMPLES).state)).float().mean()) for a in (0, 1)]
    assert earned == [2.0, 2.0]
    assert promised == pytest.approx([0.0, 1.6], abs=1e-4)


# -- the same in an environment ----------------------------------------------------------------------------------------


class Fall(gym.Env):
    """The world above with its exact table."""

    observation_space, action_space = spaces.Discrete(6), spaces.Discrete(2)
    initial_state_distrib = np.eye(6)[START]

    def __init__(self):
        self.P = {state: {a: [(1.0, state, 0.0, True)] for a in (0, 1)} for state in range(5)}
        self.P[START] = {a: [(p, LEFT, 0.0, True), (1 - p, RIGHT, 3.0, True)] for a, p in enumerate(TO_LEFT)}


def test_dreams_of_the_exact_table_end_where_the_world_does():
    dreams = zoo_core.DreamVecEnv(Lookup.from_env(Fall()), 500, seed=0)
    dreams.reset()
    _, reward, done, infos = dreams.step(np.zeros(500, np.int64))
    ends = np.array([info["terminal_observation"] for info in infos])
    assert done.all()
    assert set(ends.tolist()) == {LEFT, RIGHT}
    np.testing.assert_array_equal(reward, 3.0 * (ends == RIGHT))
    assert Table.from_env(Fall()).expected_reward()[START].tolist() == pytest.approx([1.5, 0.3])
