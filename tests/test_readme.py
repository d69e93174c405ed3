"""What the README says works: its Python, its plugin and its commands, with fewer steps; and the examples."""

import importlib.util
import io
import re
import shlex
import tomllib
from pathlib import Path

import gymnasium as gym
import pytest

import zoo_core
from zoo_core.plugins import Registry, WorldModelSpec
from zoo_core.testing import check_dream_faces, check_world_model
from zoo_core.testing.readme import Readme, run_command

ROOT = Path(__file__).resolve().parents[1]
QUICK_DREAMS = "--set dream_steps=64 --set num_dreams=16 --set ppo.n_steps=2 --set ppo.batch_size=16"
QUICK_FITS = "--set initial_steps=20 --set model.hidden=8 --set model.max_epochs=2 --timesteps 24 --eval-episodes 0"
QUICK_PLANS = "--set planner.horizon=2 --set planner.num_candidates=8 --set planner.num_elites=2"
FEWER = {  # in the README: in this test
    "steps=2_000": "steps=100",
    "env.action_space, seed=0": 'env.action_space, {"hidden": 8, "max_epochs": 2}, seed=0',
    "num_envs=256": "num_envs=16",
    "DreamVecEnv(model, 64), 10_000)": "DreamVecEnv(model, 64, horizon=4), 256)",
    "n_steps=32, batch_size=512": "n_steps=4, batch_size=64",
    ".learn(300_000)": ".learn(64)",
    '"dream-sac", "Pendulum-v1", seed=0)': (
        '"dream-sac", "Pendulum-v1", {"dream_steps": 64, "model.hidden": 8, "model.max_epochs": 2}, seed=0)'
    ),
    "learn(1_000, progress_bar=True)": "learn(50)",
    "--seed 0 --out runs/X": f"--seed 0 --out runs/X --timesteps 40 --set model.max_epochs=2 {QUICK_DREAMS}",
    "ShortcutMaze-v0": "ShortcutMaze-v0 --timesteps 40 --eval-episodes 0",
    "--set model=lookup": "--set model=lookup --timesteps 40 --set dream_steps=64 --set dqn.learning_starts=8",
    "cpu --env Pendulum-v1": f"cpu --env Pendulum-v1 {QUICK_FITS} {QUICK_PLANS}",
    "cpu --env InvertedPendulum-v5": f"cpu --env InvertedPendulum-v5 {QUICK_FITS} --set rollouts_per_step=2",
    "--set planner=icem": f"--set planner=icem {QUICK_FITS} {QUICK_PLANS}",
    'preset="connect-four", seed=0)': (
        'config={"num_games": 8, "steps_per_iteration": 64, "batch_size": 16, "planner.num_simulations": 2},'
        ' preset="connect-four", seed=0)'
    ),
    "agent.learn(20_000, progress_bar=True)": "agent.learn(400)",
    "num_simulations=200)": "num_simulations=8)",
    "env).learn(100_000)": "env, n_steps=16, batch_size=16).learn(16)",
    "--timesteps 50000 --out runs/alphazero": (
        "--timesteps 256 --out runs/alphazero --set num_games=8 --set steps_per_iteration=64 --set batch_size=16"
    ),
    "--games 200": "--games 4",
    "cpu --env CartPole-v1": (
        "cpu --env CartPole-v1 --timesteps 64 --eval-episodes 1"
        " --set planner.num_simulations=2 --set model.batch_size=8"
    ),
    "--episodes 20": "--episodes 1",
    "zoo gap runs/X": "zoo gap runs/X --episodes 2 --horizon 5",
    "--timesteps 100000": "--timesteps 64 --n-envs 16 --set n_steps=4 --set batch_size=64 --eval-episodes 1",
}
README = Readme(ROOT / "README.md", FEWER)


def run(code, **known):
    names = {"__name__": "readme", **known}
    exec(compile(code, "README.md", "exec"), names)
    return names


def test_the_first_snippet_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = run(README.blocks("python")[0])
    assert names["agent"].num_timesteps == 50
    with gym.make("zoo_core:Dream-v0", model=str(tmp_path / "model")) as env:
        assert env.observation_space == names["env"].observation_space


def test_tables_are_solved_and_searched(capsys):
    run(README.blocks("python")[1], zoo_core=zoo_core)
    best, searched = (float(line.removeprefix("tensor(").removesuffix(")")) for line in capsys.readouterr().out.split())
    assert 0.535 < best < 0.545
    assert 0.0 < searched <= 1.0


