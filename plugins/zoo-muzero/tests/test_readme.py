"""What the README shows, runs: each of its examples alone, its commands in one folder, in smaller sizes."""

from pathlib import Path

from zoo_core.testing.readme import Readme, run_command

SMALLER = {
    "learn(50_000)": "learn(60)",
    "learn(600_000)": "learn(640)",
    'preset="cpu"': 'preset="cpu", config=TINY',
    'preset="board"': 'preset="board", config=TINY',
    "episodes=5": "episodes=1",
    "--timesteps 50000": "--timesteps 60",
    "--timesteps 600000": "--timesteps 640",
    "num_envs=64, horizon=50": "num_envs=4, horizon=5",
    "num_simulations=50": "num_simulations=8",
}
README = Readme(Path(__file__).parents[1] / "README.md", SMALLER)
TINY = {
    "initial_steps": 20,
    "updates_per_step": 0.05,
    "planner.num_simulations": 4,
    "model.latent": 8,
    "model.hidden": 16,
    "model.batch_size": 8,
    "model.td_steps": 3,
}
SETTINGS = [f"--set={key}={value}" for key, value in TINY.items()]


def test_the_examples_run(tmp_path, capsys):
    README.run_python(tmp_path, {"TINY": TINY}, apart=True)
    said = capsys.readouterr().out
    assert "return" in said
    assert "tensor" in said


def test_the_commands_run(tmp_path, capsys):
    assert len(README.commands) == 3
    for command in README.commands:
        assert run_command(command, tmp_path, *SETTINGS, "--eval-episodes=1", "--quiet") == 0, capsys.readouterr().err
