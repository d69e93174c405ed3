"""What the README shows, runs: its Python in one session, its commands in one folder, in smaller sizes."""

import re
import shlex
from pathlib import Path

import pytest

from zoo_core.cli import main

README = (Path(__file__).parents[1] / "README.md").read_text()
SMALLER = {
    "learn(3_000": "learn(30",
    "n_eval_episodes=10": "n_eval_episodes=1",
    '{"sac.gamma": 0.98}': '{"sac.gamma": 0.98, **TINY}',
    "learning_starts=500": "learning_starts=20",
    "gradient_steps=10": "gradient_steps=1",
    '"num_elites": 5}': '"num_elites": 5, "hidden": 8, "max_epochs": 1}',
    "rollouts_per_step=100": "rollouts_per_step=1",
    "collect(\"Pendulum-v1\", 2_000": "collect(\"Pendulum-v1\", 50",
    '"offline_steps": 1_000}': '"offline_steps": 10, **TINY}',
    "--timesteps 3000": "--timesteps 30",
}  # fmt: skip

TINY = {
    "initial_steps": 20,
    "model_interval": 10,
    "rollouts_per_step": 1,
    "updates_per_step": 1,
    "model.hidden": 8,
    "model.max_epochs": 1,
}
SETTINGS = [f"--set={key}={value}" for key, value in TINY.items()]


def blocks(language):
    found = re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    assert found
    return found


def smaller(text):
    for size, small in SMALLER.items():
        text = text.replace(size, small)
    return text


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_the_sizes_that_are_made_smaller_are_there():
    assert [size for size in SMALLER if size not in README] == []


def test_the_examples_run():
    for block in blocks("python"):
        names = {"__name__": "example", "TINY": TINY}
        exec(smaller(block), names)
        buffer = names["agent"].buffer if "agent" in names else names["sac"].replay_buffer
        assert len(buffer.replay) > 0
        assert len(buffer.dreams) > 0


def test_the_commands_run(capsys):
    commands = [line for block in blocks("bash") for line in block.splitlines() if line.startswith("zoo ")]
    assert len(commands) == 2
    for number, command in enumerate(commands):
        arguments = [*shlex.split(smaller(command))[1:], *SETTINGS, f"--out=runs/{number}"]
        assert main([*arguments, "--eval-episodes=1", "--quiet"]) == 0, capsys.readouterr().err
    assert "saved in runs/1" in capsys.readouterr().out
