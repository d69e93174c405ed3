"""`zoo train`: the run directory, what is printed, and bad input."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest

import zoo_core

TRAIN = "train lab --env Pendulum-v1 --steps 60 --eval-episodes 0 --quiet"


def run_json(path: str | Path) -> dict[str, object]:
    return json.loads((Path(path) / "run.json").read_text())


def test_a_run_directory_has_record_log_events_and_agent(zoo):
    shown = zoo(f"{TRAIN} --seed 3")
    assert shown.code == 0, shown.err
    run = Path("runs/lab-Pendulum-v1-3-1")
    assert shown.out.splitlines()[-1] == f"saved in {run}"
    names = {"events" if path.name.startswith("events.out.tfevents") else path.name for path in run.iterdir()}
    assert names == {"run.json", "progress.csv", "events", "agent.zip", "README.md", ".lock"}
    rows = list(csv.DictReader((run / "progress.csv").read_text().splitlines()))
    assert rows[-1]["time/total_timesteps"] == "60"
    assert "1.0" in [row["train/loss"] for row in rows]
    assert zoo_core.load(run).num_timesteps == 60


def test_the_record_says_all_about_the_run(zoo):
    zoo(f"{TRAIN} --seed 3 --n-envs 2 --env-kwargs g=9.8 --preset big --set gain=0.5")
    record = run_json("runs/lab-Pendulum-v1-3-1")
    assert record["agent"] == "lab"
    assert record["env"] == {"id": "Pendulum-v1", "kwargs": {"g": 9.8}, "num_envs": 2}
    assert record["preset"] == "big"
    assert record["config"] == {
        "gain": 0.5,
        "hidden": [256, 256],
        "fate": "well",
        "model": "kalman",
        "model_config": None,
        "extra": {"a": 1.0},
    }
    assert (record["seed"], record["steps"], record["num_timesteps"]) == (3, 60, 60)
    assert record["command"].startswith("zoo train lab --env Pendulum-v1")
    assert record["versions"]["zoo-fake-lab"] == "1.2"
    assert {"python", "zoo-core", "gymnasium", "stable-baselines3", "torch", "numpy"} <= set(record["versions"])
    assert record["status"] == "finished"
    assert record["git"] is None
    assert record["started"].endswith("+00:00")


def test_the_evaluation_is_printed_and_recorded(zoo):
    shown = zoo("train lab --env Pendulum-v1 --steps 20 --eval-episodes 2 --quiet")
    result = run_json("runs/lab-Pendulum-v1-0-1")["result"]
    assert result["episodes"] == 2
    assert result["lengths"] == [200, 200]
    assert f"return {result['mean']:.2f} ± {result['std']:.2f}" in shown.out


def test_json_is_all_that_is_printed(zoo):
    printed = zoo(f"{TRAIN} --verbose --json").json()
    assert printed.pop("run") == "runs/lab-Pendulum-v1-0-1"
    assert printed == run_json("runs/lab-Pendulum-v1-0-1")


def test_a_second_run_gets_a_directory_of_its_own(zoo):
    zoo(TRAIN)
    first = run_json("runs/lab-Pendulum-v1-0-1")
    zoo(TRAIN)
    assert sorted(path.name for path in Path("runs").iterdir()) == ["lab-Pendulum-v1-0-1", "lab-Pendulum-v1-0-2"]
    assert run_json("runs/lab-Pendulum-v1-0-1") == first


def test_out_names_the_directory_which_may_be_there_and_empty(zoo):
    Path("mine").mkdir()
    shown = zoo(f"{TRAIN} --out mine")
    assert shown.out.splitlines()[-1] == "saved in mine"
    assert Path("mine/agent.zip").is_file()


def test_a_directory_in_use_is_never_overwritten(zoo):
    Path("mine").mkdir()
    Path("mine/notes.txt").write_text("precious")
    shown = zoo(f"{TRAIN} --out mine")
    assert shown.code == 2
    assert shown.err == "error: mine is not empty, and a run is never overwritten: name a new or empty directory\n"
    assert [path.name for path in Path("mine").iterdir()] == ["notes.txt"]


def test_a_terminal_shows_a_progress_bar(zoo, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert "100%" in zoo(TRAIN.replace(" --quiet", "")).err


def test_a_log_file_gets_no_progress_bar(zoo):
    assert "%" not in zoo(TRAIN.replace(" --quiet", "")).err


def test_verbose_prints_the_log(zoo):
    assert "total_timesteps | 60" in zoo(f"{TRAIN} --verbose").out


def test_environment_arguments_may_be_json(zoo):
    zoo("train", *TRAIN.split()[1:], "--env-kwargs", '{"g": 1.5}')
    assert run_json("runs/lab-Pendulum-v1-0-1")["env"]["kwargs"] == {"g": 1.5}


def test_an_id_with_a_namespace_makes_a_plain_directory_name(zoo):
    zoo("train lab --env zoo_envs/CartPoleSwingUp-v0 --steps 10 --eval-episodes 0 --quiet")
    assert Path("runs/lab-CartPoleSwingUp-v0-0-1").is_dir()


def test_control_c_saves_what_was_learned(zoo):
    shown = zoo(f"{TRAIN} --set fate=interrupt".replace("60", "1000"))
    assert shown.code == 130
    run = "runs/lab-Pendulum-v1-0-1"
    assert shown.err == f"interrupted after 50 of 1,000 steps; what was learned is in {run}\n"
    assert run_json(run)["status"] == "interrupted"
    assert zoo_core.load(run).num_timesteps == 50


def test_a_failure_is_noted_in_the_record(zoo):
    zoo(f"{TRAIN} --set fate=bug")
    record = run_json("runs/lab-Pendulum-v1-0-1")
    assert record["status"] == "failed"
    assert record["error"] == "RuntimeError: a screw\ncame loose"


MISTAKES = {
    "train lob --env Pendulum-v1": "unknown agent 'lob': did you mean 'lab'?",
    "train lost --env Pendulum-v1": "cannot load zoo_fake_lab.nowhere:Agent (declared by zoo-fake-lab 1.2): "
    "ModuleNotFoundError: No module named 'zoo_fake_lab.nowhere'",
    "train lab --env Pendulm-v1": "unknown environment 'Pendulm-v1': did you mean 'Pendulum-v1'?",
    "train lab --env Pendulum-v1 --set gian=1": "agent 'lab': unknown setting 'gian': did you mean 'gain'?",
    "train lab --env Pendulum-v1 --set gain=many": "agent 'lab': gain must be a number, got 'many'",
    "train lab --env Pendulum-v1 --set gain=3": "agent 'lab': gain must be in (0.0, 2.0], got 3.0",
    "train lab --env Pendulum-v1 --set gain": "a setting is written key=value or part.key=value, got 'gain'",
    "train lab --env Pendulum-v1 --preset bug": "agent 'lab': unknown preset 'bug': did you mean 'big'?",
    "train lab --env Pendulum-v1 --set fate=refuse": "fate must not be 'refuse'",
    "train lab --env Pendulum-v1 --env-kwargs h=1": "environment 'Pendulum-v1': "
    "PendulumEnv.__init__() got an unexpected keyword argument 'h'",
    "train lab --env Pendulum-v1 --env-kwargs {g:1}": "--env-kwargs takes key=value or a JSON object, got '{g:1}': "
    "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
    "train lab --env Pendulum-v1 --device cuda:99": "--device is 'cuda:99', this machine has auto, cpu",
}


@pytest.mark.parametrize("command", MISTAKES)
def test_a_mistake_is_one_line_and_leaves_no_run_behind(zoo, command, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    shown = zoo(command)
    assert shown.code == 2
    assert shown.err == f"error: {MISTAKES[command]}\n"
    assert shown.out == ""
    assert not Path("runs").exists()


def test_an_unsupported_space_says_which_are_taken(zoo):
    shown = zoo("train lab --env CartPole-v1")
    assert shown.code == 2
    assert shown.err.startswith("error: agent 'lab' takes Box action spaces, got Discrete(2)")
    assert shown.err.count("\n") == 1
