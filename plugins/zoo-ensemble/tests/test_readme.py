"""What the README shows, runs: its Python in one session, its commands in one folder, in smaller sizes."""

import re
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text()
SMALLER = {
    "steps=2_000": "steps=300",
    "steps=1_000": "steps=300",
    "num_envs=64, horizon=200": "num_envs=8, horizon=200",
    "learn(100_000)": "learn(512)",
    "model.fit(replay, rng=zoo_core.rng(0))": "model.fit(replay, rng=zoo_core.rng(0), max_updates=20)",
    "episodes=20": "episodes=1",
    '"hidden": 100': '"hidden": 8, "max_epochs": 2',
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


def test_the_examples_run(capsys):
    for block in blocks("python"):
        exec(smaller(block), {"__name__": "example"})
    printed = capsys.readouterr().out
    assert "return" in printed
    assert "epistemic" in printed
