"""What the README shows, runs: its Python in one session, its command in one folder, in smaller sizes."""

import re
from pathlib import Path

import pytest
import torch

from zoo_core.testing.readme import Readme, run_command

SMALLER = {
    "learning_starts=1_000": "learning_starts=100",
    "learn(200_000)": "learn(640)",
    "episodes=100": "episodes=1",
    "--timesteps 2000": "--timesteps 30",
}
README = Readme(Path(__file__).parents[1] / "README.md", SMALLER)
TINY = {"initial_steps": 20, "round_steps": 10, "dream_steps": 64}


def test_the_examples_run_and_show_what_the_text_says(tmp_path, capsys):
    *_, session = README.run_python(tmp_path)
    printed = capsys.readouterr().out
    promised, earned, best = (float(re.search(rf"^{word} (.*)", printed, re.MULTILINE)[1])
                              for word in ("promised", "earned", "best"))  # fmt: skip
    assert best == pytest.approx(0.542, abs=1e-3)
    assert (promised, earned) == pytest.approx((best, best), abs=0.02)
    assert session["linear"].parts().transition.shape == (1, 11, 10)
    drawn, expected = (
        each.features(each.step(each.observe(None, None, session["start"], None, rng=session["rng"]),
                                session["right"], rng=session["rng"]).state)
        for each in (session["model"], session["expectation"])
    )  # fmt: skip
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(expected[0], expected[1])
    first, second = re.findall(r"'unexplained': ([\d.]+)", printed)
    assert float(second) < float(first)


def test_the_command_runs(tmp_path, capsys):
    (command,) = README.commands
    settings = [f"--set={key}={value}" for key, value in TINY.items()]
    assert run_command(command, tmp_path, *settings, "--eval-episodes=1", "--quiet") == 0, capsys.readouterr().err
    assert "saved in runs/dream-dqn-FrozenLake-v1" in capsys.readouterr().out
