"""Pictures of dreams: the decoded image, the real environment's drawing, or a plot; never nothing."""

import gymnasium as gym
import numpy as np
import pytest
import torch

from zoo_core.dream import DreamEnv, DreamVecEnv, DreamVectorEnv
from zoo_core.dream.rendering import ObservationRenderer
from zoo_core.plugins import make_env
from zoo_core.testing import fakes
from zoo_core.testing.cases import model_cases


@pytest.mark.parametrize("observation", ["decoded", "latent"])
def test_every_model_shows_something(case, observation):
    if case.name in ("value-equivalent", "muzero-CartPole-v1"):  # which cannot decode
        observation = "latent"
    env = DreamEnv(case.model, render_mode="rgb_array", observation=observation, seed=0, **case.imagination)
    env.reset()
    env.step(env.action_space.sample())
    frame = env.render()
    env.close()
    assert frame.dtype == np.uint8
    assert frame.ndim == 3
    assert frame.shape[2] == 3
    assert min(frame.shape[:2]) >= 128
    assert frame.std() > 1.0


@pytest.mark.parametrize("env_id", ["Pendulum-v1", "CartPole-v1"])
def test_a_decoded_state_is_drawn_as_the_real_environment_draws_it(env_id, case_named):
    real = gym.make(env_id, render_mode="rgb_array")
    start, _ = real.reset(seed=0)
    env = DreamEnv(case_named(f"simulator-{env_id}").model, render_mode="rgb_array", seed=0)
    env.reset(options={"start": start})
    shown, wanted = env.render(), real.render()
    real.close()
    env.close()
    assert shown.shape == wanted.shape
    assert np.abs(shown.astype(int) - wanted).mean() < 0.5  # the angle is rounded to float32 on the way


@pytest.mark.parametrize("env_id", ["FrozenLake-v1", "CliffWalking-v1", "Taxi-v4", "zoo_envs/DynaMaze-v0"])
def test_a_place_in_a_table_is_drawn_as_the_real_environment_draws_it(env_id):
    real = make_env(env_id, render_mode="rgb_array")
    start, _ = real.reset(seed=0)
    model = fakes.LookupTable(real.observation_space, real.action_space)
    model.env_id = env_id
    env = DreamEnv(model, starts=lambda num, *, rng: model.observe(None, None, torch.full((num,), 0), None, rng=rng),
                   render_mode="rgb_array", seed=0)  # fmt: skip
    env.reset(options={"start": start})
    np.testing.assert_array_equal(env.render(), real.render())
    env.close()
    real.close()


def test_a_place_on_a_map_of_another_size_is_plotted():
    space = gym.spaces.Discrete(64)
    renderer = ObservationRenderer(space, "FrozenLake-v1")
    assert renderer.draw(5).shape == ObservationRenderer(space, None).draw(5).shape == (240, 320, 3)


def test_pixels_are_shown_as_they_are_enlarged(case_named):
    env = DreamEnv(case_named("rssm-pixels").model, render_mode="rgb_array", seed=0)
    obs, _ = env.reset()
    frame = env.render()
    assert frame.shape == (144, 144, 3)
    assert np.array_equal(frame[::4, ::4, 0], obs[..., 0])


def test_another_dream_is_another_picture(case_named):
    env = DreamVectorEnv(case_named("simulator-Pendulum-v1").model, 2, render_mode="rgb_array", seed=0)
    env.reset()
    first, second = env.render()
    env.close()
    assert not np.array_equal(first, second)


def test_the_sb3_face_tiles_its_dreams(case_named):
    env = DreamVecEnv(case_named("simulator-CartPole-v1").model, 2, render_mode="rgb_array", seed=0)
    env.reset()
    assert len(env.get_images()) == 2
    assert env.render().shape[2] == 3
    env.close()


def test_without_a_mode_there_is_no_picture(case_named):
    env = DreamEnv(case_named("kalman").model, seed=0)
    env.reset()
    assert env.render() is None


def test_a_picture_before_the_first_reset_is_refused(case_named):
    with pytest.raises(RuntimeError, match=r"call reset\(\) before render\(\)"):
        DreamEnv(case_named("kalman").model, render_mode="rgb_array").render()


def test_rendering_leaves_the_dream_alone(case_named):
    for case in model_cases():
        if case.name not in ("simulator-Pendulum-v1", "rssm", "lookup-table"):
            continue
        steps = []
        for draws in (False, True):
            env = DreamEnv(case.model, render_mode="rgb_array", seed=0)
            env.reset()
            env.action_space.seed(0)
            for _ in range(5):
                obs, *_ = env.step(env.action_space.sample())
                if draws:
                    env.render()
            env.close()
            steps.append(obs)
        assert np.array_equal(*steps)
