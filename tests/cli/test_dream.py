"""`zoo dream`: SB3's algorithms in a saved model, then in reality; and bad input."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import imageio.v3 as iio
import pytest
import stable_baselines3

from .conftest import fitted

SMALL = "--num-envs 8 --horizon 20 --eval-episodes 2 --quiet"


@pytest.fixture
def model(lab):
    return fitted("kalman", "Pendulum-v1", Path("model"))


def run_json(path: str | Path) -> dict[str, object]:
    return json.loads((Path(path) / "run.json").read_text())


@pytest.mark.parametrize("algorithm", ["PPO", "A2C", "sac", "TD3"])
def test_an_algorithm_learns_and_its_policy_can_be_loaded(zoo, model, algorithm):
    shown = zoo(f"dream model --algo {algorithm} --timesteps 600 {SMALL} --set policy_kwargs.net_arch=[8]")
    assert shown.code == 0, shown.err
    name = algorithm.lower()
    run = Path(f"runs/{name}-in-model-0-1")
    policy = getattr(stable_baselines3, algorithm.upper()).load(run / f"sb3_{name}.zip")
    assert policy.policy.net_arch == [8]
    assert list(csv.DictReader((run / "progress.csv").read_text().splitlines()))
    assert any(path.name.startswith("events.out.tfevents") for path in run.iterdir())
    assert "in the dream: return" in shown.out
    assert "in Pendulum-v1: return" in shown.out


def test_dqn_learns_where_actions_are_discrete(zoo):
    fitted("kalman", "CartPole-v1", Path("model"))
    shown = zoo(f"dream model --algo DQN --timesteps 600 {SMALL}")
    assert shown.code == 0, shown.err
    assert Path("runs/dqn-in-model-0-1/sb3_dqn.zip").is_file()


def test_the_record_says_all_about_the_run(zoo, model):
    zoo(f"dream model --algo PPO --timesteps 512 {SMALL} --seed 4 --temperature 0.5 --set gamma=0.9")
    record = run_json("runs/ppo-in-model-4-1")
    assert record["kind"] == "dream"
    assert record["model"] == {"path": "model", "class": "KalmanModel"}
    assert record["env"] == {"id": "Pendulum-v1", "kwargs": {}}
    assert record["dream"] == {"num_envs": 8, "horizon": 20, "temperature": 0.5, "observation": "decoded"}
    assert record["config"] == {"policy": "MlpPolicy", "n_steps": 1024, "batch_size": 512, "gamma": 0.9}
    assert record["versions"]["zoo-fake-lab"] == "1.2"
    assert record["result"]["dream"]["lengths"] == [20, 20]
    assert record["result"]["reality"]["lengths"] == [200, 200]
    assert 0 <= record["held_fraction"] <= 1


def test_json_is_all_that_is_printed(zoo, model):
    printed = zoo(f"dream model --algo A2C --timesteps 40 {SMALL} --json --verbose").json()
    assert printed.pop("run") == "runs/a2c-in-model-0-1"
    assert printed == run_json("runs/a2c-in-model-0-1")


def test_defaults_suit_many_dreams():
    from stable_baselines3.common.vec_env import VecEnv

    import zoo_core
    from zoo_core.cli import learners

    fitted("kalman", "Pendulum-v1", Path("model"))
    model = zoo_core.load_model("model")

    def defaults(name: str, num_envs: int, **settings: object) -> dict[str, object]:
        env: VecEnv = zoo_core.DreamVecEnv(model, num_envs)
        learner = learners.find_algorithm(name)
        _, arguments = learners.make_learner(learner, env, settings, timesteps=100_000, seed=0, device="cpu", verbose=0)
        return arguments

    assert defaults("PPO", 256) == {"policy": "MlpPolicy", "n_steps": 32, "batch_size": 512}
    assert defaults("PPO", 1) == {"policy": "MlpPolicy", "n_steps": 2048, "batch_size": 128}
    assert defaults("PPO", 256, n_steps=64)["batch_size"] == 1024
    assert defaults("SAC", 256)["gradient_steps"] == 16
    assert defaults("SAC", 1)["gradient_steps"] == 1
    assert defaults("TD3", 4)["action_noise"] == 0.1


def test_a_model_without_decode_dreams_in_latents_and_acts_in_reality(zoo):
    fitted("lab", "Pendulum-v1", Path("latent"))
    decoded = zoo(f"dream latent --algo PPO --timesteps 512 {SMALL}")
    assert decoded.code == 2
    assert decoded.err == (
        "error: ValueEquivalentModel cannot decode observations; "
        'use observation="latent" for dreams and latent policies\n'
    )
    shown = zoo(f"dream latent --algo A2C --timesteps 40 {SMALL} --observation latent --video latent.gif")
    assert shown.code == 0, shown.err
    assert "in Pendulum-v1: return" in shown.out
    assert iio.imread("latent.gif").shape[2] > 500


def test_video_shows_dream_and_reality_side_by_side(zoo, model):
    shown = zoo(f"dream model --algo A2C --timesteps 40 {SMALL} --video both.gif")
    assert "film in both.gif" in shown.out.splitlines()
    frames = iio.imread("both.gif")
    assert frames.shape[1:] == (344, 644, 3)
    assert 2 <= len(frames) <= 21


def test_without_a_reality_there_is_a_dream_alone(zoo, model):
    import zoo_core

    nameless = zoo_core.load_model(model)
    nameless.env_id = "Elsewhere-v0"
    nameless.save("nameless")
    shown = zoo(f"dream nameless --algo A2C --timesteps 40 {SMALL} --video alone.gif")
    assert shown.code == 0
    expected = "warning: the policy will not be taken to reality: unknown environment 'Elsewhere-v0'"
    assert shown.err.startswith(expected)
    assert set(run_json("runs/a2c-in-nameless-0-1")["result"]) == {"dream"}
    assert iio.imread("alone.gif").ndim == 4


def test_the_same_seed_learns_the_same_policy(zoo, model):
    for _ in range(2):
        zoo(f"dream model --algo A2C --timesteps 80 {SMALL}")
    first, second = (run_json(f"runs/a2c-in-model-0-{n}")["result"] for n in (1, 2))
    assert first == second


MISTAKES = {
    "dream model --algo POP": "unknown algorithm 'POP': did you mean 'PPO'?",
    "dream model --algo DQN": "DQN takes Discrete action spaces, got Box(-2.0, 2.0, (1,), float32); "
    "algorithms that take it: PPO, A2C, SAC, TD3, DDPG",
    "dream model --algo PPO --set n_stpes=3": "SB3's PPO has no argument 'n_stpes': did you mean 'n_steps'?",
    "dream model --algo PPO --set n_steps=few": "PPO: n_steps must be an integer, got 'few'",
    "dream model --algo PPO --set gamma=2": "PPO: gamma must be in [0.0, 1.0], got 2.0",
    "dream model --algo PPO --set learning_rate=0": "PPO: learning_rate must be in (0.0, inf), got 0.0",
    "dream model --algo PPO --set policy=MplPolicy": "SB3's PPO rejects its arguments: Policy MplPolicy unknown",
    "dream model --algo PPO --set seed=3": "PPO: seed is set for the algorithm; remove it",
    "dream model --algo TD3 --set action_noise=-1": "TD3: action_noise must be in [0.0, inf), got -1.0",
    "dream modle --algo PPO": "no run or saved file at modle: did you mean 'model'?",
    "dream model --algo PPO --horizon 0": "invalid value for '--horizon': "
    "Input should be greater than or equal to 1, got '0'; see zoo dream --help",
    "dream model --algo PPO --env Pendulun-v1": "unknown environment 'Pendulun-v1': did you mean 'Pendulum-v1'?",
    "dream model --algo PPO --video a.avi": "--video writes a GIF: name a file that ends in .gif, got 'a.avi'",
    "dream model --algo PPO --obsrevation latent": "zoo dream has no option --obsrevation: "
    "did you mean '--observation'?",
}


@pytest.mark.parametrize("command", MISTAKES)
def test_a_mistake_is_one_line_and_leaves_no_run_behind(zoo, model, command):
    shown = zoo(command)
    assert shown.code == 2
    assert shown.err == f"error: {MISTAKES[command]}\n"
    assert shown.out == ""
    assert not Path("runs").exists()


def test_a_film_of_what_draws_no_pictures_is_refused_before_the_work(zoo, model, plain):
    shown = zoo(f"dream model --algo A2C {SMALL} --env {plain} --video x.gif")
    assert shown.code == 2
    assert shown.err == "error: environment 'Plain-v0' draws no pictures: its render modes are []\n"
    assert not Path("runs").exists()


def test_an_agent_without_a_model_has_no_dreams(zoo):
    zoo("train lab --env Pendulum-v1 --steps 10 --eval-episodes 0 --quiet")
    shown = zoo("dream runs/lab-Pendulum-v1-0-1 --algo PPO")
    assert shown.code == 2
    assert shown.err == "error: runs/lab-Pendulum-v1-0-1 holds no world model (it is of kind 'agent')\n"


def test_a_dream_can_neither_be_dreamt_in_nor_evaluated(zoo, model):
    zoo(f"dream model --algo A2C --timesteps 40 {SMALL}")
    run = "runs/a2c-in-model-0-1"
    assert zoo(f"dream {run} --algo PPO").err == (
        f"error: {run} was written by `zoo dream` and holds no model: dream in model, as it did\n"
    )
    assert zoo(f"eval {run}").err == (
        f"error: {run} was written by `zoo dream`: load sb3_a2c.zip with A2C.load(...) of SB3\n"
    )
