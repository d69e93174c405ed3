"""What the README shows, runs: its Python in one session, its commands in one folder, in smaller sizes."""

import re
import shlex
from pathlib import Path

import pytest

import zoo_core
from zoo_core.cli import main
from zoo_core.plugins import specs
from zoo_core.testing import check_planner

README = (Path(__file__).parents[1] / "README.md").read_text()
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
TINY = ["--set=initial_steps=30", "--set=round_steps=10", "--eval-episodes=0", "--quiet"]
QUICK = {
    "icem": ["model.hidden=8", "model.max_epochs=2", "planner.num_candidates=20"],
    "mlp": ["model.hidden=8", "model.max_epochs=2", "planner.num_candidates=20"],
    "lookup": ["planner.depth=2"],
}


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


def test_all_that_the_plugin_brings_is_in_the_table():
    brought = [
        spec for kind in ("agent", "planner") for spec in specs(kind) if spec.entry_point.startswith("zoo_planners")
    ]
    table = README[: README.index("## Install")]
    assert set(re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE)) == {spec.id for spec in brought}


def test_the_examples_run(capsys):
    session = {"__name__": "example"}
    for block in blocks("python"):
        exec(smaller(block), session)
    printed = capsys.readouterr().out
    assert "torch.Size([64, 1]) torch.Size([64, 2, 1])" in printed
    assert session["agent"].num_timesteps == 40
    check_planner(session["Hold"]({"horizon": 4}), zoo_core.load("pendulum").world_model)


@pytest.mark.parametrize("command", [line for line in "\n".join(blocks("bash")).splitlines() if line[:4] == "zoo "])
def test_the_commands_run(command, capsys):
    (name,) = (name for name in QUICK if f"={name} " in command)
    settings = [f"--set={setting}" for setting in QUICK[name]]
    assert main([*shlex.split(smaller(command))[1:], *settings, *TINY]) == 0, capsys.readouterr().err
    assert "saved in runs/mpc-" in capsys.readouterr().out
