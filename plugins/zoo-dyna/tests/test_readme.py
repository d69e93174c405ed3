"""What the README shows, runs: its Python in one session, its commands in one folder, in smaller sizes."""

import re
from pathlib import Path

from zoo_core.testing.readme import Readme, run_command

SMALLER = {
    "ShortcutMaze-v0": "ShortcutMaze-v0 --timesteps 100",
    "--timesteps 20000": "--timesteps 100",
    "--timesteps 2000": "--timesteps 100",
}
README = Readme(Path(__file__).parents[1] / "README.md", SMALLER)
TO_THE_GOAL = re.compile(r"value 0\.51\d+ of 0\.51\d+")  # 0.95 ** 13 = 0.513


def test_the_examples_run(tmp_path, capsys):
    README.run_python(tmp_path)
    printed = capsys.readouterr().out
    assert "action" in printed
    assert TO_THE_GOAL.search(printed), printed


def test_the_commands_run(tmp_path, capsys):
    assert len(README.commands) == 5
    for command in README.commands:
        assert run_command(command, tmp_path, "--eval-episodes=0", "--quiet") == 0, capsys.readouterr().err
    assert "saved in runs/value-iteration-FrozenLake-v1-0" in capsys.readouterr().out


def test_every_agent_is_in_the_table(name):
    assert f"\n| `{name}` |" in README.text
