"""`zoo eval`: the numbers, the film, which environment, and bad input."""

from __future__ import annotations

import json
from pathlib import Path

import imageio.v3 as iio
import pytest

import zoo_core
from zoo_core.cli.reality import find_reality

RUN = "runs/lab-Pendulum-v1-0-1"


@pytest.fixture
def run(zoo):
    zoo("train lab --env Pendulum-v1 --env-kwargs g=5.0 --steps 20 --eval-episodes 3 --quiet")
    return Path(RUN)


def test_eval_prints_mean_deviation_and_range(zoo, run):
    shown = zoo(f"eval {run} --episodes 2")
    assert shown.code == 0
    found = zoo(f"eval {run} --episodes 2 --json").json()
    assert shown.out == (
        f"lab on Pendulum-v1: return {found['mean']:.2f} ± {found['std']:.2f} "
        f"(min {found['min']:.2f}, max {found['max']:.2f}), length 200.0, over 2 episodes\n"
    )


def test_eval_repeats_the_evaluation_of_the_training(zoo, run):
    recorded = json.loads((run / "run.json").read_text())["result"]
    assert zoo(f"eval {run} --episodes 3 --json").json()["returns"] == recorded["returns"]


def test_eval_acts_in_the_environment_of_the_run(zoo, run):
    found = zoo(f"eval {run} --episodes 1 --json").json()
    assert found["env"] == {"id": "Pendulum-v1", "kwargs": {"g": 5.0}}
    changed = zoo(f"eval {run} --episodes 1 --json --env-kwargs g=9.0").json()
    assert changed["env"]["kwargs"] == {"g": 9.0}
    assert changed["returns"] != found["returns"]


def test_the_seed_decides_where_episodes_begin(zoo, run):
    first, second = (zoo(f"eval {run} --episodes 2 --json --seed {seed}").json()["returns"] for seed in (1, 2))
    assert first != second


def test_eval_takes_the_file_of_an_agent_without_a_record(zoo, run):
    agent = zoo_core.load(run)
    agent.save("somewhere/else.zip")
    assert zoo("eval somewhere/else --episodes 1 --json").json()["env"] == {"id": "Pendulum-v1", "kwargs": {}}


def test_a_file_without_an_environment_asks_for_one(zoo, run):
    agent = zoo_core.load(run)
    agent.env_id = None
    agent.save("nameless.zip")
    shown = zoo("eval nameless.zip")
    assert (shown.code, shown.err) == (2, "error: nameless.zip names no environment: say which with --env ID\n")
    assert zoo("eval nameless.zip --env Pendulum-v1 --episodes 1").code == 0


def test_video_films_the_first_episode(zoo, run):
    shown = zoo(f"eval {run} --episodes 1 --stochastic --video films/out.gif")
    assert shown.out.splitlines()[-1] == "film in films/out.gif"
    frames = iio.imread("films/out.gif")
    assert frames.shape[1:] == (320, 320, 3)
    assert len(frames) > 100


MISTAKES = {
    "eval runs/lab-Pendulum-v1-0-7": "no run or saved file at runs/lab-Pendulum-v1-0-7: "
    "did you mean 'lab-Pendulum-v1-0-1'?",
    f"eval {RUN}/progress.csv": f"{RUN}/progress.csv is damaged or was not written by the zoo: File is not a zip file",
    f"eval {RUN} --video out.mp4": "--video writes a GIF: name a file that ends in .gif, got 'out.mp4'",
    f"eval {RUN} --env Pendulun-v1": "unknown environment 'Pendulun-v1': did you mean 'Pendulum-v1'?",
    f"eval {RUN} --env MountainCarContinuous-v0": "observation space of MountainCarContinuous-v0 is "
    "Box([-1.2 -0.07], [0.6 0.07], (2,), float32), "
    "but LabAgent learned with Box([-1. -1. -8.], [1. 1. 8.], (3,), float32)",
}


@pytest.mark.parametrize("command", MISTAKES)
def test_a_mistake_is_one_line(zoo, run, command):
    shown = zoo(command)
    assert shown.code == 2
    assert shown.err == f"error: {MISTAKES[command]}\n"
    assert shown.out == ""


def test_a_film_of_what_draws_no_pictures_is_refused_at_once(zoo, run, plain):
    shown = zoo(f"eval {run} --env {plain} --episodes 1 --video x.gif")
    assert shown.code == 2
    assert shown.err == "error: environment 'Plain-v0' draws no pictures: its render modes are []\n"


def test_a_run_that_was_cut_before_it_saved_says_so(zoo, run):
    (run / "agent.zip").unlink()
    shown = zoo(f"eval {run}")
    assert shown.code == 2
    assert shown.err.startswith(f"error: no saved model or agent at {run}")


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 99}'])
def test_a_damaged_record_is_named(zoo, run, text):
    (run / "run.json").write_text(text)
    shown = zoo(f"eval {run}")
    assert shown.code == 2
    assert shown.err.startswith(f"error: {run}/run.json is ")


def test_what_outlives_an_episode_goes_on_where_the_training_left_it(zoo):
    zoo("train random --env zoo_envs/ShortcutMaze-v0 --steps 20 --eval-episodes 0 --quiet")
    record = json.loads(Path("runs/random-ShortcutMaze-v0-0-1/run.json").read_text())
    assert record["env"]["state"]["life_steps"] == 20
    assert find_reality(record, None, None, None).state == record["env"]["state"]
    assert find_reality(record, None, None, ["wall_moves_at=5"]).state is None
    assert find_reality(record, None, "zoo_envs/BlockingMaze-v0", None).state is None
