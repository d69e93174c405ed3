"""A table says what its environment says, and refuses what is no finite Markov decision process."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv

from zoo_core.acting import SpacesOnly
from zoo_tabular.table import Table

PARTS = ("next_state", "probability", "reward", "terminated", "initial")
LEFT, DOWN, RIGHT, UP = range(4)  # of FrozenLake


def arrays(num_states=2, num_actions=1, room=1, **changed):
    """Returns the arrays of a world in which nothing happens, some of them changed."""
    shape = num_states, num_actions, room
    plain = {
        "next_state": np.zeros(shape, np.int64),
        "probability": np.full(shape, 1 / room),
        "reward": np.zeros(shape),
        "terminated": np.zeros(shape, bool),
        "initial": np.full(num_states, 1 / num_states),
    }
    return {**plain, **changed}


def outcomes_of(table, state, action):
    """Returns {(next_state, reward, terminated): probability} of what can happen."""
    parts = (getattr(table, name)[state, action].tolist() for name in PARTS[:4])
    return {(n, r, t): p for n, p, r, t in zip(*parts, strict=True) if p > 0}


def assert_same_tables(first, second):
    for name in PARTS:
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name), err_msg=name)


def test_outcomes_of_the_slippery_lake_are_those_of_its_rules(frozen_lake):
    """One third each for the direction and its two neighbours; what comes to the same is one outcome."""
    third = pytest.approx(1 / 3)
    assert outcomes_of(frozen_lake, 0, LEFT) == {(0, 0, False): pytest.approx(2 / 3), (4, 0, False): third}
    assert outcomes_of(frozen_lake, 10, UP) == {(9, 0, False): third, (6, 0, False): third, (11, 0, True): third}
    assert outcomes_of(frozen_lake, 14, RIGHT) == {(14, 0, False): third, (15, 1, True): third, (10, 0, False): third}
    assert frozen_lake.next_state.shape == (16, 4, 3)
    assert frozen_lake.initial.tolist() == [1.0] + [0.0] * 15


def test_outcomes_of_the_cliff_are_those_of_its_rules():
    table = Table.from_env("CliffWalking-v1")
    assert table.next_state.shape == (48, 4, 1)
    assert (table.num_states, table.num_actions) == (48, 4)
    assert outcomes_of(table, 36, RIGHT - 1) == {(36, -100, False): 1}  # over the cliff: back to the start
    assert outcomes_of(table, 35, 2) == {(47, -1, True): 1}  # down, to the goal
    assert outcomes_of(table, 0, 0) == {(0, -1, False): 1}  # up, against the edge


def test_a_taxi_ride_ends_where_it_is_paid():
    table = Table.from_env("Taxi-v4")
    assert table.next_state.shape == (500, 6, 1)
    np.testing.assert_array_equal(table.terminated, table.reward == 20)
    assert (table.initial > 0).sum() == 300
    assert table.initial.sum() == pytest.approx(1)


@pytest.mark.parametrize("env_id", ["FrozenLake-v1", "CliffWalkingSlippery-v1", "Taxi-v4"])
def test_matrices_equal_loops_over_the_outcomes(env_id):
    env = gym.make(env_id)
    table, process = Table.from_env(env), env.unwrapped.P
    anywhere = np.zeros((table.num_states, table.num_actions, table.num_states))
    going_on, reward = np.zeros_like(anywhere), np.zeros(anywhere.shape[:2])
    for state, actions in process.items():
        for action, outcomes in actions.items():
            for chance, next_state, earned, terminated in outcomes:
                anywhere[state, action, next_state] += chance
                going_on[state, action, next_state] += chance * (not terminated)
                reward[state, action] += chance * earned
    np.testing.assert_allclose(table.transition_matrix(), anywhere, atol=1e-15)
    np.testing.assert_allclose(table.continuing_matrix(), going_on, atol=1e-15)
    np.testing.assert_allclose(table.expected_reward(), reward, atol=1e-13)


def test_matrices_add_up_outcomes_that_lead_to_one_state():
    """Several outcomes of a pair lead to the same state, with other rewards, or end there."""
    process = {0: {0: [(0.1, 1, 1.0, False), (0.2, 1, 2.0, False), (0.3, 1, 2.0, True), (0.4, 0, 0.0, False)]}}
    process[1] = {0: [(1.0, 1, 0.0, True)]}
    table = Table.from_outcomes(process, [1, 0])
    np.testing.assert_allclose(table.transition_matrix(), [[[0.4, 0.6]], [[0, 1]]])
    np.testing.assert_allclose(table.continuing_matrix(), [[[0.4, 0.3]], [[0, 0]]])
    np.testing.assert_allclose(table.expected_reward(), [[0.1 + 0.4 + 0.6], [0]])


def test_rewards_are_told_apart():
    process = {0: {0: [(0.5, 0, 1.0, False), (0.5, 0, 2.0, False)]}}
    assert outcomes_of(Table.from_outcomes(process, [1]), 0, 0) == {(0, 1, False): 0.5, (0, 2, False): 0.5}


def test_outcomes_that_never_happen_are_left_out():
    """A lake that is slippery with probability 0 has three outcomes a pair in `P`, two of them impossible."""
    table = Table.from_env(gym.make("FrozenLake-v1", is_slippery=True, success_rate=1.0))
    assert_same_tables(table, Table.from_env(gym.make("FrozenLake-v1", is_slippery=False)))


@pytest.mark.parametrize(
    "make",
    [
        lambda: gym.make("FrozenLake-v1"),
        lambda: gym.wrappers.TimeLimit(gym.make("FrozenLake-v1"), 5),
        lambda: DummyVecEnv([lambda: gym.make("FrozenLake-v1")] * 2),
    ],
    ids=["env", "wrapped", "VecEnv"],
)
def test_every_kind_of_environment_has_the_same_table(frozen_lake, make):
    assert_same_tables(Table.from_env(make()), frozen_lake)


def test_spaces_that_stand_in_for_an_environment_have_no_table():
    stand_in = SpacesOnly(spaces.Discrete(16), spaces.Discrete(4))
    with pytest.raises(TypeError, match="SpacesOnly has no exact table"):
        Table.from_env(stand_in)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: "CartPole-v1", "CartPole-v1"),
        (lambda: gym.make("CartPole-v1"), "CartPole-v1"),
        (lambda: DummyVecEnv([lambda: gym.make("CartPole-v1")]), "CartPole-v1"),
        (lambda: gym.wrappers.TimeLimit(gym.Env(), 5), "TimeLimit"),
        (lambda: 7, "int"),
    ],
    ids=["id", "env", "VecEnv", "no id", "no environment"],
)
def test_an_environment_without_a_table_is_named_and_a_model_recommended(make, name):
    with pytest.raises(TypeError, match=f"{name} has no exact table, P and initial_state_distrib.*'lookup'"):
        Table.from_env(make())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"reward": np.zeros((2, 1, 2))}, r"arrays \[S, A, K\].*'reward': \(2, 1, 2\)"),
        ({"initial": np.ones(3) / 3}, r"initial \[S\]"),
        ({"next_state": np.zeros((2, 1), np.int64)}, r"got next_state \(2, 1\)"),
        ({"next_state": np.zeros((2, 1, 1))}, "next_state must hold integers .*got float64"),
        ({"terminated": np.zeros((2, 1, 1), int)}, "terminated bool, got int64 and int64"),
        ({"probability": np.full((2, 1, 1), 0.9)}, "sum to 1"),
        ({"probability": np.full((2, 1, 1), np.nan)}, "sum to 1"),
        ({"next_state": np.full((2, 1, 1), 2)}, r"next states must be in \[0, 2\)"),
        ({"next_state": np.full((2, 1, 1), -1)}, r"next states must be in \[0, 2\)"),
        ({"reward": np.full((2, 1, 1), np.inf)}, "rewards must be finite"),
        ({"initial": np.array([1.0, 1.0])}, "initial must be at least 0 and sum to 1"),
        ({"initial": np.array([2.0, -1.0])}, "initial must be at least 0 and sum to 1"),
        ({"initial": np.array([np.nan, 1.0])}, "initial must be at least 0 and sum to 1"),
    ],
)
def test_arrays_that_make_no_process_are_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        Table(**arrays(**changed))


def test_a_negative_probability_is_refused_though_the_sum_is_right():
    with pytest.raises(ValueError, match="must be at least 0 and sum to 1"):
        Table(**arrays(room=2, probability=np.tile([1.5, -0.5], (2, 1, 1))))


def test_where_episodes_begin_may_be_unknown():
    assert Table(**arrays(initial=np.zeros(2))).initial.sum() == 0


@pytest.mark.parametrize(
    ("process", "message"),
    [
        ({0: {0: [(1.0, 0, 0.0, False)]}, 1: {0: [(1.0, 0, 0.0, False)], 1: []}}, r"as many actions, got \[1, 2\]"),
        ({0: {0: [(0.5, 0, 0.0, False)]}}, "sum to 1"),
        ({0: {0: []}}, "sum to 1"),
        ({0: {0: [(1.0, 1, 0.0, False)]}}, r"next states must be in \[0, 1\)"),
    ],
)
def test_outcomes_that_make_no_process_are_refused(process, message):
    with pytest.raises(ValueError, match=message):
        Table.from_outcomes(process, np.ones(len(process)) / len(process))


def test_a_compact_table_is_the_same_process_without_gaps():
    """Unused room may lie anywhere; what counts on from a table needs it at the end."""
    gaps = np.array([[[0.0, 0.5, 0.0, 0.5]], [[0.0, 0.0, 1.0, 0.0]]])
    successors = np.array([[[1, 0, 1, 1]], [[0, 0, 1, 0]]])
    loose = Table(**arrays(room=4, probability=gaps, next_state=successors))
    tight = loose.compact()
    assert tight.probability.tolist() == [[[0.5, 0.5]], [[1.0, 0.0]]]
    assert tight.next_state.tolist()[0] == [[0, 1]]
    np.testing.assert_array_equal(tight.transition_matrix(), loose.transition_matrix())
    tight.probability[:] = 0.0
    tight.initial[:] = 0.0
    assert loose.probability.sum() == 2
    assert loose.initial.sum() == 1
