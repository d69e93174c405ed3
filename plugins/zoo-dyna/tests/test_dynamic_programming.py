"""Agents that solve a table: the world's own, or what they have counted of it."""

import numpy as np
import pytest

import zoo_core
from zoo_core.errors import ConfigError
from zoo_core.plugins import make_env
from zoo_tabular.dynamic_programming import policy_evaluation, value_iteration
from zoo_tabular.table import Table

SOLVERS = ("value-iteration", "policy-iteration")
WORLDS = ("FrozenLake-v1", "CliffWalking-v1", "Taxi-v4")


def greedy_value(learner, table):
    """Returns what its deterministic actions are truly worth, `[S]`."""
    actions, _ = learner.predict(np.arange(table.num_states), deterministic=True)
    return policy_evaluation(table, actions, learner.config.gamma)


@pytest.mark.parametrize("env_id", WORLDS)
@pytest.mark.parametrize("name", SOLVERS)
def test_a_table_that_is_known_is_acted_upon_optimally_from_the_first_step(agent, name, env_id):
    table = Table.from_env(env_id)
    learner = agent(name, env_id, model="exact").learn(1)
    best = value_iteration(table, learner.config.gamma)
    np.testing.assert_allclose(greedy_value(learner, table), best.value, atol=1e-8)
    np.testing.assert_allclose(learner.q, best.q, atol=1e-8)


