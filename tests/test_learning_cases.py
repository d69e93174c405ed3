"""The learning cases of Dyna: what they measure, what they write, and the figures that are drawn of it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import zoo_core
from benchmarks.learn import cases, dreams, dyna, figures, report, sweeping
from benchmarks.results import read_results
from zoo_core.plugins import make_env
from zoo_tabular.dynamic_programming import value_iteration
from zoo_tabular.table import Table


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    """Other processes take seconds to begin."""
    monkeypatch.setattr(report, "in_processes", lambda function, work, jobs: [function(*each) for each in work])


@pytest.fixture
def maze(monkeypatch):
    monkeypatch.setattr(dyna, "EPISODES", 5)
    return dyna.measure_maze(seeds=(0, 1))


@pytest.fixture
def blocking():
    return dyna.measure_changing(replace(dyna.BLOCKING, env_steps=240, bar=0.0), seeds=(0, 1))


@pytest.fixture
def sweep():
    return sweeping.measure(seeds=(0, 1), resolutions=(1,))


# -- what is measured --------------------------------------------------------------------------------------------------


def test_the_score_in_the_maze_is_the_length_of_the_third_episode(maze):
    lengths = maze.extra["curves"]["dyna-q, n = 50"]
    assert lengths["at"] == [1, 2, 3, 4, 5]
    assert np.mean([run.score for run in maze.runs]) == lengths["mean"][2]
    assert maze.runs[0].env_steps >= 5 * dyna.SHORTEST


def test_the_bar_in_the_maze_asks_how_slow_learning_is_without_planning(maze):
    without = next(control for control in maze.controls if control.name == "dyna-q, n = 0")
    assert {run.figures["n_0_mean"] for run in maze.runs} == {without.score}
    assert maze.bar.met_by(maze.runs)
    as_fast = [replace(run, figures={"n_0_mean": 199.0}) for run in maze.runs]
    assert not maze.bar.met_by(as_fast)


def test_every_run_is_compared_with_the_best_of_dyna_q(blocking):
    best = max(run.score for run in blocking.controls[0].runs)
    assert blocking.controls[0].name == "dyna-q"
    assert [run.score - run.figures["over_best_dyna_q"] for run in blocking.runs] == [best, best]
    beaten = [replace(run, figures={"over_best_dyna_q": -1.0}) for run in blocking.runs]
    assert not blocking.bar.met_by(beaten)


def test_a_curve_of_rewards_ends_with_the_scores(blocking):
    curve = blocking.extra["curves"]["dyna-q-plus"]
    assert (len(curve["at"]), curve["at"][-1]) == (dyna.POINTS, 240)
    assert curve["mean"][-1] == np.mean([run.score for run in blocking.runs])


def test_dyna_q_plus_is_compared_under_its_own_defaults():
    config = zoo_core.make_agent("dyna-q-plus", dyna.BLOCKING.env_id, seed=0).config
    assert (config.planning_updates, config.learning_rate, config.bonus) == (50, 1.0, 1e-3)
    assert dyna.CONTENT.config == {"planning_updates": 50, "learning_rate": 1.0}


def test_the_walls_of_the_figures_move_where_those_of_the_mazes_do():
    for maze in (dyna.BLOCKING, dyna.SHORTCUT):
        assert make_env(maze.env_id).unwrapped.wall_moves_at == maze.wall_moves_at


def test_a_band_lies_between_the_quantiles_and_a_curve_keeps_its_last_point():
    values = np.arange(11)[:, None] * np.ones(7)
    curve = report.curve(values, every=3)
    assert curve["at"] == [1, 4, 7]
    assert (curve["mean"], curve["low"], curve["high"]) == ([5.0] * 3, [1.0] * 3, [9.0] * 3)


# -- prioritized sweeping ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("resolution", sweeping.SHORTEST)
def test_the_shortest_path_is_that_of_the_optimal_values_and_no_shorter(resolution):
    env = make_env(dyna.DYNA_MAZE, resolution=resolution).unwrapped
    q = value_iteration(Table.from_env(env), 0.95).q
    next_state, _, terminated = env.transition_arrays()
    start, shortest = int(env.initial_state_distrib.argmax()), sweeping.SHORTEST[resolution]
    assert (~env.maze.wall).sum() == sweeping.NUM_STATES[resolution]
    assert sweeping.greedy_path(q, next_state, terminated, start, shortest) == shortest
    assert sweeping.greedy_path(q, next_state, terminated, start, shortest - 1) == 0
    assert sweeping.greedy_path(np.zeros_like(q), next_state, terminated, start, 1_000) == 0


def test_the_score_of_sweeping_is_its_share_of_the_fewest_updates_of_dyna_q(sweep):
    updates = {
        name: np.mean([run.figures["updates_1"] for run in runs])
        for name, runs in [("agent", sweep.runs), *((control.name, control.runs) for control in sweep.controls)]
    }
    ours = updates.pop("agent")
    assert [run.score for run in sweep.runs] == [pytest.approx(ours / min(updates.values()))] * 2
    assert min(control.score for control in sweep.controls) == 1.0
    assert sweep.bar.met_by(sweep.runs)


def test_who_does_not_get_there_counts_with_all_updates_made(monkeypatch):
    monkeypatch.setattr(sweeping, "MAX_STEPS", 30)
    measured = sweeping.measure(seeds=(0,), resolutions=(2,))
    assert {control.runs[0].figures["updates_2"] for control in measured.controls} == {30 * 6}
    assert measured.extra["given_up"] == {name: [1] for name in measured.extra["ratios"]}


# -- FrozenLake --------------------------------------------------------------------------------------------------------


def test_the_optimum_of_frozen_lake_takes_no_more_steps_than_an_episode_has():
    process = make_env(dreams.FROZEN_LAKE_ID).unwrapped.P
    value = [0.0] * 16
    for _ in range(100):
        value = [
            max(sum(p * (r + (0.0 if over else value[after])) for p, after, r, over in row) for row in rows.values())
            for rows in process.values()
        ]
    assert dreams.frozen_lake_optimum(np.array([0, 14])) == pytest.approx([value[0], value[14]], abs=1e-12)
    assert value[0] == pytest.approx(0.744, abs=1e-3)


@pytest.mark.parametrize("names", [("next_obs",), ("next_obs", "reward", "terminated")])
def test_a_shuffled_replay_breaks_cause_from_effect_and_no_more(names):
    replay = zoo_core.Replay.collect("CliffWalking-v1", 200, seed=0)
    steps, shuffled = replay.tensors(), dreams.ShuffledReplay(replay, 0, names)
    assert len(shuffled) == 200
    for name in ("obs", "action", "next_obs", "reward"):
        before, after = (getattr(each, name).double() for each in (steps, shuffled.tensors()))
        assert torch.equal(before, after) == (name not in names)
        assert torch.equal(before.sort().values, after.sort().values)


# -- files and figures -------------------------------------------------------------------------------------------------


def test_what_was_measured_is_written_and_drawn(maze, blocking, sweep, tmp_path, capsys):
    measured = {dyna.MAZE: maze, dyna.BLOCKING.case: blocking, dyna.SHORTCUT.case: blocking, sweeping.CASE: sweep}
    assert set(measured) == set(cases.DYNA)
    for case, each in measured.items():
        report.report(case, each, write=True, directory=tmp_path)
        picture = figures.draw(case, results=tmp_path, out=tmp_path)
        assert picture.name == f"{case}.png"
        assert picture.stat().st_size < 150_000
        assert np.asarray(Image.open(picture).convert("L")).std() > 10  # something is in it
        assert f"{case}, 2 runs" in capsys.readouterr().out


def test_nothing_is_written_for_seeds_of_ones_own(monkeypatch):
    monkeypatch.setattr(cases, "DYNA", {"dyna-q-maze": lambda seeds, jobs: report.Measured(None, [], [], {"task": ""})})
    monkeypatch.setattr(report, "write_result", None)
    monkeypatch.setattr(figures, "draw", None)
    assert cases.run_dyna("dyna-q-maze", seeds=[7])


def test_a_name_of_several_cases_stands_for_them():
    assert cases.expand(["dyna-figures"]) == list(cases.DYNA)
    assert cases.expand(["dyna-q-maze", "dyna-figures"]) == list(cases.DYNA)
    assert cases.expand([]) == list(cases.CASES)
    with pytest.raises(ValueError, match="unknown case dyna; there are demo-pendulum"):
        cases.expand(["dyna"])


def test_every_learning_case_has_a_result_made_by_its_command():
    results = read_results("learn")
    assert list(results) == sorted(cases.CASES)
    assert all(result.command == f"make learn CASE={case}" for case, result in results.items())


@pytest.mark.parametrize("case", cases.DYNA)
def test_the_figures_of_dyna_are_of_thirty_runs(case):
    assert len(read_results("learn")[case].runs) == 30


def test_the_figure_of_every_result_that_has_one_is_in_the_docs():
    measured = {case for kind in ("learn", "long", "headline") for case in read_results(kind)}
    for case in measured & set(figures.FIGURES):
        assert (figures.DOCS / f"{case}.png").stat().st_size < 150_000
    assert set(figures.FIGURES) <= {*cases.CASES, *cases.LONG}
