"""Results are data: every committed file is valid, and every table in a README is made from them."""

import json
import platform
import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest
import torch

from benchmarks import bench, machine, tables
from benchmarks.results import (
    DIRECTORY,
    KINDS,
    Bar,
    Condition,
    Control,
    Run,
    check_result,
    read_results,
    write_result,
)
from benchmarks.speed import (
    dream_overhead,
    dream_rate,
    dyna_updates,
    ensemble_batch,
    models,
    timing,
    uct,
    value_iteration,
)
from benchmarks.speed.case import CASES, Measured
from benchmarks.speed.interpreted import interpreted

BAR = Bar((Condition("score", ">=", -180), Condition("env_steps", "<=", 1_000)), runs_required=2)
RUNS = (Run(0, -150.5, 1_000, wall_s=90.0, figures={"regret": 11.0}), Run(1, -160.5, 1_000), Run(2, -300.0, 1_000))
FILES = sorted(DIRECTORY.glob("*/*.json"))


def write(directory, **changes):
    arguments = {"command": "make learn CASE=a-case", "bar": BAR, "runs": RUNS, "directory": directory, **changes}
    return write_result("learn", "a-case", **arguments)


def data_of(directory):
    return json.loads((directory / "learn" / "a-case.json").read_text())


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_every_committed_result_is_valid(path):
    check_result(path.parent.name, path.stem, json.loads(path.read_text()))


def test_every_speed_case_has_a_result_made_by_its_command():
    results = read_results("speed")
    assert list(results) == sorted(CASES)
    assert all(result.command == f"make bench CASE={case}" for case, result in results.items())


def test_results_hold_nothing_but_files_of_the_four_kinds():
    assert {path.name for path in DIRECTORY.iterdir()} <= set(KINDS)
    assert all(path in FILES for path in DIRECTORY.rglob("*") if path.is_file())


def test_a_result_that_was_written_is_read_back(tmp_path):
    controls = [Control("random", runs=[Run(0, -1_200.0), Run(1, -1_300.0)]), Control("optimum", score=-139.9)]
    written = write(tmp_path, controls=controls, extra={"task": "dream-sac on Pendulum-v1"})
    read = read_results("learn", tmp_path)["a-case"]
    assert read.to_json() == json.loads(json.dumps(written.to_json()))
    assert read.score == pytest.approx(-203.667, abs=1e-3)
    assert [control.score for control in read.controls] == [-1_250.0, -139.9]
    assert [path.name for path in (tmp_path / "learn").iterdir()] == ["a-case.json"]


def test_a_result_names_neither_host_nor_folder(tmp_path):
    write(tmp_path)
    text = (tmp_path / "learn" / "a-case.json").read_text()
    assert platform.node() not in text
    assert str(machine.ROOT) not in text
    assert str(tmp_path) not in text


@pytest.mark.parametrize(
    ("bar", "passed"),
    [
        (None, True),
        (BAR, True),
        (Bar(BAR.conditions, runs_required=3), False),
        (Bar([Condition("env_steps", "<=", 999)]), False),
        (Bar([Condition("regret", "<=", 11.0)]), True),
        (Bar([Condition("score", ">=", -160), Condition("regret", ">=", 12.0)]), False),
    ],
)
def test_passed_follows_from_runs_and_bar(tmp_path, bar, passed):
    runs = [RUNS[0]] if bar and "regret" in [c.metric for c in bar.conditions] else RUNS
    write(tmp_path, bar=bar, runs=runs)
    assert data_of(tmp_path)["passed"] is passed


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"passed": False}, "passed is False, but the runs and the bar say True"),
        ({"case": "another"}, "holds case 'another'"),
        ({"commit": "main"}, "commit must be 40 hexadecimal digits"),
        ({"command": "python /home/me/run.py"}, "command must be one that anybody can type"),
        ({"machine": {"cpu": "x", "cores": 2, "threads": 1, "host": "mine"}}, "machine must hold cpu, cores, threads"),
        ({"versions": {"python": "3.11.7"}}, "versions are of"),
        ({"runs": []}, "has no run"),
        ({"runs": [{"seed": 0, "score": "good"}]}, "score of a run must be a finite number, got 'good'"),
        ({"date": "yesterday"}, "yesterday"),
        ({"verdict": "fine"}, "must hold case, command"),
        (
            {"controls": [{"name": "x", "score": 1.0, "note": "", "runs": [{"seed": 0, "score": 2.0}]}]},
            "does not follow",
        ),
    ],
)
def test_a_file_that_was_tampered_with_is_refused(tmp_path, changes, message):
    write(tmp_path)
    with pytest.raises(ValueError, match=message):
        check_result("learn", "a-case", {**data_of(tmp_path), **changes})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Run(0, float("nan")), "score of a run must be a finite number, got nan"),
        (lambda: Run(0, 1.0, figures={"ratio": float("inf")}), "ratio of a run must be a finite number"),
        (lambda: Run(0, 1.0).measure("regert"), "a run has no 'regert'; it has score"),
        (lambda: Condition("score", "==", 1.0), "op must be one of >=, <="),
        (lambda: Control("nothing"), "'nothing' needs runs or a score"),
    ],
)
def test_what_is_no_result_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# -- tables ------------------------------------------------------------------------------------------------------------


