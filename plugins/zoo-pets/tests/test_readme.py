"""What the README shows, runs: its Python in one session, its commands in one folder, in smaller sizes."""

import re
import shlex
from pathlib import Path

import pytest

from zoo_core.cli import main

README = (Path(__file__).parents[1] / "README.md").read_text()
SMALLER = {
    "learn(2_000)": "learn(30)",
    'preset="cpu"': 'preset="cpu", config=TINY',
    "episodes=5": "episodes=1",
    "--timesteps 2000": "--timesteps 30",
    "num_envs=64, horizon=200": "num_envs=4, horizon=5",
}
TINY = {
    "initial_steps": 20,
    "trial_steps": 10,
    "model.hidden": 8,
    "model.num_layers": 1,
    "model.max_epochs": 2,
    "planner.num_candidates": 16,
    "planner.num_elites": 4,
    "planner.iterations": 1,
    "planner.horizon": 1,
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


def test_the_examples_run(capsys):
    for block in blocks("python"):
        exec(smaller(block), {"__name__": "example", "TINY": TINY})
    assert "return" in capsys.readouterr().out


def test_the_commands_run(capsys):
    commands = [line for block in blocks("bash") for line in block.splitlines() if line.startswith("zoo ")]
    options = re.findall(r"`((?:--set [^`]+)+)`", README)
    assert (len(commands), len(options)) == (2, 1)
    for command in [*commands, f"zoo train pets --env Pendulum-v1 --timesteps 30 {options[0]}"]:
        arguments = shlex.split(smaller(command))[1:]
        settings = SETTINGS if "icem" not in command else [*SETTINGS[:5], *SETTINGS[-2:]]
        assert main([*arguments, *settings, "--eval-episodes=1", "--quiet"]) == 0, capsys.readouterr().err
    assert "saved in runs/pets-Pendulum-v1" in capsys.readouterr().out
