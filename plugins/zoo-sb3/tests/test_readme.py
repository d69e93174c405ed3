"""What the README shows, runs: its Python in one session, its commands in one folder, in smaller sizes."""

import re
import shlex
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from zoo_core.checkpoint import Checkpoints
from zoo_core.cli import main

README = (Path(__file__).parents[1] / "README.md").read_text()
SMALLER = {
    "learn(1_000,": "learn(20,",
    "eval_freq=200": "eval_freq=10",
    "n_eval_episodes=10": "n_eval_episodes=1",
    "learn(200,": "learn(10,",
    "learn(2_000)": "learn(220)",
    '"horizon": 30': '"horizon": 30, **TINY',
    "--timesteps 1000": "--timesteps 30",
    "--timesteps 3000": "--timesteps 30",
    "--timesteps 5000 --checkpoint-every 1000": "--timesteps 60 --checkpoint-every 20",
}

TINY = {"initial_steps": 20, "round_steps": 10, "dream_steps": 64, "model.hidden": 8, "model.max_epochs": 2}
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


@contextmanager
def stopped_at_its_first_checkpoint():
    """Interrupts a run, as Ctrl-C does, and hands over the exit code that it must have."""
    take = Checkpoints.take

    def take_and_stop(*args):
        take(*args)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoints, "take", take_and_stop)
        yield 130


@pytest.mark.filterwarnings("ignore:Training and eval env are not of the same type")  # nor does SB3 know that they are
def test_the_examples_run():
    for block in blocks("python"):
        exec(smaller(block), {"__name__": "example", "TINY": TINY})


def test_the_commands_run(capsys):
    commands = [line for block in blocks("bash") for line in block.splitlines() if line.startswith("zoo ")]
    assert len(commands) == 5
    for command in commands:
        arguments = shlex.split(smaller(command), comments=True)[1:]
        dreams = SETTINGS if "dream-" in command else []
        with stopped_at_its_first_checkpoint() if "--checkpoint" in command else nullcontext(0) as code:
            assert main([*arguments, *dreams, "--eval-episodes=1", "--quiet"]) == code, capsys.readouterr().err
    assert "saved in runs/dream-sac-Pendulum-v1" in capsys.readouterr().out