def test_known_equations_are_fitted_and_searched(capsys):
    names = run(README.blocks("python")[2], zoo_core=zoo_core)
    assert names["known"].constants == pytest.approx({"mass": 1.0, "length": 1.0}, rel=0.01)
    assert "torch.Size([64, 1])" in capsys.readouterr().out
    assert -700.0 < names["plan"].value.mean() < -50.0


def test_a_board_game_is_learned_and_searched(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    agent = run(README.blocks("python")[3], zoo_core=zoo_core)["agent"]
    assert agent.num_timesteps == 400
    assert "tensor([" in capsys.readouterr().out
    assert zoo_core.load(tmp_path / "connect-four.zip").game.id == "connect_four_v3"


def test_maskable_ppo_trains_against_an_opponent():
    env = run(README.blocks("python")[4])["env"]
    assert env.opponent == "minimax:2"


def test_the_model_of_ones_own_keeps_the_contract():
    replay = zoo_core.Replay.collect("Pendulum-v1", 1_000, seed=0)  # five episodes: dreams begin in five places
    model_class = run(README.blocks("python")[5])["LinearModel"]
    model = check_world_model(model_class(replay.observation_space, replay.action_space), replay)
    check_dream_faces(model)
    zoo_core.DreamVecEnv(model, 64).reset()


def test_datasets_become_replays_and_replays_datasets(tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    zoo_core.Replay.collect("Pendulum-v1", 400, seed=0).to_minari("pendulum/random-v0")
    model = zoo_core.SimulatorModel("Pendulum-v1")
    run(README.blocks("python")[7], zoo_core=zoo_core, model=model)
    assert len(zoo_core.Replay.from_minari("dreams/pendulum-v0")) >= 128


def test_the_plugin_of_ones_own_registers_its_model():
    names, registry = run(README.blocks("python")[6]), Registry("my-package 1.0")
    names["zoo_register"](registry)
    assert registry.get(WorldModelSpec, "least-squares").entry_point == "my_package.model:LinearModel"
    project = tomllib.loads(README.blocks("toml")[0])["project"]
    assert project["entry-points"]["zoo_core.plugins"] == {"least-squares": "my_package.plugin"}


@pytest.mark.filterwarnings("ignore::tqdm.TqdmExperimentalWarning")  # SB3 filters it itself, pytest takes that back
def test_the_commands_run_one_after_the_other(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())  # whoever plays leaves at once
    assert [shlex.split(line)[1] for line in README.commands] == [
        *("plugins", "list", "info", *["train"] * 6, "eval", "dream", "gap", "doctor", "new"),
        *("train", "train", "arena", "play"),
    ]
    for line in README.commands:
        assert run_command(line, tmp_path) == 0, line
    assert (tmp_path / "out.gif").stat().st_size > 1_000
    assert (tmp_path / "runs" / "X" / "run.json").is_file()


def test_the_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    pages = README.text + (ROOT / "CONTRIBUTING.md").read_text()
    for target in set(re.findall(r"^make (\w+)|`make (\w+)", pages, re.MULTILINE)):
        name = "".join(target)
        assert re.search(rf"^{name}:", makefile, re.MULTILINE), name


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text())
    assert links
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


def example(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("train_sb3_in_a_dream", {"real_steps": 200, "dream_steps": 64, "episodes": 2}),
        ("dream_agent", {"real_steps": 200, "dream_steps": 64}),
        ("own_world_model", {"real_steps": 200, "dream_steps": 64}),
    ],
)
def test_an_example_runs_and_its_policy_meets_reality(name, arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    mean = example(name).main(**arguments)
    assert 8.0 <= mean <= 500.0  # no pole falls in fewer than eight steps
    assert f"{mean:.0f}" in capsys.readouterr().out


def test_the_example_of_maskable_ppo_plays(capsys):
    score = example("maskable_ppo_connect_four").main(timesteps=64, num_games=4)
    assert f"scores {score:.2f} against minimax:3" in capsys.readouterr().out


def test_who_replays_goes_on_believing_in_a_way_that_is_closed():
    module = example("replay_against_dyna")
    expected = {label: module.live(label, "zoo_envs/BlockingMaze-v0", 0, 1_300).expected for label in module.AGENTS}
    assert all(values[module.WALL_MOVES_AT - 1] > 0.5 for values in expected.values())
    assert expected["experience replay"][-1] > 0.5 > 0.1 > expected["Dyna-Q"][-1]


def test_the_example_of_replay_against_dyna_draws_and_prints(tmp_path, capsys):
    rewards = example("replay_against_dyna").main(tmp_path / "out.png", runs=2, episodes=2, steps=300)
    printed = capsys.readouterr().out
    assert all(f"{label}: reward {reward:.0f} in 300 steps" in printed for label, reward in rewards.items())
    assert (tmp_path / "out.png").stat().st_size > 20_000
