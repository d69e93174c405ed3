"""A saved model dreams on, bit by bit."""

import zipfile

import pytest
import torch

import zoo_core
from zoo_core.errors import ConfigError
from zoo_ensemble.world_model import MLP, Ensemble


def reward_by_position(obs, action, next_obs):
    return -next_obs[:, 0].abs()


def dream(model, steps=5):
    rng = zoo_core.rng(3)
    state, seen = model.initial_state(8, rng=rng), []
    with torch.no_grad():
        for _ in range(steps):
            imagined = model.step(state, torch.zeros(8, 1), rng=rng, uncertainty=True)
            state = imagined.state
            seen += [state.obs, imagined.reward, imagined.continues, *(imagined.uncertainty or {}).values()]
    return seen


def assert_same_dreams(first, second):
    assert all(torch.equal(a, b) for a, b in zip(dream(first), dream(second), strict=True))


@pytest.mark.parametrize("name", ["ensemble", "mlp"])
def test_a_loaded_model_dreams_the_same(tmp_path, linear_replay, model_for, name):
    model = model_for(linear_replay, name, max_epochs=2)
    model.fit(linear_replay, rng=zoo_core.rng(0))
    path = model.save(tmp_path / "model")
    assert_same_dreams(zoo_core.load_model(path, device="cpu"), model)


def test_a_loaded_model_learns_on_the_same(tmp_path, linear_replay, model_for):
    model = model_for(linear_replay, max_epochs=2)
    model.fit(linear_replay, rng=zoo_core.rng(0))
    loaded = zoo_core.load_model(model.save(tmp_path / "model"), device="cpu")
    for each in (model, loaded):
        each.fit(linear_replay, rng=zoo_core.rng(1), max_updates=3)
    assert_same_dreams(loaded, model)


def test_a_loaded_model_knows_whether_there_were_terminations(tmp_path, cartpole_replay, model_for):
    """Also a model into which other weights are loaded."""
    model = model_for(cartpole_replay)
    model.fit(cartpole_replay, rng=zoo_core.rng(0), max_updates=1)
    state, action = model.initial_state(8, rng=zoo_core.rng(0)), torch.zeros(8, dtype=torch.int64)
    with torch.no_grad():
        ended = model.step(state, action, rng=zoo_core.rng(0), temperature=0).continues
        loaded = zoo_core.load_model(model.save(tmp_path / "model"), device="cpu")
        assert torch.equal(loaded.step(state, action, rng=zoo_core.rng(0), temperature=0).continues, ended)
        loaded.load_state_dict(model_for(cartpole_replay).state_dict())
        assert (loaded.step(state, action, rng=zoo_core.rng(0), temperature=0).continues == 1.0).all()
    assert (ended < 1.0).all()


def test_a_function_that_a_plugin_brings_is_found_again(tmp_path, linear_replay, model_for):
    name = "zoo_envs.known_functions:mountain_car_continuous_reward"
    model = model_for(linear_replay, reward_fn=name)
    model.fit(linear_replay, rng=zoo_core.rng(0), max_updates=1)
    loaded = Ensemble.load(model.save(tmp_path / "model"), device="cpu")
    assert loaded.config.reward_fn == name
    assert_same_dreams(loaded, model)


def test_a_function_of_the_users_own_is_passed_again(tmp_path, linear_replay, model_for):
    model = model_for(linear_replay, reward_fn=reward_by_position)
    model.fit(linear_replay, rng=zoo_core.rng(0), max_updates=1)
    path = model.save(tmp_path / "model")
    with pytest.raises(ConfigError, match=r"reward_fn is the function .*reward_by_position.*pass it as an override"):
        zoo_core.load_model(path)
    assert_same_dreams(zoo_core.load_model(path, device="cpu", reward_fn=reward_by_position), model)


def test_the_file_holds_no_code(tmp_path, linear_replay, model_for):
    path = model_for(linear_replay).save(tmp_path / "model")
    assert zipfile.ZipFile(path).namelist() == ["zoo.json", "README.md", "tensors.safetensors"]


def test_a_file_of_the_other_model_is_refused(tmp_path, linear_replay, model_for):
    path = model_for(linear_replay).save(tmp_path / "model")
    with pytest.raises(zoo_core.CheckpointError, match=r"holds a zoo_ensemble.world_model:Ensemble, not a .*MLP"):
        MLP.load(path)
