"""Run directories."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from zoo_core.errors import CheckpointError, UnknownNameError, ZooError
from zoo_core.rundir import RunDirectory, git_commit


def test_a_directory_takes_the_least_free_number():
    assert RunDirectory.create("a", {}).path == Path("runs/a-1")
    assert RunDirectory.create("a", {}).path == Path("runs/a-2")
    assert RunDirectory.create("b", {}).path == Path("runs/b-1")


def test_what_is_written_is_read_again():
    run = RunDirectory.create("a", {"agent": "x"})
    run.update(status="finished", result=[1.0])
    found = RunDirectory.open(run.path)
    assert found.record == run.record
    assert (found.record["agent"], found.record["status"], found.record["result"]) == ("x", "finished", [1.0])


def test_a_run_says_that_it_runs():
    assert json.loads((RunDirectory.create("a", {}).path / "run.json").read_text())["status"] == "running"


def test_a_file_in_a_run_has_its_record():
    run = RunDirectory.create("a", {"agent": "x"})
    (run.path / "agent.zip").touch()
    assert RunDirectory.open(run.path / "agent.zip").record["agent"] == "x"
    assert RunDirectory.open(run.path / "agent").record["agent"] == "x"


def test_a_file_outside_a_run_has_an_empty_record():
    Path("model.zip").touch()
    assert RunDirectory.open("model").record == {}


def test_nothing_there_is_answered_by_the_nearest():
    RunDirectory.create("ppo", {})
    with pytest.raises(UnknownNameError, match=r"no run or saved file at runs/pop-1: did you mean 'ppo-1'\?"):
        RunDirectory.open("runs/pop-1")
    with pytest.raises(UnknownNameError, match="at nowhere/x; there are none"):
        RunDirectory.open("nowhere/x")


@pytest.mark.parametrize("out", ["file", "full"])
def test_a_place_in_use_is_refused(out):
    Path("file").touch()
    Path("full").mkdir()
    Path("full/x").touch()
    with pytest.raises(ZooError, match="is not empty, and a run is never overwritten"):
        RunDirectory.create("a", {}, out=out)


def test_a_record_of_a_later_version_is_refused():
    run = RunDirectory.create("a", {})
    run.update(format=2)
    with pytest.raises(CheckpointError, match="is not a record of format 1, which this version of zoo-core reads"):
        RunDirectory.open(run.path)


def test_the_commit_and_whether_files_differ_from_it():
    def git(*words: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        done = subprocess.run(["git", *identity, *words], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    assert git_commit() is None
    git("init")
    assert git_commit() is None  # there is none yet
    Path("x").write_text("1")
    git("add", "x")
    git("commit", "-m", "one")
    assert git_commit() == {"commit": git("rev-parse", "HEAD"), "modified": False}
    Path("x").write_text("2")
    assert git_commit() == {"commit": git("rev-parse", "HEAD"), "modified": True}
