"""Curiosity: what was long not tried promises more in planning, and nowhere else."""

import gymnasium as gym
import numpy as np
import pytest

from zoo_core.errors import ConfigError
from zoo_core.evaluation import evaluate
from zoo_core.plugins import make_env

BONUS = 0.25
AT_ONCE = {"gamma": 0.0, "learning_rate": 1.0, "bonus": BONUS, "planning_updates": 0}  # Q is what planning rewards
STEPS = (0, 1, 1.0, 3, False), (3, 2, 4.0, 0, False), (0, 0, 2.0, 3, True), (3, 0, 0.5, 0, False)


@pytest.fixture
def curious(agent, steps_of):
    """Makes an agent that has made STEPS in a world of six states and four actions."""

    def make(**config):
        learner = agent("dyna-q-plus", gym.make("FrozenLake-v1", desc=["SFF", "FFG"]), **{**AT_ONCE, **config})
        learner.update(steps_of(*STEPS))
        return learner

    return make


def planned(learner):
    """Returns Q after so many updates that every pair was met."""
    return planned_with(learner).q


def planned_with(learner):
    learner.plan(2_000)
    return learner


def test_planning_rewards_a_pair_by_the_root_of_the_steps_since_its_last_try(curious):
    q = planned(curious())
    expected = [1.0 + BONUS * 3**0.5, 4.0 + BONUS * 2**0.5, 2.0 + BONUS * 1**0.5, 0.5]
    assert [q[state, action] for state, action, *_ in STEPS] == pytest.approx(expected)


def test_a_pair_that_is_tried_again_promises_nothing_new(curious, steps_of):
    learner = curious()
    learner.update(steps_of(STEPS[0]))
    q = planned(learner)
    assert q[0, 1] == pytest.approx(1.0)
    assert q[3, 2] == pytest.approx(4.0 + BONUS * 3**0.5)


def test_actions_never_tried_lead_back_to_their_state(curious):
    """With γ = 0.9 and no bonus, they are worth 0.9 of the best there is."""
    q = planned(curious(gamma=0.9, bonus=0.0))
    best = q.max(-1)
    assert best[[0, 3]].min() > 2.0
    for state, untried in ((0, (2, 3)), (3, (1, 3))):
        assert q[state, untried] == pytest.approx(0.9 * best[state])


def test_actions_never_tried_are_as_old_as_the_run(curious):
    q = planned(curious())
    assert q[[0, 0, 3, 3], [2, 3, 1, 3]] == pytest.approx(BONUS * 4**0.5)


def test_a_state_never_seen_is_never_planned_from(curious):
    q = planned(curious(initial_value=3.0, gamma=0.9))
    np.testing.assert_array_equal(q[[1, 2, 4, 5]], 3.0)
    assert (q[[0, 3]] != 3.0).all()


def test_without_a_bonus_planning_has_the_rewards_of_the_world(curious):
    q = planned(curious(bonus=0.0))
    assert [q[state, action] for state, action, *_ in STEPS] == [1.0, 4.0, 2.0, 0.5]


def test_the_bonus_is_in_no_reward_that_the_model_holds(agent):
    learner = agent("dyna-q-plus", bonus=1.0).learn(500)
    table = learner.world_model.table()
    tried = learner.model.outcomes.count > 0.0
    assert learner.q.max() > 2.0  # more than the maze has to give
    np.testing.assert_array_equal(table.reward[tried], table.terminated[tried])  # 1 at the goal, else 0


def test_the_bonus_is_in_nothing_that_real_steps_teach(agent):
    plain = agent("q-learning", learning_rate=1.0).learn(3_000)
    curious = agent("dyna-q-plus", planning_updates=0, bonus=1.0).learn(3_000)
    assert plain.q.max() == 1.0
    np.testing.assert_array_equal(curious.q, plain.q)


def test_planning_again_promises_no_more(curious):
    learner = curious()
    once = planned(learner).copy()
    np.testing.assert_array_equal(planned(learner), once)


def returns(agent, name, maze, num_steps, **config):
    """Returns the sum of rewards, 1 for each episode, of three agents that plan 50 updates a step with α = 1."""
    learners = [
        agent(name, make_env(maze).unwrapped, seed, planning_updates=50, learning_rate=1.0, **config)
        for seed in range(3)
    ]
    return [learner.learn(num_steps).env.num_ended for learner in learners]


