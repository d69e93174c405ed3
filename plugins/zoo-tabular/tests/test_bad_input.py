"""What a user gets wrong is answered with what to do."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces

import zoo_core
from zoo_core.dream import DreamEnv
from zoo_core.errors import ConfigError, UnsupportedSpaceError
from zoo_tabular import lookup
from zoo_tabular.config import LookupConfig
from zoo_tabular.lookup import Lookup, LookupDeterministic

NAMES = ["lookup", "lookup-deterministic"]
BOX, PLACES, MOVES = spaces.Box(-1, 1, (3,)), spaces.Discrete(4), spaces.Discrete(2)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("observation_space", "action_space", "what", "got"),
    [
        (BOX, MOVES, "observation", "Box"),
        (PLACES, BOX, "action", "Box"),
        (spaces.MultiDiscrete([2, 2]), MOVES, "observation", "MultiDiscrete"),
        (spaces.Dict({"x": PLACES}), MOVES, "observation", "Dict"),
    ],
)
def test_spaces_that_cannot_be_counted_are_refused(name, observation_space, action_space, what, got):
    with pytest.raises(UnsupportedSpaceError, match=f"model '{name}' takes Discrete {what} spaces, got {got}"):
        zoo_core.make_model(name, observation_space, action_space)
    model_class = {"lookup": Lookup, "lookup-deterministic": LookupDeterministic}[name]
    with pytest.raises(UnsupportedSpaceError, match=f"{model_class.__name__} takes Discrete {what} spaces, got {got}"):
        model_class(observation_space, action_space)


def test_vector_observations_are_answered_with_the_models_that_take_them():
    env = gym.make("CartPole-v1")
    with pytest.raises(UnsupportedSpaceError, match=r"'lookup' takes Discrete .*models that take it: .*linear"):
        zoo_core.make_model("lookup", env.observation_space, env.action_space)


def test_a_table_of_too_many_pairs_is_refused():
    with pytest.raises(UnsupportedSpaceError, match="at most 4,194,304 of them, got 2,097,153 states and 2 actions"):
        Lookup(spaces.Discrete(2**21 + 1), MOVES)


def test_the_largest_table_is_made():
    assert lookup.num_pairs(spaces.Discrete(2**21), MOVES, who="a test") == (2**21, 2)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("unseen_reward", [float("nan"), float("inf"), float("-inf")])
def test_the_reward_of_the_unseen_is_a_number(name, unseen_reward):
    with pytest.raises(ConfigError, match=rf"unseen_reward must be in \(-inf, inf\), got {unseen_reward}"):
        zoo_core.make_model(name, PLACES, MOVES, {"unseen_reward": unseen_reward})


def test_misspelt_outcomes_are_answered_with_the_right_ones():
    with pytest.raises(ConfigError, match="outcomes has no choice 'expectd': did you mean 'expected'"):
        zoo_core.make_model("lookup", PLACES, MOVES, {"outcomes": "expectd"})
    with pytest.raises(ConfigError, match="lookup-deterministic': unknown setting 'outcomes'"):
        zoo_core.make_model("lookup-deterministic", PLACES, MOVES, {"outcomes": "expected"})
    assert LookupConfig().outcomes == "sampled"


# -- observations ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcomes", ["sampled", "expected"])
@pytest.mark.parametrize(("obs", "named"), [(4, 14), (-1, 9)])
def test_an_observation_outside_the_space_is_named_as_the_space_has_it(outcomes, obs, named):
    model = Lookup(spaces.Discrete(4, start=10), MOVES, {"outcomes": outcomes})
    with pytest.raises(ValueError, match=rf"observations must be in Discrete\(4, start=10\), got {named}"):
        model.observe(None, None, torch.tensor([0, obs]), None, rng=zoo_core.rng(0))


def test_a_dream_that_is_to_begin_outside_the_space_is_refused(known):
    dream = DreamEnv(known((0, 0, 1.0, 1, False)), horizon=5)
    assert dream.reset(options={"start": 3})[0] == 3
    with pytest.raises(ValueError, match=r"observations must be in Discrete\(4\), got 7"):
        dream.reset(options={"start": 7})


def replay_with(**wrong):
    """Returns a replay of one step of a world of 4 places, but for what is wrong with it."""
    replay = zoo_core.Replay(PLACES, MOVES)
    step = {"obs": 0, "action": 0, "next_obs": 1, **wrong}
    false = np.zeros(1, bool)
    replay.add(*(np.array([step[name]]) for name in ("obs", "action")), np.ones(1), ~false, false, [step["next_obs"]])
    return replay


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"obs": 4}, r"observations must be in Discrete\(4\), got 4"),
        ({"next_obs": 4}, r"observations must be in Discrete\(4\), got 4"),
        ({"next_obs": -1}, r"observations must be in Discrete\(4\), got -1"),
        ({"action": 2}, "4 states with 2 actions, counted from 0, got one from state 0 by action 2 to state 1"),
        ({"action": -1}, "got one from state 0 by action -1 to state 1"),
    ],
)
def test_a_replay_of_another_world_is_refused_and_what_is_known_stays(known, name, wrong, message):
    model = known((0, 0, 5.0, 1, False), name=name)
    with pytest.raises(ValueError, match=message):
        model.fit(replay_with(**wrong), rng=zoo_core.rng(0))
    assert model.table().reward[0, 0, 0] == 5
    assert model.initial_state(3, rng=zoo_core.rng(0)).index.tolist() == [0, 0, 0]


def test_an_empty_replay_is_refused(new_model):
    with pytest.raises(ValueError, match="the replay is empty"):
        new_model().fit(zoo_core.Replay(PLACES, MOVES), rng=zoo_core.rng(0))


@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_step_outside_the_spaces_is_refused(known, steps_of, name):
    model = known((0, 0, 5.0, 1, False), name=name)
    with pytest.raises(ValueError, match="got one from state 9 by action 0 to state 1"):
        model.record(*steps_of((0, 1, 1.0, 1, False), (9, 0, 1.0, 1, False)))
    assert model.outcomes.count.sum() == 1


@pytest.mark.parametrize("state", [4, -1])
def test_an_episode_that_began_outside_the_space_is_refused(new_model, state):
    with pytest.raises(ValueError, match=rf"observations must be in Discrete\(4\), got {state}"):
        new_model().begin(np.array([0, state]))


def test_recording_on_another_device_than_the_cpu_is_refused(known, steps_of, monkeypatch):
    """What is counted there would be counted into a copy, and lost."""
    model = known((0, 0, 5.0, 1, False))
    monkeypatch.setattr(Lookup, "device", torch.device("cuda"))
    with pytest.raises(ValueError, match=r"on a CPU, and the model is on cuda: call model.to\(\"cpu\"\)"):
        model.record(*steps_of((0, 0, 5.0, 1, False)))


# -- known tables ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model_class", [Lookup, LookupDeterministic])
def test_an_environment_without_a_table_is_named(model_class):
    with pytest.raises(
        UnsupportedSpaceError, match=f"{model_class.__name__} takes Discrete observation spaces, got Box"
    ):
        model_class.from_env("CartPole-v1")
    env = gym.wrappers.TransformObservation(gym.make("CartPole-v1"), lambda obs: 0, PLACES)
    with pytest.raises(TypeError, match=r"CartPole-v1 has no exact table.*learn one with the model 'lookup'"):
        model_class.from_env(env)


def test_a_slippery_world_has_no_deterministic_model():
    with pytest.raises(ValueError, match="pairs with several outcomes: take the model 'lookup'"):
        LookupDeterministic.from_env("FrozenLake-v1")


@pytest.mark.parametrize("name", NAMES)
def test_a_table_of_another_size_is_refused(new_model, random_table, name):
    with pytest.raises(ValueError, match="the table has 5 states and 2 actions, the spaces 4 and 2"):
        new_model(name).know(random_table(0, num_states=5, num_outcomes=1))
