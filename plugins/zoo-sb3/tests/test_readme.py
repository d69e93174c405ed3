"""What the README shows, runs: each of its examples alone, its commands in one folder, in smaller sizes."""

from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from zoo_core.checkpoint import Checkpoints
from zoo_core.testing.readme import Readme, run_command

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
README = Readme(Path(__file__).parents[1] / "README.md", SMALLER)
TINY = {"initial_steps": 20, "round_steps": 10, "dream_steps": 64, "model.hidden": 8, "model.max_epochs": 2}
SETTINGS = [f"--set={key}={value}" for key, value in TINY.items()]


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
def test_the_examples_run(tmp_path):
    dreamer, noisy, hindsight = README.run_python(tmp_path, {"TINY": TINY}, apart=True)
    assert dreamer["again"].num_timesteps > dreamer["agent"].num_timesteps > 0
    assert noisy["agent"].config.model == "ensemble"
    assert hindsight["agent"].num_timesteps > 0


def test_the_commands_run(tmp_path, capsys):
    assert len(README.commands) == 5
    for command in README.commands:
        options = [*(SETTINGS if "dream-" in command else []), "--eval-episodes=1", "--quiet"]
        with stopped_at_its_first_checkpoint() if "--checkpoint" in command else nullcontext(0) as code:
            assert run_command(command, tmp_path, *options) == code, capsys.readouterr().err
    assert "saved in runs/dream-sac-Pendulum-v1" in capsys.readouterr().out
