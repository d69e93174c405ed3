"""Predictions k steps ahead, against numbers counted by hand and a loop over single starts."""

import gymnasium as gym
import numpy as np
import pytest
import torch

import zoo_core
from zoo_core import seeding, spaces
from zoo_core.acting import as_vec_env
from zoo_core.reality_gap.calibration import NUM_SAMPLES, sample_steps
from zoo_core.reality_gap.episodes import Episodes, collect_episodes, filter_episodes
from zoo_core.reality_gap.open_loop import compare, latent_drift, open_loop, step_counts
from zoo_core.reality_gap.yardstick import Yardstick
from zoo_core.testing.cases import model_cases
from zoo_core.testing.fakes import Corridor

from .conftest import CountingModel, LineModel, balance, line, ramp, still

RNG = seeding.rng(0)
CASES = {case.name: case for case in model_cases()}


def measure(model, real, starts=None):
    filtered = filter_episodes(model, real, rng=RNG)
    starts = np.arange(len(filtered.time)) if starts is None else starts
    yardstick = Yardstick(model.observation_space, real.all_obs())
    return open_loop(model, real, filtered, starts, yardstick, rng=RNG)


def test_steps_ahead_are_ones_twos_and_fives():
    assert step_counts(200) == (1, 2, 5, 10, 20, 50, 100, 200)
    assert step_counts(49) == (1, 2, 5, 10, 20)
    assert step_counts(1) == (1,)


def test_no_window_crosses_the_end_of_an_episode():
    found = measure(CountingModel(), ramp(3, 7))
    assert found.steps == (1, 2, 5)
    assert found.windows == (3 + 7, 2 + 6, 3)


def test_the_final_observation_is_compared():
    assert measure(CountingModel(), ramp(2)).windows == (2, 1)


def test_k_steps_are_compared_with_the_observation_k_steps_later():
    real = ramp(3, 7)
    found = measure(CountingModel(), real)
    std = real.all_obs().std()
    [curve] = found.errors
    assert curve.model == pytest.approx((0, 0, 0), abs=1e-6)
    assert curve.copy_last == pytest.approx((1 / std, 2 / std, 5 / std), rel=1e-5)
    assert found.reward_rmse == (0, 0, 0)
    assert found.reward_std == pytest.approx(
        [np.std([*range(1, 4), *range(101, 108)]), np.std([2, 3, *range(102, 108)]), np.std([105, 106, 107])]
    )


def test_the_mean_of_the_data_errs_by_one_deviation():
    [curve] = measure(CountingModel(), ramp(400)).errors
    assert curve.mean[0] == pytest.approx(1, abs=0.01)


def test_starts_are_spread_and_hold_every_first_step():
    filtered = filter_episodes(CountingModel(), ramp(30, 4, 50), rng=RNG)
    chosen = filtered.spread(20)
    assert 20 <= len(chosen) <= 22
    assert set(filtered.episode[chosen][filtered.time[chosen] == 0]) == {0, 1, 2}
    assert np.array_equal(filtered.spread(1_000), np.arange(84))


def test_batches_predict_what_single_starts_predict():
    """A loop over starts, filtering and stepping one row at a time, through a recurrent model."""
    model = CASES["mdn-rnn"].model
    env = as_vec_env("CartPole-v1", num_envs=3)
    real = collect_episodes(lambda _: balance(), env, model, episodes=3, horizon=30, seed=5, deterministic=True)
    found = measure(model, real)
    yardstick = Yardstick(model.observation_space, real.all_obs())
    for place, k in enumerate(found.steps):
        errors, rewards = zip(*list(single_errors(model, real, yardstick, k)), strict=True)
        assert found.windows[place] == len(errors)
        assert found.errors[0].model[place] == pytest.approx(np.sqrt(np.mean(np.square(errors))), rel=1e-4)
        assert found.reward_rmse[place] == pytest.approx(np.sqrt(np.mean(np.square(rewards))), rel=1e-4)


def test_features_are_of_beliefs_filtered_up_to_the_final_observation():
    model = CASES["mdn-rnn"].model
    env = as_vec_env("CartPole-v1", num_envs=3)
    real = collect_episodes(lambda _: balance(), env, model, episodes=3, horizon=50, seed=5, deterministic=True)
    filtered = filter_episodes(model, real, rng=RNG)
    assert len(set(real.length)) > 1
    for e, length in enumerate(real.length):
        obs = spaces.to_tensor(model.observation_space, real.obs[e])
        action = spaces.to_tensor(model.action_space, real.action[e])
        belief = model.observe(None, None, obs[:1], None, rng=RNG)
        for t in range(length):
            belief = model.observe(belief, action[t : t + 1], obs[t + 1 : t + 2], torch.tensor([False]), rng=RNG)
            np.testing.assert_allclose(filtered.features[e, t + 1], model.features(belief)[0].detach(), atol=1e-5)


@torch.no_grad()
def single_errors(model, real: Episodes, yardstick, k):
    space = model.observation_space
    for e, length in enumerate(real.length):
        obs = spaces.to_tensor(space, real.obs[e])
        action = spaces.to_tensor(model.action_space, real.action[e])
        belief = None
        for t in range(length - k + 1):
            first = torch.tensor([t == 0])
            belief = model.observe(
                belief, action[t - 1 : t] if t else None, obs[t : t + 1], first if t else None, rng=RNG
            )
            state = belief
            for j in range(k):
                step = model.step(state, action[t + j : t + j + 1], rng=RNG, temperature=0.0)
                state = step.state
            happened = yardstick.values(real.obs[e, t + k][None])
            predicted = yardstick.values(spaces.to_numpy(space, model.decode(state)))
            yield (predicted - happened)[0], float(step.reward) - real.reward[e, t + k - 1]


