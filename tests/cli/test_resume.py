"""`zoo train --resume`: a run that was stopped ends as one that was not, and nothing about it changes in silence."""

from __future__ import annotations

import csv
import json
import re
from importlib import import_module
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.compat.proto.event_pb2 import SessionLog

import zoo_core
from zoo_core.checkpoint import Checkpoints
from zoo_core.rundir import RunDirectory

TRAIN = "train lab --env Pendulum-v1 --steps 100 --checkpoint-every 20 --eval-episodes 0 --quiet --set gain=0.5"


def stop_run(zoo, *, at: int, command: str = f"{TRAIN} --out run", error: type[BaseException] = KeyboardInterrupt):
    """Runs a command that is stopped after its checkpoint at a step, or before it for 0."""
    take = Checkpoints.take

    def take_and_stop(self, agent, progress):
        if at:
            take(self, agent, progress)
        if progress["num_timesteps"] >= at:
            raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoints, "take", take_and_stop)
        zoo(command)
    return Path("run")


def record(run: Path) -> dict[str, object]:
    return json.loads((run / "run.json").read_text())


def rows(run: Path) -> list[dict[str, str]]:
    timing = ("time/fps", "time/time_elapsed")
    with (run / "progress.csv").open(newline="") as file:
        return [{key: value for key, value in row.items() if key not in timing} for row in csv.DictReader(file)]


@pytest.fixture
def whole(zoo):
    assert zoo(f"{TRAIN} --out whole").code == 0
    return Path("whole")


@pytest.mark.parametrize("at", [0, 20, 60])
def test_a_resumed_run_ends_as_one_that_was_not_stopped(zoo, whole, at):
    run = stop_run(zoo, at=at)
    shown = zoo(f"train --resume {run} --quiet")
    assert shown.code == 0, shown.err
    assert (run / "agent.zip").read_bytes() == (whole / "agent.zip").read_bytes()
    assert rows(run) == rows(whole)
    assert record(run)["status"] == "finished"
    assert record(run)["config"] == record(whole)["config"]


def test_the_record_says_that_the_run_was_resumed(zoo):
    run = stop_run(zoo, at=60)
    assert record(run)["status"] == "interrupted"
    zoo(f"train --resume {run} --quiet")
    assert record(run)["resumed"] == ["zoo train --resume run --quiet"]


