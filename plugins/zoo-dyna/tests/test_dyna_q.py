"""Planning from a model of what was seen: against figures of the book, plain loops, and dynamic programming."""

import gymnasium as gym
import numpy as np
import pytest

from zoo_core.plugins import make_env
from zoo_core.seeding import numpy_rng
from zoo_dyna.kernels import draw_outcome
from zoo_tabular.dynamic_programming import value_iteration
from zoo_tabular.table import Table


def third_episode(learner):
    """Returns its length."""
    learner.learn(10**6, callback=lambda *_: learner.env.num_ended < 3)
    return learner.env.episodes[2]["l"]


def make_history(seed, num_steps, num_states=6, num_actions=3, outcomes=1):
    """Returns steps (state, action, reward, next state, terminated) of a world with so many outcomes a pair."""
    source = np.random.default_rng(seed)
    shape = (num_states, num_actions, outcomes)
    reward, next_state = source.integers(-4, 5, shape) / 4.0, source.integers(num_states, size=shape)
    terminated = source.random(shape) < 0.2
    steps = []
    for _ in range(num_steps):
        pair = source.integers(num_states - 1), source.integers(num_actions - 1), source.integers(outcomes)
        steps.append((*pair[:2], reward[pair], next_state[pair], terminated[pair]))
    return steps


def plan_by_the_book(q, history, num_updates, draws, *, learning_rate, gamma, curious=False, bonus=0.0, sampled=False):
    """Step f of the algorithm, from the bare list of all steps so far."""

    def one_of(choices):
        return choices[int(draws.random() * len(choices))]

    for _ in range(num_updates):
        state = one_of(list(dict.fromkeys(s for s, *_ in history)))
        tried = list(dict.fromkeys(a for s, a, *_ in history if s == state))
        action = one_of(range(q.shape[1]) if curious else tried)
        times = [t for t, (s, a, *_) in enumerate(history, start=1) if (s, a) == (state, action)]
        reward, next_state, terminated = 0.0, state, False
        if times:
            seen = [history[t - 1][2:] for t in times]
            rewards = {}  # by outcome, in the order of first sight
            for reward, *outcome in seen:
                rewards.setdefault(tuple(outcome), []).append(reward)
            counted = [(np.mean(each), *outcome) for outcome, each in rewards.items() for _ in each]
            reward, next_state, terminated = one_of(counted) if sampled else seen[-1]
        reward += bonus * (len(history) - (times[-1] if times else 0)) ** 0.5
        target = reward + (0.0 if terminated else gamma * q[next_state].max())
        q[state, action] += learning_rate * (target - q[state, action])


@pytest.fixture
def world():
    """Six states and three actions."""
    return gym.make("FrozenLake-v1", desc=["SFF", "FFG"])


def test_fifty_plans_a_step_find_the_way_in_three_episodes_and_none_do_not(agent):
    """Figure 8.2: the third takes 16 steps on average, not more than 22 (14 are the fewest); 460 without planning."""
    maze = make_env("zoo_envs/DynaMaze-v0").unwrapped
    assert np.mean([third_episode(agent("dyna-q", maze, seed, planning_updates=50)) for seed in range(20)]) <= 25.0
    assert np.mean([third_episode(agent("q-learning", maze, seed)) for seed in range(20)]) >= 200.0


@pytest.mark.parametrize("other", ["dyna-q", "dyna-q-plus"])
def test_without_planning_it_is_q_learning(agent, other):
    plain = agent("q-learning", learning_rate=0.3).learn(3_000)
    dyna = agent(other, learning_rate=0.3, planning_updates=0).learn(3_000)
    assert plain.q.max() > 0.0
    np.testing.assert_array_equal(dyna.q, plain.q)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("name", "bonus"), [("dyna-q", 0.0), ("dyna-q-plus", 0.0), ("dyna-q-plus", 0.25)])
def test_planning_is_the_books_loop_over_the_last_outcomes(agent, steps_of, world, name, bonus, seed):
    curious = name == "dyna-q-plus"
    settings = {"learning_rate": 0.5, "gamma": 0.9} | ({"bonus": bonus} if curious else {})
    history = make_history(seed, 30)
    learner = agent(name, world, seed=seed, planning_updates=0, **settings)
    learner.update(steps_of(*history))
    expected = learner.q.copy()
    plan_by_the_book(expected, history, 200, numpy_rng(seed, "learning"), curious=curious, **settings)
    learner.plan(200)
    np.testing.assert_allclose(learner.q, expected, rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_planning_draws_outcomes_as_often_as_they_were_seen(agent, steps_of, world, seed):
    history = make_history(seed, 60, outcomes=3)
    settings = {"learning_rate": 0.5, "gamma": 0.9}
    learner = agent("dyna-q", world, seed=seed, model="lookup", planning_updates=0, **settings)
    learner.update(steps_of(*history))
    assert learner.model.outcomes.count.shape[-1] > 1
    expected = learner.q.copy()
    plan_by_the_book(expected, history, 200, numpy_rng(seed, "learning"), sampled=True, **settings)
    learner.plan(200)
    np.testing.assert_allclose(learner.q, expected, rtol=1e-12)


def test_an_outcome_that_was_never_counted_is_never_drawn():
    count, draws = np.array([0.0, 3.0, 1.0, 0.0]), np.random.default_rng(0)
    drawn = np.bincount([draw_outcome(count, draws) for _ in range(8_000)], minlength=4) / 8_000
    np.testing.assert_array_equal(drawn[count == 0.0], 0.0)
    np.testing.assert_allclose(drawn, count / 4, atol=0.02)


@pytest.mark.parametrize(
    ("env_id", "kwargs"), [("FrozenLake-v1", {"is_slippery": False}), ("zoo_envs/DynaMaze-v0", {})]
)
def test_planning_in_a_world_that_is_known_ends_at_what_value_iteration_says(agent, visited, env_id, kwargs):
    env = make_env(env_id, **kwargs)
    table = Table.from_env(env)
    learner = agent("dyna-q", env, learning_rate=1.0, planning_updates=0)
    states = visited(learner, table)
    learner.plan(100_000)
    np.testing.assert_allclose(learner.q[states], value_iteration(table, 0.95).q[states], atol=1e-9)


def test_what_was_never_tried_is_never_planned_from(agent, steps_of, world):
    """An untried action would be thought to lead to state 0, and its value would leave where it began."""
    learner = agent("dyna-q", world, initial_value=5.0, planning_updates=1_000)
    learner.update(steps_of((0, 1, 1.0, 3, False), (3, 2, 0.0, 4, False)))
    changed = np.zeros_like(learner.q, dtype=bool)
    changed[0, 1] = changed[3, 2] = True
    np.testing.assert_array_equal(learner.q != 5.0, changed)


def test_nothing_is_planned_before_anything_was_seen(agent, world):
    for name in ("dyna-q", "dyna-q-plus"):
        learner = agent(name, world, initial_value=5.0)
        learner.plan(100)
        np.testing.assert_array_equal(learner.q, 5.0)


def test_the_model_follows_a_world_that_changes(agent, steps_of, world):
    learner = agent("dyna-q", world, planning_updates=0, learning_rate=1.0)
    learner.update(steps_of((0, 1, 1.0, 3, False), (0, 1, 0.5, 2, True)))
    learner.q[:] = 7.0
    learner.plan(1)
    assert learner.q[0, 1] == 0.5


def test_updates_are_counted(agent):
    assert agent("dyna-q", planning_updates=7).learn(100).updates == 100 * (1 + 7)
