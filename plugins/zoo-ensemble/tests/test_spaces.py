"""Which spaces and which options the models take, and what they say to others."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces

import zoo_core
from zoo_core.errors import ConfigError, UnknownNameError, UnsupportedSpaceError
from zoo_ensemble.config import EnsembleConfig
from zoo_ensemble.world_model import MLP, Ensemble

VECTOR = spaces.Box(-np.inf, np.inf, (3,), np.float32)
ACTION = spaces.Box(-1, 1, (2,), np.float32)


@pytest.mark.parametrize("name", ["ensemble", "mlp"])
@pytest.mark.parametrize(
    ("observation_space", "message"),
    [
        (
            spaces.Box(0, 255, (8, 8, 3), np.uint8),
            "Box observations of one dimension and floating point type.*FlattenObs",
        ),
        (spaces.Box(-1, 1, (2, 3), np.float32), "Box observations of one dimension"),
        (spaces.Box(0, 9, (3,), np.int64), "floating point type"),
        (spaces.Dict({"x": VECTOR}), f"model '{{}}' takes Box observation spaces, got {'Dict'}"),
        (spaces.Discrete(4), "takes Box observation spaces, got Discrete"),
    ],
)
def test_an_observation_space_that_is_not_taken_is_answered_with_those_that_are(name, observation_space, message):
    with pytest.raises(UnsupportedSpaceError, match=message.format(name)):
        zoo_core.make_model(name, observation_space, ACTION)


@pytest.mark.parametrize("model_class", [Ensemble, MLP])
def test_the_classes_refuse_what_the_registry_refuses(model_class):
    with pytest.raises(UnsupportedSpaceError, match="takes Box observation spaces, got Dict"):
        model_class(spaces.Dict({"x": VECTOR}), ACTION)
    with pytest.raises(UnsupportedSpaceError, match="takes Box or Discrete action spaces, got MultiBinary"):
        model_class(VECTOR, spaces.MultiBinary(2))


@pytest.mark.parametrize("action_space", [spaces.MultiDiscrete([2, 3]), spaces.MultiBinary(2)])
def test_an_action_space_that_is_not_taken_is_answered_with_those_that_are(action_space):
    with pytest.raises(UnsupportedSpaceError, match="model 'ensemble' takes Box or Discrete action spaces, got Multi"):
        zoo_core.make_model("ensemble", VECTOR, action_space)


def test_discrete_actions_may_begin_anywhere(replay_of, model_for):
    """The same data with actions -1, 0, 1 and 0, 1, 2 makes the same model, whose dreams take either."""
    source = np.random.default_rng(0)
    obs, action = source.standard_normal((100, 3)), source.integers(0, 3, 100)
    models = []
    for start in (0, -1):
        space = spaces.Discrete(3, start=start)
        replay = replay_of(obs, action + start, obs[:, 0], obs + action[:, None], action_space=space)
        model = model_for(replay, max_epochs=2)
        model.fit(replay, rng=zoo_core.rng(0))
        models.append(model)
    first, second = (model.network.layers[0].weight for model in models)
    assert torch.equal(first, second)
    dreams = [zoo_core.DreamVecEnv(model, 4, seed=0) for model in models]
    for dream in dreams:
        dream.reset()
    seen = [dream.step(np.full(4, 2 + start))[0] for dream, start in zip(dreams, (0, -1), strict=True)]
    np.testing.assert_array_equal(*seen)
    with pytest.raises(ValueError, match="-1"):
        dreams[0].step(np.full(4, -1))


def test_observations_and_actions_may_be_float64(replay_of, model_for):
    source = np.random.default_rng(0)
    obs, action = source.standard_normal((100, 3)), source.uniform(-1, 1, (100, 2))
    replay = replay_of(
        obs, action, obs[:, 0], 0.9 * obs, action_space=spaces.Box(-1, 1, (2,), np.float64), dtype=np.float64
    )
    model = model_for(replay, max_epochs=1)
    model.fit(replay, rng=zoo_core.rng(0))
    dream = zoo_core.DreamVecEnv(model, 4, seed=0)
    assert dream.reset().dtype == np.float64
    seen, reward, _, _ = dream.step(np.zeros((4, 2)))
    assert (seen.dtype, reward.dtype) == (np.float64, np.float32)
    assert all(row in dream.observation_space for row in seen)


def test_box_actions_may_have_several_dimensions_and_no_limits(replay_of, model_for):
    source = np.random.default_rng(0)
    obs, action = source.standard_normal((50, 3)), source.standard_normal((50, 2, 2))
    space = spaces.Box(-np.inf, np.inf, (2, 2), np.float32)
    replay = replay_of(obs, action, obs[:, 0], obs, action_space=space)
    model = model_for(replay, max_epochs=1)
    model.fit(replay, rng=zoo_core.rng(0))
    dream = zoo_core.DreamVecEnv(model, 4, seed=0)
    dream.reset()
    assert np.isfinite(dream.step(np.ones((4, 2, 2), np.float32))[0]).all()


@pytest.mark.parametrize(
    ("name", "config", "message"),
    [
        ("ensemble", {"hiden": 5}, r"model 'ensemble': unknown setting 'hiden': did you mean 'hidden'\?"),
        ("ensemble", {"hidden": "wide"}, "hidden must be an integer, got 'wide'"),
        ("ensemble", {"hidden": 0}, r"hidden must be in \[1, inf\), got 0"),
        ("ensemble", {"num_layers": 0}, r"num_layers must be in \[1, 64\], got 0"),
        ("ensemble", {"num_elites": 6}, r"num_elites must be in \[1, 5\], got 6"),
        ("ensemble", {"num_members": 0}, r"num_members must be in \[1, inf\), got 0"),
        ("ensemble", {"learning_rate": 0.0}, r"learning_rate must be in \(0.0, inf\), got 0.0"),
        ("ensemble", {"weight_decay": -1}, r"weight_decay must be in \[0.0, inf\), got -1"),
        ("ensemble", {"holdout": 0.0}, r"holdout must be in \(0.0, 0.5\], got 0.0"),
        ("ensemble", {"margin": float("nan")}, r"margin must be in \[0.0, inf\), got nan"),
        ("ensemble", {"bound_weight": -0.1}, r"bound_weight must be in \[0.0, inf\), got -0.1"),
        ("ensemble", {"batch_size": 0}, r"batch_size must be in \[1, inf\), got 0"),
        ("ensemble", {"patience": 0}, r"patience must be in \[1, inf\), got 0"),
        ("ensemble", {"bootstrap": 2}, "bootstrap must be true or false, got 2"),
        ("ensemble", {"reward_fn": "zoo_envs.nowhere:f"}, "cannot find the function 'zoo_envs.nowhere:f'"),
        ("ensemble", {"reward_fn": 3}, "reward_fn must be .*function.*, got 3"),
        ("mlp", {"num_members": 3}, "unknown setting 'num_members'"),
    ],
)
def test_an_impossible_option_is_named_with_what_it_takes(name, config, message):
    with pytest.raises(ConfigError, match=message):
        zoo_core.make_model(name, VECTOR, ACTION, config)


def test_a_misspelt_model_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match=r"did you mean 'ensemble'\?"):
        zoo_core.make_model("ensembl", VECTOR, ACTION)


def test_a_complete_config_may_be_passed():
    model = zoo_core.make_model("ensemble", VECTOR, ACTION, EnsembleConfig(hidden=7, num_members=2, num_elites=1))
    assert model.network.layers[0].weight.shape == (2, 5, 7)


def test_a_dream_before_the_first_fit_is_refused():
    model = zoo_core.make_model("ensemble", VECTOR, ACTION, {"hidden": 8})
    with pytest.raises(zoo_core.ZooError, match=r"call fit\(replay, rng=...\) first"):
        zoo_core.DreamVecEnv(model, 2)


def test_what_a_dream_shows_lies_in_the_space_of_the_environment():
    env = gym.make("Pendulum-v1")
    replay = zoo_core.Replay.collect(env, 100, seed=0)
    model = zoo_core.make_model("mlp", env.observation_space, env.action_space, {"hidden": 8, "max_epochs": 1})
    model.fit(replay, rng=zoo_core.rng(0))
    dream = zoo_core.DreamVecEnv(model, 8, seed=0)
    dream.reset()
    for _ in range(20):
        obs = dream.step(np.full((8, 1), 2.0, np.float32))[0]
        assert all(row in env.observation_space for row in obs)