def stop_after_the_checkpoint(zoo) -> Path:
    """Runs a command that logs a step more than its checkpoint at step 60 knows."""
    iterate = import_module("zoo_fake_lab.agent").LabAgent.iterate

    def iterate_and_stop(self):
        if self.num_timesteps >= 70:
            raise KeyboardInterrupt
        return iterate(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zoo_fake_lab.agent.LabAgent.iterate", iterate_and_stop)
        zoo(f"{TRAIN} --out run")
    assert rows(Path("run"))[-1]["time/total_timesteps"] == "70"
    return Path("run")


def test_rows_after_the_checkpoint_are_not_kept_twice(zoo, whole):
    run = stop_after_the_checkpoint(zoo)
    zoo(f"train --resume {run} --quiet")
    assert rows(run) == rows(whole)


def test_events_after_the_checkpoint_are_not_shown_twice(zoo, whole):
    """TensorBoard leaves out what comes before a session that starts, from its step on."""
    run = stop_after_the_checkpoint(zoo)
    zoo(f"train --resume {run} --quiet")
    files = [list(EventFileLoader(str(path)).Load()) for path in run.glob("events.*")]
    first, second = sorted(files, key=lambda events: events[0].wall_time)
    starts = [event.step for event in second if event.session_log.status == SessionLog.START]
    assert starts == [61]
    kept = [event.step for event in first if event.step < 61] + [event.step for event in second]
    assert sorted(set(kept) - {0, 61}) == list(range(10, 101, 10))


def test_a_row_of_the_log_that_was_cut_short_is_dropped(zoo, whole):
    run = stop_run(zoo, at=60)
    with (run / "progress.csv").open("a") as file:
        file.write("1.0,7")
    zoo(f"train --resume {run} --quiet")
    assert rows(run) == rows(whole)


def test_the_same_options_may_be_said_again(zoo):
    stop_run(zoo, at=60)
    again = "train lab --env Pendulum-v1 --steps 100 --checkpoint-every 20 --set gain=0.5 --resume run --quiet"
    assert zoo(again).code == 0


@pytest.mark.parametrize(
    "damage", [b"x" * 20, b'1.0,70,"', b"\xff\0", b"1.0,seventy", b"1.0,nan", b'"' + b"y" * 200_000 + b'"', b"\n\r\r"]
)
def test_a_row_of_the_log_that_cannot_be_read_is_dropped(zoo, whole, damage):
    run = stop_run(zoo, at=60)
    head, first, *more = (run / "progress.csv").read_bytes().splitlines(keepends=True)
    columns = head.decode().strip().split(",")
    garbled = [b"1"] * len(columns)
    garbled[columns.index("time/total_timesteps")] = damage
    (run / "progress.csv").write_bytes(b"".join([head, first, b",".join(garbled), b"\n", damage, b"\n", *more]))
    shown = zoo(f"train --resume {run} --quiet")
    assert shown.code == 0, shown.err
    assert rows(run) == rows(whole)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--seed 3", "seed was 0 and is 3 now"),
        ("--steps 200", "steps was 100 and is 200 now"),
        ("--env CartPole-v1", "env was 'Pendulum-v1' and is 'CartPole-v1' now"),
        ("--env-kwargs g=9.0", "env_kwargs.g was not set and is 9.0 now"),
        ("--n-envs 2", "num_envs was 1 and is 2 now"),
        ("--checkpoint-every 30", "checkpoint_every was 20 and is 30 now"),
        ("--set gain=0.7 --set extra.a=2.0", "gain was 0.5 and is 0.7 now; extra.a was 1.0 and is 2.0 now"),
        ("--preset big", "preset was None and is 'big' now"),
        ("--out other", "--out names another directory"),
        ("--steps 7 --seed 8", "steps was 100 and is 7 now; seed was 0 and is 8 now"),
    ],
)
def test_an_option_that_differs_is_named_with_both_values(zoo, option, message):
    stop_run(zoo, at=60)
    before = record(Path("run"))
    shown = zoo(f"train --resume run {option}")
    assert shown.code == 2
    assert message in shown.err
    assert record(Path("run")) == before


@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_the_device_of_the_run_may_be_said_again(zoo, monkeypatch, device):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    stop_run(zoo, at=60, command=f"{TRAIN} --device cpu --out run")
    assert zoo(f"train --resume run --device {device} --quiet").code == 0


@pytest.mark.parametrize("device", ["cuda", "auto"])
def test_another_device_is_refused(zoo, monkeypatch, device):
    stop_run(zoo, at=60, command=f"{TRAIN} --device cpu --out run")
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    shown = zoo(f"train --resume run --device {device} --quiet")
    assert shown.code == 2
    assert "device was 'cpu' and is 'cuda' now" in shown.err


def test_the_run_of_another_agent_is_refused(zoo):
    stop_run(zoo, at=60)
    assert "agent was 'lab' and is 'random' now" in zoo("train random --resume run").err


def test_a_finished_run_is_refused(zoo, whole):
    shown = zoo(f"train --resume {whole}")
    assert shown.code == 2
    assert (
        "whole is finished, with 100 of 100 steps; to learn on from its end: zoo_core.load('whole', env)" in shown.err
    )


def test_a_run_without_checkpoints_is_refused(zoo):
    stop_run(zoo, at=60, command=TRAIN.replace("--checkpoint-every 20", "--set fate=interrupt") + " --out run")
    assert "begun without --checkpoint-every" in zoo("train --resume run").err


def change_record(run: Path, name: str, *value: object) -> None:
    """Sets an entry of run.json, that of an object by a dotted name; without a value it is removed."""
    changed = record(run)
    *parents, last = name.split(".")
    place = changed
    for parent in parents:
        place = place[parent]
    del place[last]
    if value:
        place[last] = value[0]
    (run / "run.json").write_text(json.dumps(changed))


