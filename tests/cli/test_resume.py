"""`zoo train --resume`: a run that was stopped ends as one that was not, and nothing about it changes in silence."""

from __future__ import annotations

import csv
import json
from importlib import import_module
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

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
    run = stop_after_the_checkpoint(zoo)
    zoo(f"train --resume {run} --quiet")
    events = EventAccumulator(str(run)).Reload()
    steps = [event.step for event in events.Scalars("train/loss")]
    assert steps == sorted(set(steps))
    assert steps[-1] == 100


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
