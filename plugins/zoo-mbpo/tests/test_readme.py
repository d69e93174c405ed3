"""What the README shows, runs: each of its examples alone, its commands in one folder, in smaller sizes."""

from pathlib import Path

from zoo_core.testing.readme import Readme, run_command

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
README = Readme(Path(__file__).parents[1] / "README.md", SMALLER)
TINY = {
    "initial_steps": 20,
    "model_interval": 10,
    "rollouts_per_step": 1,
    "updates_per_step": 1,
    "model.hidden": 8,
    "model.max_epochs": 1,
}
SETTINGS = [f"--set={key}={value}" for key, value in TINY.items()]


def test_the_examples_run(tmp_path):
    for names in README.run_python(tmp_path, {"TINY": TINY}, apart=True):
        buffer = names["agent"].buffer if "agent" in names else names["sac"].replay_buffer
        assert len(buffer.replay) > 0
        assert len(buffer.dreams) > 0


def test_the_commands_run(tmp_path, capsys):
    assert len(README.commands) == 2
    for number, command in enumerate(README.commands):
        options = [*SETTINGS, f"--out=runs/{number}", "--eval-episodes=1", "--quiet"]
        assert run_command(command, tmp_path, *options) == 0, capsys.readouterr().err
    assert "saved in runs/1" in capsys.readouterr().out
