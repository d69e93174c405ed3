"""What the README shows, runs: each of its examples alone, all in one folder, in smaller sizes."""

from pathlib import Path

from zoo_core.testing.readme import Readme

SMALLER = {
    "steps=2_000": "steps=300",
    "steps=1_000": "steps=300",
    "num_envs=64, horizon=200": "num_envs=8, horizon=200",
    "learn(100_000)": "learn(512)",
    "model.fit(replay, rng=zoo_core.rng(0))": "model.fit(replay, rng=zoo_core.rng(0), max_updates=20)",
    "episodes=20": "episodes=1",
    '"hidden": 100': '"hidden": 8, "max_epochs": 2',
}
README = Readme(Path(__file__).parents[1] / "README.md", SMALLER)


def test_the_examples_run(tmp_path, capsys):
    README.run_python(tmp_path, apart=True)
    printed = capsys.readouterr().out
    assert "return" in printed
    assert "epistemic" in printed
