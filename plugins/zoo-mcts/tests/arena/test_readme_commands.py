"""The commands of the README run."""

from pathlib import Path

from zoo_core.testing.readme import Readme

SMALLER = {"--games 100": "--games 4", "--games 40": "--games 4"}
README = Readme(Path(__file__).parents[2] / "README.md", SMALLER)


def test_arenas_are_held(zoo):
    commands = [command.removeprefix("zoo ") for command in README.commands if command.startswith("zoo arena")]
    assert len(commands) == 2
    for command in commands:
        assert zoo(command).code == 0


def test_a_game_is_played(zoo):
    (command,) = (command.removeprefix("zoo ") for command in README.commands if command.startswith("zoo play"))
    shown = zoo(command, "3\nhint\nwhy\nundo\nquit\n")
    assert shown.code == 0
    assert shown.out.endswith("You gave the game up.\n")