@pytest.mark.parametrize("env_id", ["FrozenLake-v1", "Taxi-v4"])
def test_the_table_of_the_world_stays_as_it_is_while_steps_are_made(agent, env_id):
    """Not one is counted on top, of FrozenLake's three outcomes, or of the 300 states in which Taxi may begin."""
    table = Table.from_env(env_id).compact()
    learned = agent("value-iteration", env_id, model="exact").learn(500).model.table()
    for name in ("next_state", "probability", "reward", "terminated", "initial"):
        np.testing.assert_allclose(getattr(learned, name), getattr(table, name), rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("name", SOLVERS)
def test_what_was_counted_is_solved(agent, name):
    learner = agent(name, "FrozenLake-v1", explore_prob=1.0).learn(3_000)
    expected = value_iteration(learner.model.table(), learner.config.gamma).q
    np.testing.assert_allclose(learner.q, expected, atol=1e-8)
    assert expected.max() > 0.1


@pytest.mark.parametrize("name", SOLVERS)
def test_the_table_is_solved_once_a_round(agent, name):
    learner, solved = agent(name, "FrozenLake-v1", round_steps=40), []
    solve = learner.solve
    learner.solve = lambda *args: solved.append(learner.num_timesteps) or solve(*args)
    learner.learn(100)
    assert solved == [40, 80, 100]


def test_who_takes_the_unknown_for_good_finds_the_goal_sooner(agent):
    """Episode 1 takes 92 to 328 steps over five seeds; those who do not, 591 to 2,780."""

    def first_episode(seed, **config):
        learner = agent("value-iteration", seed=seed, **config)
        learner.learn(10**4, callback=lambda *_: learner.env.num_ended < 1)
        return learner.num_timesteps

    hopeful = [first_episode(seed, round_steps=10, model_config={"unseen_reward": 1.0}) for seed in range(5)]
    assert max(hopeful) <= 350
    assert np.mean([first_episode(seed) for seed in range(5)]) >= 800


@pytest.mark.parametrize("name", SOLVERS)
def test_a_replay_alone_is_enough(agent, name):
    replay = zoo_core.Replay.collect("FrozenLake-v1", 3_000, seed=0)
    learner = agent(name, "FrozenLake-v1")
    metrics = learner.learn_offline(replay)
    assert metrics["model/pairs_tried"] == 44  # all but those of the holes and the goal
    assert learner.num_timesteps == 0
    table = Table.from_env("FrozenLake-v1")
    best = value_iteration(table, learner.config.gamma).value[0]
    assert greedy_value(learner, table)[0] > 0.6 * best  # 0 for a table of nothing


def test_a_table_that_is_read_is_not_learned_from_a_replay(agent):
    replay = zoo_core.Replay.collect("FrozenLake-v1", 50, seed=0)
    with pytest.raises(ConfigError, match=r"model='exact' is read from the environment.*take 'lookup'"):
        agent("value-iteration", "FrozenLake-v1", model="exact").learn_offline(replay)


@pytest.mark.parametrize("name", SOLVERS)
def test_a_world_without_a_table_is_refused_before_the_first_step(agent, scripted, name):
    learner = agent(name, scripted([(0, 1.0, 1, "")] * 9), model="exact")
    with pytest.raises(TypeError, match=r"has no exact table, P and .*: learn one with the model 'lookup'"):
        learner.learn(5)
    assert learner.num_timesteps == 0


UNDISCOUNTED = {  # start, return of the best policy
    "lake": (make_env("FrozenLake-v1", is_slippery=False), 0, 1.0),
    "maze": (make_env("zoo_envs/DynaMaze-v0"), 18, 1.0),
    "cliff": (make_env("CliffWalking-v1"), 36, -13.0),
}


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize(("env", "start", "best"), UNDISCOUNTED.values(), ids=UNDISCOUNTED)
def test_undiscounted_it_arrives(agent, name, env, start, best):
    """To walk in circles is as good by Q: the first of the best actions never leaves the lake."""
    learner, table = agent(name, env, model="exact", gamma=1.0).learn(1), Table.from_env(env)
    assert learner.q[start].max() == pytest.approx(best)
    assert greedy_value(learner, table)[start] == pytest.approx(best)


@pytest.mark.parametrize("name", SOLVERS)
def test_a_saved_agent_still_arrives(agent, name, tmp_path):
    learner = agent(name, UNDISCOUNTED["lake"][0], model="exact", gamma=1.0).learn(1)
    loaded, states = zoo_core.load(learner.save(tmp_path / "lake")), np.arange(16)
    actions = loaded.predict(states, deterministic=True)[0]
    np.testing.assert_array_equal(actions, learner.predict(states, deterministic=True)[0])
    assert (actions != loaded.q.argmax(-1)).any()


@pytest.mark.parametrize("name", SOLVERS)
def test_hope_is_solved_near_a_discount_of_1(agent, name):
    """What was never tried promises 1 a step for ever."""
    learner = agent(name, "FrozenLake-v1", gamma=0.9999, model_config={"unseen_reward": 1.0}).learn(200)
    assert learner.q.max() == pytest.approx(10_000.0, rel=1e-9)


@pytest.mark.parametrize("name", SOLVERS)
def test_a_loaded_agent_without_an_environment_says_so(agent, name, tmp_path):
    path = agent(name, "FrozenLake-v1", model="exact").learn(1).save(tmp_path / "lake")
    with pytest.raises(ValueError, match=r"the agent has no environment, whose .*: pass one to load\(path, env"):
        zoo_core.load(path).learn(1)
    assert zoo_core.load(path, env="FrozenLake-v1").learn(1).num_timesteps == 1


def test_a_discount_by_which_nothing_has_a_value_is_named(agent):
    learner = agent("policy-iteration", "FrozenLake-v1", gamma=1.0)
    with pytest.raises(ConfigError, match=r"FrozenLake-v1 cannot be solved: .* never ends, .*: take gamma below 1"):
        learner.learn(10)


def test_a_wall_that_has_moved_is_seen_when_learning_goes_on(agent):
    env = make_env("zoo_envs/ShortcutMaze-v0", wall_moves_at=50)
    learner = agent("policy-iteration", env, model="exact").learn(50)
    start = int(np.argmax(env.unwrapped.initial_state_distrib))
    assert learner.q[start].max() == pytest.approx(0.95**15)
    assert learner.learn(1).q[start].max() == pytest.approx(0.95**9)


@pytest.mark.parametrize("name", ["value-iteration", "policy-iteration"])
def test_what_was_never_tried_is_explored_and_not_exploited(agent, steps_of, name):
    """Each step costs 1; what was never tried is thought to cost nothing and to lead back."""
    learner = agent(name, "CliffWalking-v1")
    learner.update(steps_of((36, 0, -1.0, 24, False), (24, 1, -1.0, 25, False)))
    learner._solve()
    assert learner.q[36].max() == 0.0 > learner.q[36, 0]
    assert [learner.predict(place, deterministic=True)[0] for place in (36, 24)] == [0, 1]
