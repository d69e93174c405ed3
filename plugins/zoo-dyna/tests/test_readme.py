"""What the README shows, runs: its Python in one session, its commands in one folder, in smaller sizes."""

import re
import shlex
from pathlib import Path

import pytest

from zoo_core.cli import main

README = (Path(__file__).parents[1] / "README.md").read_text()
SMALLER = {
    "ShortcutMaze-v0": "ShortcutMaze-v0 --timesteps 100",
    "--timesteps 20000": "--timesteps 100",
    "--timesteps 2000": "--timesteps 100",
}
TO_THE_GOAL = re.compile(r"value 0\.51\d+ of 0\.51\d+")  # 0.95 ** 13 = 0.513


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
        exec(block, {"__name__": "example"})
    printed = capsys.readouterr().out
    assert "action" in printed
    assert TO_THE_GOAL.search(printed), printed


def test_the_commands_run(capsys):
    commands = [line for block in blocks("bash") for line in block.splitlines() if line.startswith("zoo ")]
    assert len(commands) == 5
    for command in commands:
        arguments = shlex.split(smaller(command), comments=True)[1:]
        assert main([*arguments, "--eval-episodes=0", "--quiet"]) == 0, capsys.readouterr().err
    assert "saved in runs/value-iteration-FrozenLake-v1-0" in capsys.readouterr().out


def test_every_agent_is_in_the_table(name):
    assert f"\n| `{name}` |" in README