def test_the_tables_of_all_readmes_are_up_to_date():
    command = [sys.executable, "-m", "benchmarks.tables", "--check"]
    done = subprocess.run(command, cwd=machine.ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_number_that_was_typed_into_a_table_is_replaced():
    text = f"before\n<!-- table:speed -->\n{tables.speed_table()}<!-- /table -->\nafter\n"
    assert tables.update(text) == text
    assert tables.update(text.replace("≤ 0.5", "≤ 0.1")) == text


def test_the_worst_seed_is_the_highest_score_where_less_is_better(tmp_path, monkeypatch):
    bar = Bar([Condition("score", "<=", 25)])
    write(tmp_path, bar=bar, runs=[Run(0, 14.0), Run(1, 22.0)], extra={"task": "steps"})
    monkeypatch.setattr(tables, "read_results", lambda kind: read_results(kind, tmp_path))
    assert "| **18** (22) | 2 | ≤ 25 |" in tables.learn_table()
    write(tmp_path, bar=None, runs=[Run(0, 14.0), Run(1, 22.0)])
    assert "| **18** (14) | 2 | – |" in tables.learn_table()


def test_a_table_that_nobody_makes_is_an_error():
    with pytest.raises(ValueError, match="there is no table 'sped'; there are plugins, learn, speed"):
        tables.update("<!-- table:sped -->\n<!-- /table -->\n")


# -- speed -------------------------------------------------------------------------------------------------------------


def test_an_unknown_case_is_answered_with_the_nearest(capsys):
    assert bench.main(["dream-rte"]) == 2
    assert capsys.readouterr().err == "no speed case 'dream-rte': did you mean 'dream-rate'?\n"


def test_a_case_is_measured_and_written(tmp_path, monkeypatch):
    module = ModuleType("benchmarks.speed.tiny")
    module.measure = lambda: Measured(
        Bar([Condition("ratio", "<=", 1.3)]), [Run(0, 1.25, figures={"ratio": 1.2345678})]
    )
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(CASES, "tiny", module.__name__)
    result = bench.run_case("tiny", tmp_path)
    assert result.passed
    read = read_results("speed", tmp_path)["tiny"]
    assert (read.command, read.runs[0].figures) == ("make bench CASE=tiny", {"ratio": 1.2346})


def test_the_fastest_round_counts_and_what_disturbed_the_others_does_not(monkeypatch):
    now, calls = [0.0], []

    def works_for(seconds):
        def function():
            calls.append(seconds)
            disturbance = 3.0 if len(calls) % 7 else 0.0  # most calls are disturbed
            now[0] += seconds + disturbance

        return function

    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])
    seconds = timing.fastest({"one": works_for(1.0), "ten": works_for(10.0)}, rounds=20, block_s=0.5)
    assert seconds == {"one": 1.0, "ten": 10.0}


def test_everything_takes_its_turn():
    turns = []
    timing.fastest(
        {name: timing.times(3, lambda name=name: turns.append(name)) for name in "ab"}, rounds=2, block_s=0.0
    )
    assert "".join(turns) == "aaabbb" * 3  # to warm up, and two rounds


def test_threads_are_as_before_after_a_measurement():
    before = torch.get_num_threads()
    with timing.torch_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


