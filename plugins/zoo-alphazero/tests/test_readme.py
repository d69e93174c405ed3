"""What the README shows, runs: its Python in one session, its commands in one folder, in smaller sizes."""

import io
from pathlib import Path

from zoo_core.plugins import agent_spec
from zoo_core.testing.readme import Readme, run_command

SMALLER = {
    "learn(100_000)": "learn(640)",
    "--timesteps 100000": "--timesteps 640",
    "--timesteps 300000": "--timesteps 256",
    "--checkpoint-every 20000": "--checkpoint-every 128",
    "--games 100": "--games 2",
    '"connect_four_v3", preset="connect-four", seed=0).learn(1_600_000)': '"tictactoe_v3", TINY, seed=0).learn(600)',
    "agent.player(weaker), 400": "agent.player(weaker), 4",
    "opening_moves=4": "opening_moves=2",
}
README = Readme(Path(__file__).parents[1] / "README.md", SMALLER)
TINY = [
    "--set=num_games=8",
    "--set=num_blocks=1",
    "--set=channels=8",
    "--set=planner.num_simulations=4",
    "--set=steps_per_iteration=64",
    "--set=batch_size=16",
    "--eval-episodes=1",
    "--quiet",
]
GATE = ["--set=updates_per_candidate=10", "--set=gate_games=2"]


def test_the_examples_run(tmp_path, capsys):
    README.run_python(tmp_path, {"TINY": dict(agent_spec("alphago").check_config)})
    printed = capsys.readouterr().out
    assert "worth" in printed
    assert "the network alone plays" in printed
    assert "search with mix against search with value" in printed
    assert (tmp_path / "games.zip").exists()


def test_the_commands_run(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("q\n"))
    trains = [
        command for command in README.commands if command.startswith(("zoo train alphazero", "zoo train alphago-zero"))
    ]
    plays = [command for command in README.commands if command.startswith(("zoo play", "zoo arena"))]
    assert (len(trains), len(plays)) == (3, 2)
    for command in trains:
        options = [*TINY, *(GATE if "alphago-zero" in command else [])]
        assert run_command(command, tmp_path, *options) == 0, capsys.readouterr().err
    for command in plays:
        assert run_command(command, tmp_path) == 0, capsys.readouterr().err
