"""What makes a table: replays, steps as they happen, and environments that say how they work."""

import gymnasium as gym
import numpy as np
import pytest

import zoo_core
from zoo_core.dream import DreamEnv
from zoo_tabular.lookup import Lookup, LookupDeterministic
from zoo_tabular.table import Table

PARTS = ("next_state", "probability", "reward", "terminated", "initial")
NAMES = ["lookup", "lookup-deterministic"]


def assert_same_tables(first, second):
    for name in PARTS:
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name), err_msg=name)


@pytest.mark.parametrize("name", NAMES)
def test_a_table_is_made_of_the_frequencies_in_the_replay(frozen_replay, name):
    model = zoo_core.make_model(name, frozen_replay.observation_space, frozen_replay.action_space, device="cpu")
    metrics = model.fit(frozen_replay, rng=zoo_core.rng(0))
    steps = frozen_replay.transitions()
    if name == "lookup-deterministic":  # the last of each pair
        last = {(s, a): i for i, (s, a) in enumerate(zip(steps.obs, steps.action, strict=True))}
        rows = np.array(sorted(last.values()))
        steps = type(steps)(*(column[rows] for column in steps))
    matrix, reward = np.zeros((16, 4, 16)), np.zeros((16, 4))
    np.add.at(matrix, (steps.obs, steps.action, steps.next_obs), 1.0)
    np.add.at(reward, (steps.obs, steps.action), steps.reward)
    tries = matrix.sum(-1)
    table = model.table()
    tried = tries > 0
    np.testing.assert_allclose(table.transition_matrix()[tried], (matrix[tried] / tries[tried][:, None]), atol=1e-12)
    np.testing.assert_allclose(table.expected_reward()[tried], reward[tried] / tries[tried], atol=1e-12)
    assert metrics == {"pairs_tried": tried.sum(), "states_seen": tried.any(-1).sum()}
    assert 30 < tried.sum() < 64


