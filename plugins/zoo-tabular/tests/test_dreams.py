"""Dreams of tables, in spaces that begin anywhere: environments of Gymnasium, in which SB3 learns."""

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3 import DQN

import zoo_core
from zoo_core import spaces as space_tools
from zoo_core.dream import DreamEnv, DreamVecEnv
from zoo_core.testing import check_dream_faces, check_world_model
from zoo_tabular.lookup import Lookup

PARTS = ("next_state", "probability", "reward", "terminated", "initial")
NAMES = ["lookup", "lookup-deterministic"]


def assert_same_tables(first, second):
    for name in PARTS:
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name), err_msg=name)


@pytest.mark.parametrize("name", NAMES)
def test_spaces_may_begin_elsewhere(shifted_lake, name):
    """The same steps in shifted spaces: the same table, and dreams in those spaces."""
    shifted = zoo_core.Replay.collect(shifted_lake(), 1_000, seed=0)
    steps = shifted.transitions()
    assert (steps.obs.min(), steps.action.min(), steps.action.max()) == (10, -2, 1)
    model = zoo_core.make_model(name, shifted.observation_space, shifted.action_space, device="cpu")
    model.fit(shifted, rng=zoo_core.rng(0))
    plain = zoo_core.make_model(name, gym.spaces.Discrete(16), gym.spaces.Discrete(4), device="cpu")
    columns = (steps.obs - 10, steps.action + 2, steps.reward.astype(float), steps.next_obs - 10, steps.terminated)
    plain.record(*columns)
    plain.begin(np.asarray(shifted.first_observations()) - 10)
    assert_same_tables(model.table(), plain.table())

    obs = np.array([10, 17, 25])
    state = model.observe(None, None, space_tools.to_tensor(model.observation_space, obs), None, rng=zoo_core.rng(0))
    assert state.index.tolist() == [0, 7, 15]
    np.testing.assert_array_equal(space_tools.to_numpy(model.observation_space, model.decode(state)), obs)

    dream = DreamEnv(model, horizon=20, seed=0)
    first, _ = dream.reset(seed=0)
    assert first == 10
    seen = set()
    for _ in range(200):
        obs, _, terminated, truncated, _ = dream.step(dream.action_space.sample())
        assert obs in shifted.observation_space
        seen.add(int(obs))
        if terminated or truncated:
            dream.reset()
    assert min(seen) == 10
    assert len(seen) > 4


def test_the_exact_model_of_a_shifted_lake_is_that_of_the_lake(shifted_lake, frozen_lake):
    model = Lookup.from_env(shifted_lake())
    np.testing.assert_allclose(model.table().transition_matrix(), frozen_lake.transition_matrix(), atol=1e-12)
    assert model.observation_space.start == 10


@pytest.mark.parametrize(
    ("name", "config"),
    [("lookup", None), ("lookup", {"outcomes": "expected"}), ("lookup-deterministic", None)],
    ids=["sampled", "expected", "deterministic"],
)
def test_the_contract_is_kept_where_spaces_begin_elsewhere(shifted_lake, name, config):
    replay = zoo_core.Replay.collect(shifted_lake(), 300, seed=0)
    check_world_model(
        lambda: zoo_core.make_model(name, replay.observation_space, replay.action_space, config, device="cpu"), replay
    )


def test_a_dream_of_expectations_is_an_environment_of_gymnasium_and_of_sb3():
    check_dream_faces(Lookup.from_env("FrozenLake-v1", {"outcomes": "expected"}))


def test_dqn_learns_in_a_dream_what_works_on_the_ice():
    """3,000 random steps reach the goal three times. A random policy does so in 1 of 70 episodes, and a DQN that has
    learned nothing walks in circles; in dreams of the table it learns the shortest way, 6 steps.
    """
    replay = zoo_core.Replay.collect("FrozenLake-v1", 3_000, seed=0, env_kwargs={"is_slippery": False})
    model = zoo_core.make_model("lookup", replay.observation_space, replay.action_space, device="cpu")
    model.fit(replay, rng=zoo_core.rng(0))
    learner = DQN(
        "MlpPolicy",
        DreamVecEnv(model, 16, horizon=30, seed=0),
        policy_kwargs={"net_arch": []},  # one-hot states: a linear Q is a table
        learning_rate=0.01,
        gamma=0.9,
        buffer_size=5_000,
        learning_starts=300,
        batch_size=64,
        train_freq=1,
        gradient_steps=2,
        target_update_interval=200,
        exploration_fraction=1.0,
        exploration_final_eps=0.5,
        seed=0,
        device="cpu",
    ).learn(5_000)
    env = gym.make("FrozenLake-v1", is_slippery=False)
    obs, _ = env.reset()
    for _ in range(6):
        obs, reward, terminated, _, _ = env.step(int(learner.predict(obs, deterministic=True)[0]))
    assert (reward, terminated) == (1, True)
