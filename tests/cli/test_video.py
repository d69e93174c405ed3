"""Films: what is in them, how large they are, and a dream beside its reality."""

from __future__ import annotations

from pathlib import Path

import gymnasium as gym
import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image, ImageSequence

import zoo_core
from zoo_core.acting import RandomPolicy
from zoo_core.errors import ZooError
from zoo_core.video import (
    MAX_BYTES,
    MAX_FRAMES,
    dream_and_reality,
    record,
    record_gif,
    side_by_side_gif,
    write_gif,
)

from .conftest import fitted


class Push:
    """Always acts alike, and notes what it sees."""

    def __init__(self, action: object) -> None:
        self.action, self.seen = np.asarray(action), []

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        self.seen.append((np.array(observation), state, bool(episode_start[0]), deterministic))
        return np.repeat(self.action[None], len(observation), axis=0), (state or 0) + 1


def flat(colour: tuple[int, int, int], height: int = 40, width: int = 60) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


def milliseconds(path: str) -> int:
    with Image.open(path) as film:
        return sum(frame.info["duration"] for frame in ImageSequence.Iterator(film))


RED, BLUE = (220, 30, 30), (30, 30, 220)


def test_a_film_is_one_episode_with_its_return():
    policy = Push(1)
    film = record(policy, gym.make("CartPole-v1", render_mode="rgb_array"), seed=3)
    assert film.length == len(policy.seen) == len(film.frames) - 1
    assert film.episode_return == film.length
    assert film.fps == 50
    assert film.frames[0].shape == (213, 320, 3)
    assert not np.array_equal(film.frames[0], film.frames[-1])


def test_the_policy_gets_a_batch_of_one_and_its_own_state():
    policy = Push(1)
    record(policy, gym.make("CartPole-v1", render_mode="rgb_array"), seed=3, deterministic=False)
    obs, states, starts, deterministic = zip(*policy.seen, strict=True)
    assert obs[0].shape == (1, 4)
    assert states[:3] == (None, 1, 2)
    assert starts[:3] == (True, False, False)
    assert not any(deterministic)


def test_a_film_ends_after_the_steps_it_may_have():
    env = gym.make("Pendulum-v1", render_mode="rgb_array")
    assert record(Push([0.0]), env, max_steps=7).length == 7


@pytest.mark.parametrize("env", ["Pictureless-v0", gym.make("CartPole-v1")])
def test_an_environment_without_pictures_says_so(env):
    class Pictureless(gym.Env):
        metadata = {"render_modes": []}  # noqa: RUF012
        observation_space, action_space = gym.spaces.Box(-1, 1, (1,)), gym.spaces.Discrete(2)

    gym.register("Pictureless-v0", Pictureless, disable_env_checker=True)
    try:
        with pytest.raises(ZooError, match="draws no pictures"):
            record_gif(Push(1), env, "x.gif")
    finally:
        del gym.registry["Pictureless-v0"]
    assert not Path("x.gif").exists()


def test_a_gif_plays_at_the_speed_of_the_environment():
    record_gif(Push(1), "CartPole-v1", "new/x.gif", seed=0, max_steps=5)
    assert milliseconds("new/x.gif") == 6 * 20


def test_a_long_gif_skips_frames_and_keeps_its_speed():
    frames = [flat((i % 256, i // 4, 0)) for i in range(2 * MAX_FRAMES)]
    write_gif(frames, "x.gif", fps=50)
    assert len(iio.imread("x.gif")) <= MAX_FRAMES
    assert milliseconds("x.gif") == 2 * MAX_FRAMES * 20


def test_a_gif_of_noise_stays_small():
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (320, 320, 3)).astype(np.uint8) for _ in range(20)]
    path = write_gif(frames, "x.gif")
    assert path.stat().st_size <= MAX_BYTES
    assert 4 <= len(iio.imread(path)) < 20


def test_a_gif_of_nothing_is_refused():
    with pytest.raises(ValueError, match="takes at least one frame, got none"):
        write_gif([], "x.gif")


def test_two_films_stand_side_by_side_under_their_labels():
    side_by_side_gif([flat(RED), flat((200, 30, 30))], [flat(BLUE)], "x.gif", ("left", "right"))
    frames = iio.imread("x.gif").astype(int)
    assert frames.shape == (2, 64, 124, 3)
    assert np.abs(frames[:, 30:, :60] - [[[RED]], [[(200, 30, 30)]]]).max() < 12
    assert np.abs(frames[:, 30:, 64:] - BLUE).max() < 12
    strip = frames[0, :24]
    assert strip[:, :60].min() < 100 < strip[:, :60].mean()
    assert not np.array_equal(strip[:, :60], strip[:, 64:])


def test_films_of_different_sizes_stand_side_by_side():
    side_by_side_gif([flat(RED, 100, 50)], [flat(BLUE, 700, 1400)], "x.gif")
    assert iio.imread("x.gif").shape == (1, 24 + 160, 50 + 4 + 320, 3)


def test_a_dream_and_its_reality_begin_at_the_same_observation():
    model = zoo_core.load_model(fitted("kalman", "Pendulum-v1", Path("model")))
    policy = Push([1.0])
    dream, reality = dream_and_reality(policy, model, "Pendulum-v1", steps=5, seed=4)
    assert (dream.length, reality.length) == (5, 5)
    firsts = [obs for obs, _, start, _ in policy.seen if start]
    expected, _ = gym.make("Pendulum-v1").reset(seed=4)
    np.testing.assert_allclose(firsts, [expected[None], expected[None]], atol=1e-6)


def test_a_latent_policy_sees_features_in_the_dream_and_in_reality():
    model = zoo_core.load_model(fitted("lab", "Pendulum-v1", Path("model")))
    policy = Push([1.0])
    dream_and_reality(policy, model, "Pendulum-v1", steps=3, seed=4, observation="latent")
    dreamt, real = (obs for obs, _, start, _ in policy.seen if start)
    assert dreamt.shape == real.shape == (1, 16)
    np.testing.assert_allclose(dreamt, real, atol=1e-6)


def test_reality_takes_arguments():
    model = zoo_core.load_model(fitted("kalman", "Pendulum-v1", Path("model")))
    films = [
        dream_and_reality(RandomPolicy(model.action_space), model, "Pendulum-v1", steps=9, seed=4, env_kwargs={"g": g})
        for g in (1.0, 15.0)
    ]
    assert films[0][0].episode_return == films[1][0].episode_return
    assert films[0][1].episode_return != films[1][1].episode_return
