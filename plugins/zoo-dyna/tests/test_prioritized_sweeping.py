"""Sweeping in the order of urgency: where it ends, in how many updates, and what waits."""

import gymnasium as gym
import numpy as np
import pytest

from zoo_core.plugins import make_env
from zoo_tabular.dynamic_programming import value_iteration

GAMMA = 0.9
CHAIN = (0, 0, 0.0, 1, False), (1, 0, 0.0, 2, False), (2, 0, 1.0, 3, True)  # three steps to a reward


@pytest.fixture
def sweeper(agent):
    """Makes an agent in a world of six states and four actions that does not sweep by itself."""

    def make(**config):
        settings = {"gamma": GAMMA, "threshold": 1e-9, "planning_updates": 0}
        return agent("prioritized-sweeping", gym.make("FrozenLake-v1", desc=["SFF", "FFG"]), **{**settings, **config})

    return make


def errors(learner):
    """Returns by how much an update would change each pair that was tried, `[N]`."""
    table, tried = learner.model.table(), learner.model.outcomes.count.sum(-1) > 0.0
    backup = table.expected_reward() + learner.config.gamma * table.continuing_matrix() @ learner.q.max(-1)
    return np.abs(backup - learner.q)[tried]


@pytest.fixture(scope="module")
def wanderer(agent):
    """Makes an agent that has seen a world at random, and has swept until nothing was left."""

    def make(env_id, **config):
        learner = agent("prioritized-sweeping", env_id, explore_prob=1.0, **config).learn(2_500)
        learner.sweep(10**6)
        return learner

    return make


@pytest.mark.parametrize(
    ("env_id", "model"), [("FrozenLake-v1", "lookup"), ("zoo_envs/DynaMaze-v0", "lookup-deterministic")]
)
def test_it_ends_at_what_value_iteration_says(wanderer, env_id, model):
    learner = wanderer(env_id, model=model, threshold=1e-5)
    tried = learner.model.outcomes.count.sum(-1) > 0.0
    expected = value_iteration(learner.model.table(), learner.config.gamma).q
    assert expected[tried].max() > 0.1
    np.testing.assert_allclose(learner.q[tried], expected[tried], atol=1e-3)


@pytest.mark.parametrize("threshold", [1e-1, 1e-2, 1e-4])
def test_no_change_above_the_threshold_is_left_and_those_below_wait(wanderer, threshold):
    """The fixed point is then within θ / (1 - γ)."""
    left = errors(wanderer("FrozenLake-v1", model="lookup", threshold=threshold)).max()
    assert threshold / 100 < left <= threshold


def test_one_success_is_carried_back_in_as_many_updates_as_steps(sweeper, steps_of):
    learner = sweeper(planning_updates=3)
    learner.update(steps_of(*CHAIN))
    assert learner.updates == 3
    assert learner.q[:3, 0] == pytest.approx([GAMMA**2, GAMMA, 1.0])


def test_no_more_updates_are_made_than_were_asked_for(sweeper, steps_of):
    learner = sweeper(planning_updates=2)
    learner.update(steps_of(*CHAIN))
    assert learner.updates == 2
    assert learner.q[:3, 0] == pytest.approx([0.0, GAMMA, 1.0])
    assert learner.sweep(10) == 1  # the rest, and then nothing is left to do
    assert learner.q[0, 0] == pytest.approx(GAMMA**2)
    assert learner.updates == 3


def test_the_largest_change_comes_first(sweeper, steps_of):
    learner = sweeper()
    learner.update(steps_of((0, 0, 2.0, 1, True), (1, 0, 4.0, 2, True), (2, 0, 1.0, 3, True)))
    changed = []
    for _ in range(3):
        learner.sweep(1)
        changed.append(learner.q[:3, 0].tolist())
    assert changed == [[0.0, 4.0, 0.0], [2.0, 4.0, 0.0], [2.0, 4.0, 1.0]]


def test_an_update_is_the_expectation_over_outcomes(sweeper, steps_of):
    learner = sweeper(model="lookup", planning_updates=10)
    learner.update(steps_of((1, 0, 6.0, 2, True), (0, 0, 1.0, 1, False), (0, 0, 2.0, 3, True), (0, 0, 2.0, 3, True)))
    assert learner.q[0, 0] == pytest.approx((1.0 + GAMMA * 6.0) / 3 + 2.0 * 2 / 3)


def test_what_a_learning_rate_leaves_of_a_change_stays_in_the_queue(sweeper, steps_of):
    learner = sweeper(learning_rate=0.5)
    learner.update(steps_of(CHAIN[2]))
    values = []
    for _ in range(3):
        assert learner.sweep(1) == 1
        values.append(learner.q[2, 0])
    assert values == [0.5, 0.75, 0.875]


def test_a_pair_that_leads_elsewhere_by_now_hears_from_there(sweeper, steps_of):
    """First 0 leads to 1, then to 2; success is found at 2 after that."""
    learner = sweeper(planning_updates=5)
    learner.update(steps_of(CHAIN[0], (0, 0, 0.0, 2, False), CHAIN[2], (1, 0, 5.0, 3, True)))
    assert learner.q[:3, 0] == pytest.approx([GAMMA, 5.0, 1.0])


def test_a_reward_that_changes_is_noticed(sweeper, steps_of):
    learner = sweeper(planning_updates=5)
    learner.update(steps_of(*CHAIN, (2, 0, 0.5, 3, True)))
    assert learner.q[:3, 0] == pytest.approx([0.5 * GAMMA**2, 0.5 * GAMMA, 0.5])


def updates_until(learner, num_steps, maze):
    """Returns the updates until the greedy way to the goal takes no more than so many steps."""
    moves = maze.transition_arrays()
    start = int(np.argmax(maze.initial_state_distrib))

    def lost(*_):
        if learner.q[start].max() == 0.0:
            return True
        state = start
        for _ in range(num_steps):
            action = learner.q[state].argmax()
            if moves.terminated[state, action]:
                return False
            state = moves.next_state[state, action]
        return True

    learner.learn(10**5, callback=lost)
    return learner.updates


def test_it_finds_a_way_in_a_tenth_of_the_updates_of_dyna_q(agent):
    """1.2 times the 14 steps of the shortest: some 150 updates, against 4,000 of dyna-q with as many a step."""
    maze = make_env("zoo_envs/DynaMaze-v0").unwrapped
    swept, planned = (
        [updates_until(agent(name, maze, seed, planning_updates=5), 16, maze) for seed in range(5)]
        for name in ("prioritized-sweeping", "dyna-q")
    )
    assert max(swept) <= 300
    assert np.mean(swept) <= 0.1 * np.mean(planned)
