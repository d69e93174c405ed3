"""What the README shows, runs: its Python in one session, its commands in one folder, in smaller sizes."""

import re
from pathlib import Path

import pytest

import zoo_core
from zoo_core.plugins import specs
from zoo_core.testing import check_planner
from zoo_core.testing.readme import Readme, run_command

SMALLER = {
    "steps=1_000": "steps=60",
    '"mlp", env.observation_space, env.action_space': (
        '"mlp", env.observation_space, env.action_space, {"hidden": 8, "max_epochs": 2}'
    ),
    '"mlp", cart_pole.observation_space, cart_pole.action_space': (
        '"mlp", cart_pole.observation_space, cart_pole.action_space, {"hidden": 8, "max_epochs": 2}'
    ),
    '{"horizon": 15}': '{"horizon": 2, "num_candidates": 4, "num_elites": 2, "iterations": 2}',
    "episodes=3": "episodes=1",
    '"planner.horizon": 15': '"planner.num_candidates": 64, "initial_steps": 20, "round_steps": 10',
    "learn(1_000)": "learn(40)",
    ", seed=0).learn(2_000)": ", n_steps=16, batch_size=16, n_epochs=1, seed=0).learn(16)",
    '"num_rollouts": 20': '"num_rollouts": 2, "depth": 2',
    "--timesteps 2000": "--timesteps 40",
    "--timesteps 1000": "--timesteps 40",
}
README = Readme(Path(__file__).parents[1] / "README.md", SMALLER)
TINY = ["--set=initial_steps=30", "--set=round_steps=10", "--eval-episodes=0", "--quiet"]
QUICK = {
    "icem": ["model.hidden=8", "model.max_epochs=2", "planner.num_candidates=20"],
    "mlp": ["model.hidden=8", "model.max_epochs=2", "planner.num_candidates=20"],
    "lookup": ["planner.depth=2"],
}


def test_all_that_the_plugin_brings_is_in_the_table():
    brought = [
        spec for kind in ("agent", "planner") for spec in specs(kind) if spec.entry_point.startswith("zoo_planners")
    ]
    table = README.text[: README.text.index("## Install")]
    assert set(re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE)) == {spec.id for spec in brought}


def test_the_examples_run(tmp_path, capsys):
    *_, session = README.run_python(tmp_path)
    printed = capsys.readouterr().out
    assert "torch.Size([64, 1]) torch.Size([64, 2, 1])" in printed
    assert session["agent"].num_timesteps == 40
    check_planner(session["Hold"]({"horizon": 4}), zoo_core.load(tmp_path / "pendulum").world_model)


@pytest.mark.parametrize("command", README.commands)
def test_the_commands_run(command, tmp_path, capsys):
    (name,) = (name for name in QUICK if f"={name} " in command)
    settings = [f"--set={setting}" for setting in QUICK[name]]
    assert run_command(command, tmp_path, *settings, *TINY) == 0, capsys.readouterr().err
    assert "saved in runs/mpc-" in capsys.readouterr().out
