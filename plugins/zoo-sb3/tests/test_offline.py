"""Learning from stored experience alone, in Python and by the command."""

import csv
import json
from pathlib import Path

import pytest

import zoo_core
from zoo_core.checkpoint import Checkpoints
from zoo_core.cli import main
from zoo_sb3.dream_agent import DreamPPOAgent

MODEL = {"num_members": 2, "num_elites": 2, "hidden": 16, "max_epochs": 2}
CONFIG = {
    "model_config": MODEL,
    "dream_steps": 256,
    "num_dreams": 8,
    "horizon": 20,
    "initial_steps": 40,
    "round_steps": 20,
    "ppo": {"n_steps": 16, "batch_size": 64},
}
SETTINGS = [
    f"--set=model.{name}={value}" for name, value in MODEL.items()
] + ["--set=dream_steps=256", "--set=num_dreams=8", "--set=ppo.n_steps=16", "--set=ppo.batch_size=64"]  # fmt: skip


@pytest.fixture
def replay():
    return zoo_core.Replay.collect("CartPole-v1", steps=200, seed=0)


@pytest.fixture
def dataset(replay, tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "datasets"))
    monkeypatch.chdir(tmp_path)
    return replay.to_minari("cartpole/random-v0").id


def weights(agent):
    return {name: value.tolist() for name, value in agent.learner.algorithm.policy.state_dict().items()}


def test_a_dream_agent_learns_without_a_step(replay):
    agent = zoo_core.make_agent("dream-ppo", "CartPole-v1", CONFIG, seed=0)
    before = weights(agent)
    metrics = agent.learn_offline(replay)
    assert agent.num_timesteps == 0
    assert metrics["replay/steps"] == 200
    assert "model/holdout_loss" in metrics
    assert weights(agent) != before


def test_it_may_go_on_learning_in_its_environment(replay):
    agent = zoo_core.make_agent("dream-ppo", "CartPole-v1", CONFIG, seed=0)
    agent.learn_offline(replay)
    agent.learn(20)
    assert len(agent.replay) == 220


@pytest.mark.parametrize(
    ("env", "num_envs", "message"),
    [
        ("Pendulum-v1", 1, "observation_space of the replay is"),
        ("CartPole-v1", 2, "num_envs of the replay is 1, that of the agent's environment is 2"),
    ],
)
def test_a_replay_that_does_not_fit_is_refused(replay, env, num_envs, message):
    agent = zoo_core.make_agent("dream-ppo", zoo_core.acting.as_vec_env(env, num_envs=num_envs), CONFIG, seed=0)
    with pytest.raises(ValueError, match=message):
        agent.learn_offline(replay)


def test_an_agent_without_a_model_says_that_it_cannot(replay):
    with pytest.raises(zoo_core.ZooError, match="PPOAgent learns in its environment only"):
        zoo_core.make_agent("ppo", "CartPole-v1", seed=0).learn_offline(replay)


def test_the_command_learns_from_a_dataset(dataset, capsys):
    command = ["train", "dream-ppo", "--env", "CartPole-v1", "--data", f"minari:{dataset}", "--out", "run"]
    assert main([*command, *SETTINGS, "--eval-episodes", "1", "-q"]) == 0, capsys.readouterr().err
    assert "0 steps" in capsys.readouterr().out
    with open("run/progress.csv", newline="") as file:
        [row] = csv.DictReader(file)
    assert (row["replay/steps"], row["time/total_timesteps"]) == ("200.0", "0")
    with open("run/run.json") as file:
        record = json.load(file)
    assert (record["data"], record["steps"]) == (f"minari:{dataset}", 0)
    assert len(zoo_core.load("run").replay) == 200


@pytest.mark.parametrize(
    ("options", "where"),
    [([], "save it with --checkpoint-every"), (["--checkpoint-every", "10"], "only the checkpoints")],
)
def test_a_replay_too_large_for_the_memory_is_left_out_and_that_is_said(tmp_path, monkeypatch, capsys, options, where):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("zoo_core.replay.storage.MEMORY_LIMIT", 100)
    command = ["train", "dream-ppo", "--env", "CartPole-v1", "--steps", "40", *SETTINGS, "--set=initial_steps=20"]
    assert main([*command, *options, "--eval-episodes", "0", "-q", "--out", "run"]) == 0
    shown = capsys.readouterr().err
    assert "warning: the replay of 0.0 GiB is not in agent.zip: " + where in shown
    assert len(zoo_core.load("run").replay) == 0


def test_with_steps_the_command_goes_on_in_the_environment(dataset):
    command = ["train", "dream-ppo", "--env", "CartPole-v1", "--data", f"minari:{dataset}", "--steps", "20"]
    assert main([*command, *SETTINGS, "--eval-episodes", "0", "-q", "--out", "run"]) == 0
    assert len(zoo_core.load("run").replay) == 220


def test_a_resumed_run_does_not_learn_from_the_data_again(dataset, monkeypatch):
    command = ["train", "dream-ppo", "--env", "CartPole-v1", "--data", f"minari:{dataset}", "--steps", "60"]
    take, times = Checkpoints.take, []

    def take_and_stop(*args):
        take(*args)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "take", take_and_stop)
        assert (
            main(
                [
                    *command,
                    *SETTINGS,
                    "--set=round_steps=20",
                    "--checkpoint-every",
                    "40",
                    "--eval-episodes",
                    "0",
                    "-q",
                    "--out",
                    "run",
                ]
            )
            == 130
        )
    monkeypatch.setattr(DreamPPOAgent, "learn_offline", lambda *_: times.append(1) or {})
    assert main(["train", "--resume", "run", "-q"]) == 0
    assert not times
    assert len(zoo_core.load("run").replay) == 260


@pytest.mark.parametrize(
    ("env", "data", "message"),
    [
        ("Pendulum-v1", "minari:cartpole/random-v0", "Minari dataset 'cartpole/random-v0' holds observations of"),
        ("CartPole-v1", "minari:cartpole/rondom-v0", "did you mean 'cartpole/random-v0'"),
        ("CartPole-v1", "cartpole/random-v0", "data must be given as minari:ID"),
    ],
    ids=["other spaces", "unknown", "no prefix"],
)
def test_data_that_does_not_fit_is_a_mistake_of_the_user(dataset, capsys, env, data, message):
    assert main(["train", "dream-ppo", "--env", env, "--data", data]) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert len(shown.splitlines()) == 1


def test_a_model_free_agent_cannot_learn_from_data_by_the_command(dataset, capsys):
    assert main(["train", "ppo", "--env", "CartPole-v1", "--data", f"minari:{dataset}", "-q"]) == 2
    assert "agent 'ppo' learns in its environment only" in capsys.readouterr().err
    assert not Path("runs").exists()