def test_episodes_end_where_reality_ended_them():
    """CartPole falls at different times; what a VecEnv shows after a reset is no part of an episode."""
    env = as_vec_env("CartPole-v1", num_envs=4)
    real = collect_episodes(
        lambda _: balance(), env, CASES["mdn-rnn"].model, episodes=6, horizon=500, seed=5, deterministic=True
    )
    assert len(set(real.length)) > 1
    assert real.terminated.all()
    single = as_vec_env("CartPole-v1")
    for e, length in enumerate(real.length):
        single.seed(5 + e)
        seen = [single.reset()[0]]
        for t in range(length):
            obs, _, done, infos = single.step(balance().predict(np.array(seen[-1:]))[0])
            seen.append(infos[0]["terminal_observation"] if done[0] else obs[0])
            assert done[0] == (t == length - 1)
        np.testing.assert_allclose(real.obs[e, : length + 1], seen, atol=1e-6)


def test_drift_is_in_deviations_of_filtered_features():
    real = ramp(3, 7)
    filtered = filter_episodes(CountingModel(), real, rng=RNG)
    found = latent_drift(CountingModel(), real, filtered, np.arange(10), rng=RNG, temperature=1.0)
    std = real.all_obs().std()
    assert found.dreamt == pytest.approx((0, 0, 0), abs=1e-6)
    assert found.standing_still == pytest.approx((1 / std, 2 / std, 5 / std), rel=1e-5)


def test_drift_is_of_dreams_at_their_temperature():
    """A sampled place is off by its own noise and by reality's, the expected one by reality's alone."""
    drifts = [
        zoo_core.gap(still(), LineModel(), line(), episodes=40, temperature=t).drift.dreamt[0] for t in (0.0, 1.0)
    ]
    assert drifts[1] / drifts[0] == pytest.approx(np.sqrt(2), rel=0.1)


def stored(kind, *obs):
    """Batches of observations of a corridor, and their yardstick."""
    space = Corridor(kind).observation_space
    batches = [spaces.batch_of(space, list(each)) for each in obs]
    return Yardstick(space, batches[0]), batches


def test_labels_are_right_or_wrong():
    yardstick, [real] = stored("discrete", [3, 3, 4])
    assert yardstick.values(real).shape == (3, 0)
    assert yardstick.labels(real).tolist() == [[3], [3], [4]]
    assert yardstick.common.tolist() == [3]


def test_pixels_are_in_units_of_the_brightest():
    dark, bright = np.zeros((36, 36, 1), np.uint8), np.full((36, 36, 1), 255, np.uint8)
    yardstick, [real] = stored("image", [dark, dark, dark, bright])
    assert np.ptp(yardstick.values(real), axis=0).tolist() == [1.0] * 36 * 36


def test_parts_of_a_dict_are_values_and_labels():
    parts = [{"place": np.float32([x]), "past_middle": np.int64(x > 0.5)} for x in (0.0, 0.2, 1.0)]
    yardstick, [real] = stored("dict", parts)
    values = yardstick.values(real)
    assert (values.mean(), values.std()) == pytest.approx((0, 1), abs=1e-6)
    assert yardstick.labels(real)[:, 0].tolist() == [0, 0, 1]
    assert yardstick.common.tolist() == [0]


def test_negative_labels_have_a_commonest():
    space = gym.spaces.Discrete(4, start=-2)
    assert Yardstick(space, np.array([-2, -1, -1])).common.tolist() == [-1]


def test_frames_are_compared_a_few_at_a_time(monkeypatch):
    space = Corridor("image").observation_space
    frames = np.random.default_rng(0).integers(0, 256, (7, 36, 36, 1), dtype=np.uint8)

    def figures():
        yardstick = Yardstick(space, frames)
        return compare(yardstick, (frames[::-1], frames), frames)["rms"], yardstick.values(frames)

    whole, values = figures()
    monkeypatch.setattr("zoo_core.reality_gap.yardstick._MAX_NUMBERS", 3 * 36 * 36)
    parts, same = figures()
    assert parts == pytest.approx(whole)
    np.testing.assert_allclose(same, values, atol=1e-12)
    assert whole[0] == pytest.approx(np.sqrt(np.square((frames[::-1] - frames.astype(float)) / 255).mean()))
    assert whole[1] == 0


def test_large_beliefs_are_sampled_a_few_at_a_time(monkeypatch):
    model, real = CountingModel(), ramp(30)
    filtered = filter_episodes(model, real, rng=RNG)
    monkeypatch.setattr("zoo_core.reality_gap.calibration._MAX_BYTES", 4 * NUM_SAMPLES * 7)
    steps = list(sample_steps(model, real, filtered, np.arange(30), 1_000, rng=RNG))
    assert max(len(rows) for rows, _ in steps) <= 7
    assert np.concatenate([rows for rows, _ in steps]).tolist() == list(range(30))
    assert all(len(step.reward) == NUM_SAMPLES * len(rows) for rows, step in steps)


def test_what_never_changes_keeps_its_unit():
    yardstick, [real] = stored("vector", [np.float32([0.5, 0.1])] * 3)
    assert yardstick.values(real).tolist() == [[0, 0]] * 3
    moved = np.float32([[0.75, 0.1]])
    assert yardstick.values(moved)[0] == pytest.approx([0.25, 0], abs=1e-6)