@pytest.fixture
def small(monkeypatch):
    """Cases measure a small model, and each thing once."""
    monkeypatch.setattr(models, "CONFIG", {"hidden": 4})
    monkeypatch.setattr(models, "REAL_STEPS", 20)
    monkeypatch.setattr(models, "UPDATES", 1)
    models.ensemble_of.cache_clear()

    def once(functions, **_):
        for function in functions.values():
            function()
        return dict.fromkeys(functions, 0.5)

    monkeypatch.setattr(dream_overhead, "HORIZON", 2)
    monkeypatch.setattr(uct, "SIMULATIONS", {"compiled": 20, "model": 5, "python": 5})
    for module in (dream_overhead, dream_rate, ensemble_batch, dyna_updates, uct):
        monkeypatch.setattr(module, "fastest", once)
    yield
    models.ensemble_of.cache_clear()


def test_dream_overhead_measures_what_its_bar_asks_for(small):
    measured = dream_overhead.measure()
    assert not measured.bar.met_by([Run(0, 1.0, figures={**measured.runs[0].figures, "env_1_over_model_step": 2.1})])
    assert measured.bar.met_by(measured.runs)


def test_dream_rate_counts_every_dream(small):
    figures = dream_rate.measure().runs[0].figures
    assert figures["dream_4096_steps_per_s"] == 4096 * figures["dream_1_steps_per_s"]


def test_ensemble_batch_compares_the_same_networks(small):
    assert ensemble_batch.measure().runs[0].figures["forward_256_speedup"] == 1.0
    model = models.ensemble_of(models.ENV)
    inputs = models.member_inputs(model, 10)
    alone = ensemble_batch._member(model.network, 3)(inputs[3])
    assert alone.allclose(model.network(inputs)[3], atol=1e-6)


def test_dyna_updates_are_counted_by_the_update(small):
    figures = dyna_updates.measure().runs[0].figures
    assert figures["maze_compiled_updates_per_s"] == 1_000 * figures["lake_compiled_n_50_updates_per_s"]
    assert figures["maze_over_python"] == 100.0  # as many calls: as many times more updates


@pytest.mark.parametrize("world", dyna_updates.WORLDS)
def test_a_kernel_is_interpreted_whole_and_plans_alike(world):
    agent, learned = dyna_updates.trained(*dyna_updates.WORLDS[world]), []
    plain = interpreted(dyna_updates.kernels.plan)
    assert not hasattr(plain.__globals__["below"], "py_func")
    for plan in (dyna_updates.kernels.plan, plain):
        learned.append(dyna_updates.planner(plan, agent, 200)())
    np.testing.assert_array_equal(*learned)
    assert learned[0].any()


@pytest.mark.parametrize("world", dyna_updates.WORLDS)
def test_planning_in_numpy_comes_to_the_same_values(world):
    agent, learned = dyna_updates.trained(*dyna_updates.WORLDS[world]), []
    for plan in (dyna_updates.kernels.plan, dyna_updates.plan_in_numpy):
        call = dyna_updates.planner(plan, agent, 50)
        learned.append(np.mean([call().copy() for _ in range(3_000)][1_000:], axis=0))
    np.testing.assert_allclose(*learned, atol=0.05)


@pytest.mark.parametrize("num_outcomes", [3, 20])
def test_the_floor_of_value_iteration_solves_the_same_table(num_outcomes):
    table = value_iteration.random_table(20, 4, num_outcomes)
    ways = value_iteration.sweeps, value_iteration.matrix_products
    np.testing.assert_allclose(*(way(table, 1e-10, 10_000)() for way in ways), atol=1e-8)


def test_uct_counts_simulations_from_all_roots(small):
    figures = uct.measure().runs[0].figures
    assert figures["compiled_64_simulations_per_s"] == 64 * figures["compiled_1_simulations_per_s"]
    assert figures["over_model_1"] == 4.0


def test_uct_searches_the_same_tree_interpreted_and_a_like_one_without_the_table():
    table = uct.search(uct.Lookup, 1, 300)()
    plain = uct.in_plain_python(uct.search(uct.Lookup, 1, 300))()
    model = uct.search(uct.Untold, 1, 300)()
    assert (table.value, table.weights.tolist()) == (plain.value, plain.weights.tolist())
    assert table.value != model.value  # which was found in another way
    assert torch.allclose(table.weights, model.weights, atol=0.1)
