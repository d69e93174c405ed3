"""What the README shows, runs: each of its examples alone, its commands in one folder, in smaller sizes."""

import re
from pathlib import Path

from zoo_core.testing.readme import Readme, run_command

SMALLER = {
    "learn(2_000)": "learn(30)",
    'preset="cpu"': 'preset="cpu", config=TINY',
    "episodes=5": "episodes=1",
    "--timesteps 2000": "--timesteps 30",
    "num_envs=64, horizon=200": "num_envs=4, horizon=5",
}
README = Readme(Path(__file__).parents[1] / "README.md", SMALLER)
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


def test_the_examples_run(tmp_path, capsys):
    README.run_python(tmp_path, {"TINY": TINY}, apart=True)
    assert "return" in capsys.readouterr().out


def test_the_commands_run(tmp_path, capsys):
    options = re.findall(r"`((?:--set [^`]+)+)`", README.text)
    assert (len(README.commands), len(options)) == (2, 1)
    for command in [*README.commands, f"zoo train pets --env Pendulum-v1 --timesteps 30 {options[0]}"]:
        settings = SETTINGS if "icem" not in command else [*SETTINGS[:5], *SETTINGS[-2:]]
        assert run_command(command, tmp_path, *settings, "--eval-episodes=1", "--quiet") == 0, capsys.readouterr().err
    assert "saved in runs/pets-Pendulum-v1" in capsys.readouterr().out