@pytest.mark.parametrize(
    ("maze", "num_steps", "bar"),
    [("zoo_envs/BlockingMaze-v0", 3_000, 100), ("zoo_envs/ShortcutMaze-v0", 6_000, 340)],
    ids=["blocking", "shortcut"],
)
def test_it_finds_out_that_a_wall_has_moved(agent, maze, num_steps, bar):
    """Figures 8.4 and 8.5. Of six seeds 158 to 167, and 357 to 367; dyna-q 19 to 141, and 231 to 319."""
    curious = returns(agent, "dyna-q-plus", maze, num_steps, bonus=1e-3)
    assert min(curious) >= bar
    assert max(returns(agent, "dyna-q", maze, num_steps)) < min(curious)


def test_asked_to_be_deterministic_it_takes_the_best_that_it_has_tried(curious):
    learner = planned_with(curious(gamma=0.5))
    values = learner.solve_what_was_tried().q
    assert [values[state, action] for state, action, *_ in STEPS] == pytest.approx([4.0, 6.0, 2.0, 2.5])
    assert np.isneginf(np.delete(values[0], [0, 1])).all()
    assert np.isneginf(np.delete(values[3], [0, 2])).all()
    assert [learner.predict(place, deterministic=True)[0] for place in (0, 3)] == [1, 2]


def test_what_was_not_tried_is_worth_nothing_to_one_that_is_deterministic(agent):
    """On the cliff every step costs 1 and never to have tried something seems free. Against sweeps over what was tried,
    in plain Python: after 150 steps the start is worth less than -7, and what was not tried would say more than -7.
    """
    learner = agent("dyna-q-plus", "CliffWalking-v1").learn(150)
    outcomes, tried, value = learner.model.outcomes, learner.memory.last_tried > 0, np.zeros(48)
    for _ in range(500):
        for state in np.flatnonzero(tried.any(-1)):
            value[state] = max(
                outcomes.reward[state, action, 0]
                + 0.95 * value[outcomes.next_state[state, action, 0]] * (not outcomes.terminated[state, action, 0])
                for action in np.flatnonzero(tried[state])
            )
    q = learner.solve_what_was_tried().q
    np.testing.assert_allclose(q.max(-1), value, atol=1e-8)
    assert value[36] < -7.0


def test_undiscounted_it_takes_the_way_to_the_goal_and_no_action_that_it_never_tried(agent):
    """By Q alone, the way in circles is as good."""
    learner = agent("dyna-q-plus", gamma=1.0, bonus=0.0).learn(500)
    tried = learner.memory.last_tried > 0
    seen = np.flatnonzero(tried.any(-1))
    assert tried[seen, learner.predict(seen, deterministic=True)[0]].all()
    assert not tried[seen].all()
    assert evaluate(learner, "zoo_envs/DynaMaze-v0", episodes=1).lengths == [14]


def test_a_discount_by_which_nothing_is_best_is_named(agent):
    learner = agent("dyna-q-plus", gamma=1.0, model_config={"unseen_reward": 1.0}).learn(20)
    with pytest.raises(
        ConfigError, match=r"DynaMaze-v0 cannot be solved: the values still .*: take a discount below 1"
    ):
        learner.predict(18, deterministic=True)


def test_what_it_has_learned_since_counts_when_it_is_deterministic(curious, steps_of):
    learner = planned_with(curious(gamma=0.0))
    assert learner.predict(3, deterministic=True)[0] == 2
    learner.update(steps_of((3, 0, 9.0, 0, False)))
    assert learner.predict(3, deterministic=True)[0] == 0


def test_one_that_has_stopped_learning_does_not_walk_in_circles_for_curiosity(agent):
    learner = agent("dyna-q-plus", "zoo_envs/ShortcutMaze-v0").learn(6_000)
    moved = {"position": 48, "life_steps": 6_000}
    assert evaluate(learner, "zoo_envs/ShortcutMaze-v0", episodes=1, env_state=moved).lengths == [10]
    learner.best_actions = lambda states: learner.q[states].argmax(-1)  # what it would do by its Q
    assert evaluate(learner, "zoo_envs/ShortcutMaze-v0", episodes=1, env_state=moved).lengths == [10_000]