def refuse(zoo) -> str:
    """Returns the one line with which a damaged record is refused."""
    shown = zoo("train --resume run --quiet")
    assert shown.code == 2
    assert shown.err.startswith("error: run/run.json ")
    assert shown.err.count("\n") == 1
    return shown.err


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("checkpoint_every", "20", "must be a whole number of at least 1 or null, got '20'"),
        ("checkpoint_every", 0, "must be a whole number of at least 1 or null, got 0"),
        ("status", None, "must be a text, got None"),
        ("steps", 1.5, "must be a whole number of at least 0, got 1.5"),
        ("steps", -7, "must be a whole number of at least 0, got -7"),
        ("seed", "x", "must be a whole number of at least 0, got 'x'"),
        ("seed", True, "must be a whole number of at least 0, got True"),
        ("env", "Pendulum-v1", "has no env.id, env.kwargs, env.num_envs, which --resume needs"),
        ("env.id", [], "must be a text, got []"),
        ("env.num_envs", 0, "must be a whole number of at least 1, got 0"),
        ("config", 3, "must be an object, got 3"),
        ("preset", 3, "must be a text or null, got 3"),
        ("data", {}, "must be a text or null, got {}"),
        ("agent", 3, "must be a text, got 3"),
        ("device", ["y" * 1_000], "must be a text, got ['yyy"),
        ("versions", [], "must be an object, got []"),
    ],
)
def test_an_entry_of_the_wrong_type_is_named(zoo, name, value, message):
    change_record(stop_run(zoo, at=60), name, value)
    line = refuse(zoo)
    assert message in line
    assert "has no" in message or f"is damaged: {name} must be" in line
    assert len(line) < 300


def test_an_entry_of_the_wrong_type_that_a_run_gets_later_is_named(zoo):
    run = stop_run(zoo, at=60)
    change_record(run, "num_timesteps", "many")
    assert "num_timesteps must be a whole number of at least 0, got 'many'" in refuse(zoo)


@pytest.mark.parametrize("name", ["status", "agent", "env", "preset", "config", "seed", "steps", "versions", "device"])
def test_an_entry_that_is_missing_is_named(zoo, name):
    change_record(stop_run(zoo, at=60), name)
    assert re.search(
        rf"has no {name}(, env[.\w, ]+)?, which --resume needs: it is damaged, or of an earlier", refuse(zoo)
    )


def test_a_record_of_before_there_were_checkpoints_is_refused(zoo):
    run = stop_run(zoo, at=60)
    change_record(run, "checkpoint_every")
    change_record(run, "track")
    assert "has no checkpoint_every, track, which --resume needs" in refuse(zoo)


def test_the_record_of_another_machine_names_a_device_that_is_missing(zoo):
    change_record(stop_run(zoo, at=60), "device", "cuda:7")
    shown = zoo("train --resume run")
    assert shown.code == 2
    assert "'cuda:7', this machine has auto, cpu" in shown.err


def test_what_is_no_run_is_refused(zoo, tmp_path):
    zoo_core.make_agent("random", "CartPole-v1", seed=0).save("somewhere/agent")
    assert "is no run of `zoo train`" in zoo("train --resume somewhere").err
    assert "no run or saved file at nowhere" in zoo("train --resume nowhere").err


def test_a_run_that_another_process_works_on_is_refused(zoo):
    run = stop_run(zoo, at=60)
    with RunDirectory.open(run).locked():
        shown = zoo(f"train --resume {run}")
    assert shown.code == 2
    assert "another process is at work in run" in shown.err


def test_a_new_run_must_say_what_to_train(zoo):
    assert "say what to train and where: zoo train AGENT --env ID, or --resume RUN" in zoo("train lab").err


def test_an_unfinished_run_can_be_evaluated_meanwhile(zoo):
    run = stop_run(zoo, at=60, error=SystemError)
    assert zoo(f"eval {run} --episodes 1").code == 0
    assert zoo_core.load(run).num_timesteps == 60
