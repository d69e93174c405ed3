"""What a report says, of models of every kind, and that making one changes nothing."""

import functools
import json
import random

import numpy as np
import pytest
import torch
from gymnasium.wrappers import TimeLimit
from matplotlib.figure import Figure
from PIL import Image

import zoo_core
from zoo_core.reality_gap import plot
from zoo_core.reality_gap.report import GapReport
from zoo_core.seeding import numpy_rng
from zoo_core.simulator import SimulatorModel
from zoo_core.testing.cases import model_cases
from zoo_core.testing.fakes import KalmanModel

from .conftest import LineModel, line, still, swing

CASES = [case for case in model_cases() if case.make_env is not None]
LATENT = {"value-equivalent", "muzero-CartPole-v1"}  # do not decode


@functools.cache
def small(case):
    env = TimeLimit(case.make_env().unwrapped, 12)
    return zoo_core.gap(None, case.model, env, episodes=3, horizon=12)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_kind_of_model_has_a_report(case):
    report = small(case)
    assert GapReport.__name__ == type(report).__name__
    assert (report.open_loop.errors == ()) == (case.name in LATENT)
    assert report.returns is not None
    assert report.verdict in str(report)
    json.dumps(report.to_json(), allow_nan=False)


def test_kinds_of_errors_are_those_of_the_observations():
    kinds = {case.name: [curve.kind for curve in small(case).open_loop.errors] for case in CASES}
    assert kinds["lookup-table"] == ["error rate"]
    assert kinds["dict"] == ["rms", "error rate"]
    assert kinds["rssm-pixels"] == ["rms"]


def test_a_model_that_does_not_decode_says_so_and_drifts_all_the_same():
    report = small(next(case for case in CASES if case.name == "value-equivalent"))
    assert "ValueEquivalentModel decodes no observations, so there are no k-step errors of them" in str(report)
    assert report.verdict.startswith("ValueEquivalentModel decodes no observations")
    assert min(report.drift.dreamt) > 0
    assert report.summary()["error_over_best_baseline"].startswith("ValueEquivalentModel decodes no")


def test_labels_have_no_intervals():
    report = small(next(case for case in CASES if case.name == "lookup-table"))
    assert report.coverage is None
    assert report.notes["coverage"] == "observations are labels, which have no intervals"


def shuffled(env_id, steps):
    """Experience in which what followed has nothing to do with what was done."""
    real = zoo_core.Replay.collect(env_id, steps, seed=0)
    data, order = real.transitions(), numpy_rng(0, "shuffle").permutation(steps)
    replay = zoo_core.Replay(real.observation_space, real.action_space, env_id=env_id)
    for i, j in enumerate(order):
        one, other = slice(i, i + 1), slice(j, j + 1)
        ends = np.zeros(1, bool), np.ones(1, bool)
        replay.add(data.obs[one], data.action[one], data.reward[other], *ends, data.next_obs[other])
    return replay


def test_a_model_of_shuffled_data_has_not_learned_the_dynamics():
    said = {}
    for name, replay in (
        ("true", zoo_core.Replay.collect("Pendulum-v1", 600, seed=0)),
        ("false", shuffled("Pendulum-v1", 600)),
    ):
        model = KalmanModel(replay.observation_space, replay.action_space)
        model.fit(replay, rng=zoo_core.rng(0))
        said[name] = zoo_core.gap(None, model, episodes=4, horizon=100).verdict
    assert said["false"].startswith(
        "no better than copying the last observation or the mean: the model has not learned the dynamics; "
    )
    assert said["true"].startswith("k-step error is below copy-last up to k = 20; ")


def test_a_shuffled_reward_is_foreseen_no_better_than_by_its_mean():
    model = LineModel()
    step = model.step
    model.step = lambda *args, **kwargs: step(*args, **kwargs)._replace(reward=torch.zeros(len(args[1])))
    verdict = zoo_core.gap(still(), model, line(), episodes=20, horizon=30).verdict
    assert "rewards are foreseen no better than by their mean" in verdict
    assert "terminations are foreseen no better than by their rate" in verdict


def test_headlines_are_a_few_numbers():
    report = zoo_core.gap(still(), LineModel(), line(), episodes=20, horizon=30)
    summary = report.summary()
    assert list(summary) == [
        "policy",
        "episodes",
        "steps_ahead",
        "error_over_best_baseline",
        "reward_rmse",
        "dream_minus_real_return",
        "standard_error_of_that",
        "coverage_of_90_percent_intervals",
        "verdict",
    ]
    [curve] = report.open_loop.errors
    assert curve.mean[3] < curve.copy_last[3]
    assert summary["error_over_best_baseline"] == curve.model[3] / curve.mean[3]
    assert curve.ratio[3] == curve.model[3] / curve.copy_last[3]
    assert (summary["policy"], summary["episodes"]) == ("Controller", 20)
    assert summary["standard_error_of_that"] == report.returns.standard_error
    assert summary["steps_ahead"] == report.open_loop.steps[3] == 10
    assert summary["coverage_of_90_percent_intervals"] == report.coverage.observed[8]
    assert report.to_json()["summary"] == summary


