"""What real steps teach, in numbers that can be checked by hand, and how actions are chosen."""

import numpy as np
import pytest
from stable_baselines3.common.vec_env import DummyVecEnv


def test_each_step_moves_q_towards_the_reward_and_what_follows(followed):
    """α = 0.5, γ = 0.9: Q(1) = 0.5 · 4 = 2, then Q(0) = 0.5 (1 + 0.9 · 2) = 1.4, then Q(1) = 2 + 0.5 (4 - 2) = 3."""
    agent = followed(
        "q-learning",
        [(1, 4.0, 2, "terminated")],
        [(0, 1.0, 1, ""), (1, 4.0, 2, "terminated")],
        learning_rate=0.5,
        gamma=0.9,
    )
    assert agent.q[:, 0] == pytest.approx([1.4, 3.0, 0.0, 0.0])


def test_nothing_flows_back_through_a_termination(followed, certain, name):
    """State 1 is worth 4, but where an episode ended in it, that is out of reach."""
    episodes = [(1, 4.0, 2, "terminated")], [(0, 1.0, 1, "terminated")], [(3, 0.0, 2, "terminated")]
    assert followed(name, *episodes, **certain(name)).q[:, 0] == pytest.approx([1.0, 4.0, 0.0, 0.0])


def test_value_flows_back_through_a_truncation(followed, certain, name):
    episodes = [(1, 4.0, 2, "terminated")], [(0, 1.0, 1, "truncated")], [(3, 0.0, 2, "terminated")]
    assert followed(name, *episodes, **certain(name)).q[:, 0] == pytest.approx([1.0 + 0.9 * 4.0, 4.0, 0.0, 0.0])


@pytest.mark.parametrize("name", ["dyna-q", "dyna-q-plus", "prioritized-sweeping", "value-iteration"])
def test_the_states_in_which_episodes_begin_are_counted(followed, name):
    """The first, and each that follows; the last step begins a fifth."""
    firsts = 3, 1, 3, 2
    agent = followed(name, *[[(first, 1.0, 0, "terminated")] for first in firsts])
    assert agent.model.start_count.tolist() == [0, 1, 1, 3]
    np.testing.assert_allclose(agent.model.table().initial, [0, 0.2, 0.2, 0.6])


def test_environments_teach_one_after_the_other(agent, scripted, certain, name):
    """One is truncated at each step, before the other has shown what the state that it ended in is worth."""
    envs = [
        lambda: scripted([(0, 1.0, 1, "truncated")]),
        lambda: scripted([(1, 4.0, 2, "terminated")], [(3, 2.0, 1, ""), (1, 4.0, 2, "terminated")]),
    ]
    learner = agent(name, DummyVecEnv(envs), **certain(name))
    learner.learn(2)
    assert learner.q[1, 0] == pytest.approx(4.0)
    learner.learn(4)
    assert learner.num_timesteps == 4
    assert learner.q[:, 0] == pytest.approx([1.0 + 0.9 * 4.0, 4.0, 0.0, 2.0 + 0.9 * 4.0])


def test_steps_taken_together_count_as_steps_one_after_the_other(agent, steps_of):
    steps = (0, 1, 1.0, 2, False), (2, 0, 3.0, 0, False), (0, 1, 5.0, 2, False)
    together, apart = (agent("q-learning", "FrozenLake-v1", learning_rate=0.5) for _ in range(2))
    together.update(steps_of(*steps))
    for step in steps:
        apart.update(steps_of(step))
    np.testing.assert_array_equal(together.q, apart.q)
    assert together.updates == apart.updates == 3


def test_equal_values_are_broken_at_random(agent):
    """The first of the best would hold an agent that knows nothing in a corner: figure 8.2 is lost with it."""
    learner = agent("q-learning", explore_prob=0.0)
    actions, _ = learner.predict(np.zeros(8_000, np.int64))
    np.testing.assert_allclose(np.bincount(actions) / 8_000, 0.25, atol=0.02)
    learner.q[5] = 1.0, 2.0, 0.0, 2.0
    actions, _ = learner.predict(np.full(8_000, 5))
    np.testing.assert_allclose(np.bincount(actions) / 8_000, [0.0, 0.5, 0.0, 0.5], atol=0.02)


def test_an_agent_explores_as_often_as_it_is_told(agent):
    learner = agent("q-learning", explore_prob=0.2)
    learner.q[:, 3] = 1.0
    actions, _ = learner.predict(np.zeros(8_000, np.int64))
    np.testing.assert_allclose(np.bincount(actions) / 8_000, [0.05, 0.05, 0.05, 0.85], atol=0.02)


def test_deterministic_actions_are_the_first_of_the_best(agent):
    learner = agent("q-learning", explore_prob=1.0)
    learner.q[5] = 1.0, 2.0, 0.0, 2.0
    np.testing.assert_array_equal(learner.predict(np.full(100, 5), deterministic=True)[0], 1)


@pytest.mark.parametrize("deterministic", [True, False])
def test_one_observation_gets_one_action_and_a_batch_a_batch(agent, deterministic, name):
    learner = agent(name)
    one, state = learner.predict(7, deterministic=deterministic)
    assert state is None
    assert np.ndim(one) == 0
    assert learner.action_space.contains(one)
    batch, _ = learner.predict(np.array([7, 8, 9]), deterministic=deterministic)
    assert batch.shape == (3,)
    assert batch.dtype == np.int64


def test_acting_in_between_changes_nothing_that_is_learned(agent, name):
    plain, watched = (agent(name, explore_prob=0.5) for _ in range(2))
    plain.learn(300)
    watched.learn(300, callback=lambda *_: watched.predict(np.arange(54)) is not None)
    np.testing.assert_array_equal(plain.q, watched.q)