@pytest.mark.parametrize("name", NAMES)
def test_recording_step_by_step_is_fitting(name):
    replay = zoo_core.Replay.collect("FrozenLake-v1", 500, seed=1)
    fitted, recorded = (
        zoo_core.make_model(name, replay.observation_space, replay.action_space, device="cpu") for _ in range(2)
    )
    fitted.fit(replay, rng=zoo_core.rng(0))
    for episode in replay.episodes():
        recorded.begin(episode.obs[:1])
        columns = (episode.obs[:-1], episode.action, episode.reward.astype(float), episode.obs[1:], episode.terminated)
        for i in range(len(episode.action)):
            recorded.record(*(column[i : i + 1] for column in columns))
    assert_same_tables(recorded.table(), fitted.table())
    for mine, theirs in zip(recorded.outcomes, fitted.outcomes, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("name", NAMES)
def test_fitting_again_changes_nothing(frozen_replay, name):
    model = zoo_core.make_model(name, frozen_replay.observation_space, frozen_replay.action_space, device="cpu")
    tables = []
    for _ in range(2):
        model.fit(frozen_replay, rng=zoo_core.rng(0))
        tables.append(model.table())
        assert model.outcomes.count.sum() == len(frozen_replay)
        assert model.start_count.sum() == len(frozen_replay.first_observations())
    assert_same_tables(*tables)


@pytest.mark.parametrize("name", NAMES)
def test_recording_says_whether_something_new_happened(known, steps_of, name):
    model = known((0, 0, 0.0, 1, False), name=name)
    assert not model.record(*steps_of((0, 0, 5.0, 1, False)))
    assert model.record(*steps_of((0, 0, 5.0, 2, False)))
    assert model.record(*steps_of((0, 0, 5.0, 1, False))) == (name == "lookup-deterministic")  # it had forgotten


def test_a_table_is_a_copy(known):
    model = known((0, 0, 1.0, 1, False))
    table = model.table()
    for name in PARTS:
        getattr(table, name)[:] = 0
    assert model.table().reward[0, 0, 0] == 1
    assert model.table().initial.tolist() == [1, 0, 0, 0]


def test_dreams_begin_where_episodes_began_and_as_often(known):
    model = known(begin=(2, 2, 2, 3))
    states = model.initial_state(10_000, rng=zoo_core.rng(0)).index
    assert set(states.tolist()) == {2, 3}
    assert (states == 2).double().mean() == pytest.approx(0.75, abs=0.015)
    np.testing.assert_array_equal(model.table().initial, [0, 0, 0.75, 0.25])


def test_nobody_knows_where_episodes_begin_before_one_has(known):
    model = known((0, 0, 1.0, 1, True), begin=())
    assert model.table().initial.tolist() == [0, 0, 0, 0]
    with pytest.raises(zoo_core.ZooError, match="Lookup has not seen an episode begin"):
        model.initial_state(1, rng=zoo_core.rng(0))


# -- exact models ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("env_id", ["FrozenLake-v1", "CliffWalkingSlippery-v1", "Taxi-v4"])
def test_the_exact_model_has_the_table_of_the_environment(env_id):
    model = Lookup.from_env(env_id)
    exact, table = Table.from_env(env_id), model.table()
    np.testing.assert_allclose(table.probability, exact.probability, atol=1e-15)
    for name in ("transition_matrix", "continuing_matrix", "expected_reward"):
        np.testing.assert_allclose(getattr(table, name)(), getattr(exact, name)(), atol=1e-12)
    np.testing.assert_array_equal(table.initial, exact.initial)
    assert model.env_id == env_id


def test_options_of_the_environment_and_the_model_are_passed_on():
    model = Lookup.from_env("FrozenLake-v1", {"outcomes": "expected"}, map_name="8x8", is_slippery=False)
    assert (model.num_states, model.config.outcomes) == (64, "expected")
    assert model.outcomes.next_state.shape[-1] == 1


def test_a_known_table_is_not_written_into(new_model, steps_of, frozen_lake):
    before = frozen_lake.probability.copy()
    model = new_model(num_states=16, num_actions=4)
    model.know(frozen_lake)
    model.record(*steps_of((0, 0, 5.0, 4, False)))
    np.testing.assert_array_equal(frozen_lake.probability, before)
    assert model.outcomes.count[0, 0].sum() == pytest.approx(2)


def test_counting_goes_on_from_a_known_table_with_gaps(new_model, steps_of, frozen_lake):
    """Room of probability 0 before an outcome: the next step of that outcome is counted to it."""
    loose = {name: np.flip(getattr(frozen_lake, name), -1) for name in PARTS[:4]}
    model = new_model(num_states=16, num_actions=4)
    model.know(Table(**loose, initial=frozen_lake.initial))
    model.record(*steps_of((0, 0, 0.0, 4, False)))  # of two outcomes in three places
    counts = dict(zip(model.outcomes.next_state[0, 0][:2], model.outcomes.count[0, 0], strict=False))
    assert counts == {0: pytest.approx(2 / 3), 4: pytest.approx(4 / 3)}
    assert model.outcomes.next_state.shape[-1] == 3


def test_the_deterministic_model_of_the_cliff_is_the_cliff():
    model, env = LookupDeterministic.from_env("CliffWalking-v1"), gym.make("CliffWalking-v1")
    dream = DreamEnv(model, horizon=10_000, seed=0)
    env.action_space.seed(0)
    ends = 0
    for _ in range(20):
        assert dream.reset()[0] == env.reset()[0] == 36
        for _ in range(50):
            action = env.action_space.sample()
            seen, real = dream.step(action), env.step(action)
            assert seen[:3] == real[:3]
            ends += real[1] == -100
            if real[2]:
                break
    assert ends > 10  # it fell


def test_the_deterministic_model_takes_a_table_with_room_to_spare(known, new_model):
    source = known((0, 0, 0.0, 1, False), (1, 1, 2.0, 2, True))
    table = source.table()
    wide = {name: np.concatenate([np.zeros_like(getattr(table, name)), getattr(table, name)], -1) for name in PARTS[:4]}
    model = new_model("lookup-deterministic")
    model.know(Table(**wide, initial=table.initial))
    assert_same_tables(model.table(), table)