def test_the_headline_is_of_the_worst_kind_of_parts():
    report = small(next(case for case in CASES if case.name == "dict"))
    place = report.open_loop.steps.index(10)
    ratios = [curve.over_best(place) for curve in report.open_loop.errors]
    assert len(set(ratios)) == 2
    assert report.summary()["error_over_best_baseline"] == max(ratios)


def test_the_table_shows_every_figure():
    text = str(zoo_core.gap(still(), LineModel(), line(), episodes=20, horizon=30))
    curves = ("k steps ahead", "observations, rms", "  copy-last", "rewards, rms", "features, drift", "windows")
    figures = ("rewards  ", "terminations  ", "returns  ", "intervals     of", "              hold", "verdict: ")
    for row in (*curves, *figures):
        assert f"\n{row}" in text
    assert text.startswith("LineModel against TimeLimit, policy Controller: 20 episodes, ")


def test_the_picture_has_all_panels(tmp_path):
    report = zoo_core.gap(still(), LineModel(), line(), episodes=5, horizon=30)
    path = report.plot(tmp_path / "new" / "gap.png")
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert picture.size == (1300, 800)
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    blue = np.abs(pixels - (31, 119, 180)).sum(-1) < 30
    assert all(blue[y : y + 330, x : x + 433].any() for y in (110, 450) for x in (0, 433, 866))


def test_lines_are_drawn_under_their_names():
    report = zoo_core.gap(still(), LineModel(), line(), episodes=5, horizon=30)
    errors, returns = Figure().subplots(1, 2)
    plot._draw_errors(errors, report)
    plot._draw_returns(returns, report)
    drawn = {each.get_label(): tuple(each.get_ydata()) for each in errors.lines}
    [curve] = report.open_loop.errors
    assert drawn == {"model": curve.model, "copy-last": curve.copy_last, "mean": curve.mean}
    assert (returns.get_xlabel(), returns.get_ylabel()) == ("in reality", "in the dream")
    [points] = returns.collections
    assert [tuple(pair) for pair in points.get_offsets()] == list(
        zip(report.returns.real, report.returns.dream, strict=True)
    )


def test_missing_figures_leave_words_in_the_picture(tmp_path):
    report = small(next(case for case in CASES if case.name == "value-equivalent"))
    assert report.plot(tmp_path / "gap.png").stat().st_size > 10_000


def test_the_same_seed_gives_the_same_report():
    first, again, other = (
        zoo_core.gap(None, LineModel(), line(), episodes=3, horizon=10, seed=seed) for seed in (1, 1, 2)
    )
    assert first == again
    assert first.open_loop != other.open_loop


def test_stochastic_policies_of_sb3_act_alike_again():
    from stable_baselines3 import PPO

    policy, model = PPO("MlpPolicy", "Pendulum-v1", seed=0, device="cpu"), SimulatorModel("Pendulum-v1")
    first, again = (zoo_core.gap(policy, model, episodes=2, horizon=5, deterministic=False) for _ in range(2))
    assert first == again
    assert first.returns.dream == pytest.approx(first.returns.real, rel=1e-4)  # the same draws in both worlds
    assert zoo_core.gap(policy, model, episodes=2, horizon=5).returns.real != first.returns.real


def test_a_report_changes_no_model_and_no_global_stream():
    case = next(case for case in CASES if case.name == "rssm")
    states = lambda: (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())  # noqa: E731, NPY002
    weights = {name: tensor.clone() for name, tensor in case.model.state_dict().items()}
    before = states()
    zoo_core.gap(None, case.model, episodes=2, horizon=5)
    assert states() == before
    assert all(torch.equal(tensor, weights[name]) for name, tensor in case.model.state_dict().items())


def test_a_policy_given_no_model_brings_its_own():
    policy = swing()
    policy.world_model, policy.env_id = SimulatorModel("Pendulum-v1"), "Pendulum-v1"
    assert zoo_core.gap(policy, episodes=2, horizon=3) == zoo_core.gap(
        swing(), policy.world_model, "Pendulum-v1", episodes=2, horizon=3
    )


def test_a_model_may_be_a_file(tmp_path):
    replay = zoo_core.Replay.collect("Pendulum-v1", 40, seed=0)
    model = zoo_core.make_model("mlp", replay.observation_space, replay.action_space, {"hidden": 4, "max_epochs": 1})
    model.fit(replay, rng=zoo_core.rng(0))
    report = zoo_core.gap(None, str(model.save(tmp_path / "model")), episodes=2, horizon=3)
    assert (report.env, report.env_kwargs) == ("Pendulum-v1", {})
    assert report == zoo_core.gap(None, model, episodes=2, horizon=3)
    assert report.num_steps == 6
