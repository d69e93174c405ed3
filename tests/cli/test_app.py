"""The command as a whole: help, exit codes, one line for an error, and commands of plugins."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.main import get_command

from zoo_core.cli.app import app
from zoo_core.plugins.spec import BUILT_IN_COMMANDS


def one_line(text: str) -> str:
    assert text.count("\n") == 1, text
    return text.rstrip("\n")


def test_without_a_command_zoo_shows_its_help(zoo):
    shown = zoo()
    assert shown.code == 0
    assert all(command in shown.out for command in BUILT_IN_COMMANDS)


def test_the_help_lists_commands_of_plugins_and_imports_none(zoo):
    shown = zoo("--help")
    assert "Greet somebody." in shown.out
    assert "Cannot be imported." in shown.out
    assert "zoo_fake_lab.commands" not in sys.modules


def test_plugins_may_register_none_of_the_names_of_our_own_commands():
    assert tuple(get_command(app).commands) == BUILT_IN_COMMANDS


def test_version(zoo):
    assert zoo("--version").out == "zoo-core 0.1.0\n"


@pytest.mark.parametrize("command", BUILT_IN_COMMANDS)
def test_every_command_and_option_explains_itself(zoo, command):
    shown = zoo(f"{command} --help")
    assert shown.code == 0
    described = get_command(app).commands[command]
    assert described.help
    assert all(parameter.help for parameter in described.params if parameter.name != "help")
    long_options = [name for p in described.params for name in p.opts if name.startswith("--")]
    assert all(option in shown.out for option in long_options if option != "--help")


MISTAKES = {
    "lst": "error: unknown command 'lst': did you mean 'list'?",
    "train": "error: say what to train and where: zoo train AGENT --env ID, or --resume RUN",
    "train lab": "error: say what to train and where: zoo train AGENT --env ID, or --resume RUN",
    "train lab --env": "error: option '--env' requires an argument; see zoo --help",
    "train lab --evn Pendulum-v1": "error: zoo train has no option --evn: did you mean '--env'?",
    "eval x --episods 3": "error: zoo eval has no option --episods: did you mean '--episodes'?",
    "--versoin": "error: zoo has no option --versoin: did you mean '--version'?",
    "list agents extra": "error: got unexpected extra argument(s) (extra); see zoo list --help",
    "eval x --episodes 0": "error: invalid value for '--episodes': "
    "Input should be greater than or equal to 1, got '0'; see zoo eval --help",
    "eval x --episodes few": "error: invalid value for '--episodes': "
    "Input should be a valid integer, unable to parse string as an integer, got 'few'; see zoo eval --help",
}


@pytest.mark.parametrize("command", MISTAKES)
def test_a_mistake_on_the_command_line_is_one_line_and_exit_code_2(zoo, command):
    shown = zoo(command)
    assert shown.code == 2
    assert one_line(shown.err) == MISTAKES[command]
    assert shown.out == ""


def test_a_bug_is_one_line_and_exit_code_1(zoo):
    shown = zoo("train lab --env Pendulum-v1 --steps 20 --quiet --set fate=bug")
    assert shown.code == 1
    expected = "error: RuntimeError: a screw came loose (a bug; run again with --debug to see where)"
    assert one_line(shown.err) == expected


def test_a_value_error_while_learning_is_a_bug_too(zoo):
    command = ["train", "lab", "--env", "Pendulum-v1", "--steps", "20", "--quiet", "--set", "fate=value error"]
    shown = zoo(*command)
    assert shown.code == 1
    assert "ValueError: shapes do not match" in one_line(shown.err)


@pytest.mark.parametrize("place", ["before", "after"])
def test_debug_shows_the_traceback_before_or_after_the_command(zoo, place):
    shown = zoo("--debug info nonsense" if place == "before" else "info nonsense --debug")
    assert shown.code == 2
    assert shown.err.startswith("Traceback (most recent call last)")
    assert shown.err.splitlines()[-1].startswith("error: nothing is called 'nonsense'")


def test_control_c_is_one_line_and_exit_code_130(zoo, monkeypatch):
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("zoo_core.cli.describe.describe_plugins", interrupt)
    shown = zoo("plugins")
    assert shown.code == 130
    assert one_line(shown.err) == "interrupted"


@pytest.mark.filterwarnings("default::DeprecationWarning")
def test_a_warning_is_one_line(zoo):
    shown = zoo("info CartPole-v0")
    assert shown.code == 0
    expected = "warning: The environment CartPole-v0 is out of date. You should consider upgrading to version `v1`."
    assert one_line(shown.err) == expected


def test_a_function_of_a_plugin_is_a_command(zoo):
    assert zoo("greet you").out == "hello you\n"


def test_an_app_of_a_plugin_is_a_command_with_its_own(zoo):
    assert zoo("tools hammer").out == "bang\n"
    assert zoo("tools saw").code == 7


def test_a_mistake_in_a_plugins_command_is_one_line(zoo):
    assert one_line(zoo("greet").err) == "error: missing argument 'name'; see zoo greet --help"


def test_a_command_that_cannot_be_imported_says_whose_it_is(zoo):
    shown = zoo("absent")
    assert shown.code == 2
    expected = "error: cannot load zoo_fake_lab.nowhere:command (declared by zoo-fake-lab 1.2): ModuleNotFoundError: "
    assert one_line(shown.err).startswith(expected)


def run_list(code: str = "") -> subprocess.CompletedProcess[str]:
    script = f"import sys\nfrom zoo_core.cli import main\nassert main(['list']) == 0\n{code}"
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)


def test_list_imports_neither_torch_nor_sb3_nor_rich():
    heavy = ("torch", "stable_baselines3", "rich", "matplotlib", "tensorboard", "pygame", "imageio")
    done = run_list(f"print([name for name in {heavy} if name in sys.modules], file=sys.stderr)")
    assert done.stderr.strip() == "[]"


def test_list_takes_half_a_second():
    """Of the processor, which an idle machine gives at once; the wall clock would count the other processes."""
    code = "import time; print(time.process_time(), file=sys.stderr)"
    assert min(float(run_list(code).stderr) for _ in range(3)) < 0.5
