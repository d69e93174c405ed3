"""Dreams made through Gymnasium's registry: of a model, or of the path of a saved one."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.wrappers import RecordEpisodeStatistics

from zoo_core.dream import DreamEnv, DreamVecEnv, DreamVectorEnv
from zoo_core.errors import CheckpointError, UnknownNameError
from zoo_core.plugins import specs
from zoo_core.testing.cases import cases_of, model_cases
from zoo_core.testing.checks.expect import same

REGISTERED = [  # each model, and how it is shown; board games are dreamt in their own tests
    pytest.param(case, "decoded" if spec.decodes else "latent", id=str(case))
    for spec in specs("model")
    if spec.players == 1
    for case in cases_of(spec)
]


def rollout(env, steps=15):
    seen = [env.reset(seed=4)[0]]
    env.action_space.seed(4)
    for _ in range(steps):
        obs, reward, *_ = env.step(env.action_space.sample())
        seen.append((obs, reward))
    return seen


def test_make_takes_a_model(case_named):
    model = case_named("kalman").model
    env = gym.make("zoo_core:Dream-v0", model=model, horizon=9, observation="latent")
    assert isinstance(env.unwrapped, DreamEnv)
    assert env.unwrapped.model is model
    assert same(rollout(env), rollout(DreamEnv(model, 9, observation="latent")))


def test_make_vec_takes_a_model(case_named):
    env = gym.make_vec("zoo_core:Dream-v0", num_envs=3, model=case_named("kalman").model, horizon=9)
    assert isinstance(env.unwrapped, DreamVectorEnv)
    assert env.num_envs == 3
    assert same(rollout(env), rollout(DreamVectorEnv(case_named("kalman").model, 3, 9)))


def test_make_vec_can_be_told_to_take_penalties_and_the_reset_mode(case_named):
    env = gym.make_vec(
        "zoo_core:Dream-v0",
        num_envs=2,
        model=case_named("lookup-table").model,
        uncertainty_penalty=0.5,
        autoreset_mode="SameStep",
    )
    assert env.metadata["autoreset_mode"] is gym.vector.AutoresetMode.SAME_STEP
    assert env.unwrapped.imagination.uncertainty_penalty == 0.5


def test_gymnasiums_vector_wrappers_go_around_it(case_named):
    env = gym.wrappers.vector.RecordEpisodeStatistics(DreamVectorEnv(case_named("kalman").model, 2, horizon=5, seed=0))
    env.reset()
    infos = [env.step(env.action_space.sample())[-1] for _ in range(5)]
    assert infos[-1]["episode"]["l"].tolist() == [5, 5]


def test_gymnasiums_wrappers_go_around_it(case_named):
    env = RecordEpisodeStatistics(gym.make("zoo_core:Dream-v0", model=case_named("kalman").model, horizon=5))
    env.reset(seed=0)
    info = [env.step(env.action_space.sample())[-1] for _ in range(5)][-1]
    assert info["episode"]["l"] == 5
    assert info["dream/truncation"] == "horizon"


@pytest.mark.parametrize(("case", "observation"), REGISTERED)
def test_a_dream_is_made_from_the_path_of_a_registered_model(case, observation, tmp_path):
    path = str(case.model.save(tmp_path / "model"))
    env = gym.make("zoo_core:Dream-v0", model=path, horizon=9, observation=observation)
    assert same(rollout(env), rollout(DreamEnv(case.model, 9, observation=observation)))
    vector = gym.make_vec("zoo_core:Dream-v0", num_envs=2, model=path, observation=observation)
    assert vector.reset(seed=0)[0].shape == DreamVecEnv(path, 2, observation=observation).reset().shape


def test_every_registered_model_is_under_test():
    tested = {case.name for case in model_cases()}
    alone = [spec.id for spec in specs("model") if spec.players == 1]
    assert all(any(name.startswith(f"{each}-") for name in tested) for each in alone)


def test_a_path_where_nothing_is(tmp_path):
    with pytest.raises(FileNotFoundError, match="no saved model or agent at"):
        gym.make("zoo_core:Dream-v0", model=str(tmp_path / "nothing"))


def test_a_file_that_is_no_model(tmp_path):
    (tmp_path / "model.zip").write_bytes(b"PK not quite")
    with pytest.raises(CheckpointError, match="is damaged or was not written by the zoo"):
        DreamEnv(str(tmp_path / "model"))


def test_a_model_whose_plugin_is_not_installed(case_named, tmp_path):
    path = case_named("kalman").model.save(tmp_path / "model")
    with pytest.raises(UnknownNameError, match=r"no .*plugin registers the model class"):
        DreamVecEnv(str(path))


def test_spaces_of_a_dream_are_its_own(case_named):
    model = case_named("dict").model
    env = DreamEnv(model)
    env.observation_space.spaces["place"].low[:] = -7
    env.action_space.seed(0)
    assert model.observation_space["place"].low[0] == 0.0


def test_observations_keep_dtype_and_layout(case_named):
    pixels = DreamVecEnv(case_named("rssm-pixels").model, 2, seed=0).reset()
    assert (pixels.dtype, pixels.shape) == (np.uint8, (2, 36, 36, 1))
    parts = DreamVecEnv(case_named("dict").model, 2, seed=0).reset()
    assert {key: (part.dtype, part.shape) for key, part in parts.items()} == {
        "place": (np.float32, (2, 1)),
        "past_middle": (np.int64, (2,)),
    }
