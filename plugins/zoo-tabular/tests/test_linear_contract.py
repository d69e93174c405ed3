"""The linear model as a world model: the contract, files, spaces and options."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces

import zoo_core
from zoo_core.errors import ConfigError, UnsupportedSpaceError
from zoo_core.testing import check_world_model
from zoo_tabular.linear import Linear

VECTOR = spaces.Box(-np.inf, np.inf, (3,), np.float32)
TORQUE = spaces.Box(-1, 1, (2,), np.float32)


def products(obs):
    return obs * obs[:, :1]


@pytest.fixture(scope="module")
def replays():
    return {
        name: zoo_core.Replay.collect(name, 400, seed=0) for name in ("Pendulum-v1", "CartPole-v1", "FrozenLake-v1")
    }


def fitted(replay, **config):
    model = Linear(replay.observation_space, replay.action_space, config)
    model.fit(replay, rng=zoo_core.rng(0))
    return model


def dream(model, steps=6):
    rng = zoo_core.rng(3)
    state, seen = model.initial_state(8, rng=rng), []
    for _ in range(steps):
        space = model.action_space
        action = torch.ones(8, *space.shape, dtype=torch.int64 if isinstance(space, spaces.Discrete) else torch.float32)
        imagined = model.step(state, action, rng=rng, uncertainty=True)
        state = imagined.state
        seen += [*state, imagined.reward, imagined.continues, *imagined.uncertainty.values()]
    return seen


def assert_same(first, second):
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("name", ["Pendulum-v1", "CartPole-v1", "FrozenLake-v1"])
def test_the_model_keeps_the_contract(replays, name):
    replay = replays[name]
    check_world_model(lambda: Linear(replay.observation_space, replay.action_space), replay)


def test_the_model_keeps_the_contract_with_extra_features(replays):
    replay = replays["CartPole-v1"]
    check_world_model(
        Linear(replay.observation_space, replay.action_space, {"features": "torch.nn.functional:relu"}), replay
    )


@pytest.mark.parametrize("temperature", [0.0, 0.5])
def test_nothing_is_drawn_at_any_temperature(replays, temperature):
    model = fitted(replays["CartPole-v1"])
    state, rng = model.initial_state(4, rng=zoo_core.rng(0)), zoo_core.rng(1)
    before = rng.get_state()
    hot, cold = (model.step(state, torch.ones(4, dtype=torch.int64), rng=rng, temperature=t) for t in (1, temperature))
    assert_same([*hot.state, hot.reward, hot.continues], [*cold.state, cold.reward, cold.continues])
    assert torch.equal(rng.get_state(), before)


@pytest.mark.parametrize("name", ["Pendulum-v1", "FrozenLake-v1"])
def test_a_loaded_model_dreams_the_same(tmp_path, replays, name):
    model = fitted(replays[name])
    assert_same(dream(model), dream(zoo_core.load_model(model.save(tmp_path / "model"), device="cpu")))


def test_a_function_of_the_users_own_is_passed_again(tmp_path, replays):
    model = fitted(replays["Pendulum-v1"], features=products)
    path = model.save(tmp_path / "model")
    with pytest.raises(ConfigError, match=r"features is the function .*products.*pass it as an override"):
        zoo_core.load_model(path)
    assert_same(dream(zoo_core.load_model(path, device="cpu", features=products)), dream(model))


def test_fitting_again_to_the_same_data_changes_nothing(replays):
    model = fitted(replays["Pendulum-v1"])
    first = dream(model)
    model.fit(replays["Pendulum-v1"], rng=zoo_core.rng(9))
    for a, b in zip(first, dream(model), strict=True):
        torch.testing.assert_close(a, b)


def test_data_with_fewer_steps_than_weights_is_enough(replays):
    model = fitted(zoo_core.Replay.collect("Pendulum-v1", 2, seed=0))
    assert all(each.isfinite().all() for each in dream(model, 50))


def test_columns_that_say_the_same_do_no_harm(replays):
    """A feature twice, one that is constant and one that is nil."""

    def repeated(obs):
        return torch.cat([obs, torch.ones_like(obs[:, :1]), torch.zeros_like(obs[:, :1])], 1)

    after = []
    for features in (None, repeated):
        model = fitted(replays["Pendulum-v1"], features=features)
        assert all(each.isfinite().all() for each in dream(model, 50))
        state = model.observe(None, None, torch.tensor([[1.0, 0.0, 0.5]]), None, rng=zoo_core.rng(0))
        after.append(model.decode(model.step(state, torch.ones(1, 1), rng=zoo_core.rng(0)).state))
    torch.testing.assert_close(*after, atol=1e-4, rtol=0)


def test_discrete_spaces_may_begin_anywhere():
    models = []
    for start in (0, -5):
        replay = zoo_core.Replay(spaces.Discrete(3, start=start), spaces.Discrete(2, start=start))
        no, obs = np.zeros(1, bool), np.array([start])
        for action, after in ((0, 1), (1, 2), (0, 0)):
            replay.add(obs, np.array([action + start]), np.ones(1), no, ~no, np.array([after + start]))
        models.append(fitted(replay))
    assert torch.equal(models[0].weights, models[1].weights)
    env = zoo_core.DreamEnv(models[1], horizon=3)
    env.reset(seed=0)
    assert env.step(-4)[0] == -3


def test_box_actions_may_have_several_dimensions():
    actions = spaces.Box(-np.inf, np.inf, (2, 2), np.float32)
    replay = zoo_core.Replay(VECTOR, actions)
    source, no = np.random.default_rng(0), np.zeros(1, bool)
    for _ in range(50):
        obs, action = source.standard_normal((1, 3)), source.standard_normal((1, 2, 2))
        replay.add(obs, action, action.sum((1, 2)), no, ~no, obs + action[:, 0, :1])
    model = fitted(replay)
    state = model.observe(None, None, torch.zeros(1, 3), None, rng=zoo_core.rng(0))
    after = model.step(state, torch.tensor([[[0.5, 0.1], [0.1, 0.1]]]), rng=zoo_core.rng(0))
    torch.testing.assert_close(model.decode(after.state), torch.full((1, 3), 0.5), atol=1e-5, rtol=0)
    assert float(after.reward) == pytest.approx(0.8, abs=1e-5)


@pytest.mark.parametrize(
    ("observation_space", "action_space", "message"),
    [
        (spaces.MultiDiscrete([2, 3]), TORQUE, "takes Box or Discrete observation spaces, got MultiDiscrete"),
        (spaces.Dict({"x": VECTOR}), TORQUE, "takes Box or Discrete observation spaces, got Dict"),
        (VECTOR, spaces.MultiDiscrete([2, 3]), "takes Box or Discrete action spaces, got MultiDiscrete"),
        (spaces.Box(0, 255, (8, 8, 3), np.uint8), TORQUE, "one dimension and floating point type.*images need another"),
        (spaces.Box(-1, 1, (2, 3), np.float32), TORQUE, "one dimension.*FlattenObservation"),
        (spaces.Discrete(4), TORQUE, "takes Discrete actions where observations are Discrete, got Box"),
        (spaces.Discrete(10_000), spaces.Discrete(4), "would have 800,040,000 weights.*the model 'lookup'"),
    ],
)
def test_a_space_that_is_not_taken_is_answered_with_those_that_are(observation_space, action_space, message):
    with pytest.raises(UnsupportedSpaceError, match=message):
        Linear(observation_space, action_space)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"ridge": 0.0}, r"ridge must be in \[1e-12, inf\), got 0.0"),
        ({"margin": -1.0}, r"margin must be in \[0.0, inf\), got -1.0"),
        ({"rigde": 1.0}, r"model 'linear': unknown setting 'rigde': did you mean 'ridge'\?"),
        ({"features": "zoo_envs.nowhere:f"}, "cannot find the function 'zoo_envs.nowhere:f'"),
    ],
)
def test_an_impossible_option_is_named_with_what_it_takes(config, message):
    with pytest.raises(ConfigError, match=message):
        zoo_core.make_model("linear", VECTOR, TORQUE, config)


def test_one_hot_states_take_no_extra_features():
    with pytest.raises(ConfigError, match="is one-hot, and complete: leave it out"):
        Linear(spaces.Discrete(3), spaces.Discrete(2), {"features": products})


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda obs: obs[:, 0], r"features must return a tensor \[1, number of features\], got \[1\]"),
        (lambda obs: obs.numpy(), "features must return a tensor .*, got ndarray"),
    ],
)
def test_extra_features_of_another_shape_are_refused(function, message):
    with pytest.raises(ValueError, match=message):
        Linear(VECTOR, TORQUE, {"features": function})


def test_a_known_reward_of_another_shape_is_refused(replays):
    model = fitted(replays["Pendulum-v1"], reward_fn=lambda obs, action, next_obs: obs)
    with pytest.raises(ValueError, match=r"reward_fn must return a tensor of shape \(8,\) for 8 rows, got \(8, 3\)"):
        dream(model)


def test_a_dream_is_a_gymnasium_environment_by_name(tmp_path, replays):
    path = fitted(replays["FrozenLake-v1"]).save(tmp_path / "lake")
    env = gym.make("zoo_core:Dream-v0", model=str(path), horizon=5)
    obs, _ = env.reset(seed=0)
    assert env.observation_space.contains(obs)
    assert env.observation_space.contains(env.step(2)[0])
