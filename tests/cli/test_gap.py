"""`zoo gap`: what it takes, what it prints, what it writes, and bad input."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from unittest.mock import Mock

import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image

import zoo_core
from zoo_core.plugins import load_plugins
from zoo_core.reality_gap import gap
from zoo_core.testing.fakes import KalmanModel
from zoo_core.video import dream_and_reality

from .conftest import fitted, install

SMALL = "--episodes 2 --horizon 12"
PLUGIN = """
from zoo_core.plugins import AgentSpec, hookimpl

ZOO_API = 1

@hookimpl
def zoo_register(registry):
    registry.register(AgentSpec("learner", "zoo_fake_own.agent:Learner", summary="learns a model, and acts at random"))
"""
AGENT = """
import zoo_core
from zoo_core.testing.fakes import KalmanModel
from zoo_fake_lab.agent import LabAgent, LabConfig


class Learner(LabAgent):
    config_class = LabConfig

    def __init__(self, env, config=None, **kwargs):
        super().__init__(env, config, **kwargs)
        self.model = KalmanModel(self.observation_space, self.action_space)

    @property
    def world_model(self):
        return self.model

    def iterate(self):
        self.model.fit(zoo_core.Replay.collect("Pendulum-v1", 200, seed=0), rng=zoo_core.rng(0))
        return super().iterate()
"""


@pytest.fixture
def model(lab):
    return fitted("kalman", "Pendulum-v1", Path("model.zip"))


@pytest.fixture
def run(zoo, lab):
    install(lab, "own", PLUGIN, agent=AGENT)
    load_plugins(reload=True)
    shown = zoo("train learner --env Pendulum-v1 --env-kwargs g=5.0 --steps 10 --eval-episodes 0 --quiet")
    assert shown.code == 0, shown.err
    return Path("runs/learner-Pendulum-v1-0-1")


def test_a_model_alone_meets_a_random_policy(zoo, model):
    shown = zoo(f"gap model {SMALL}")
    assert shown.code == 0, shown.err
    assert shown.out.startswith("KalmanModel against Pendulum-v1, policy random: 2 episodes, 24 real steps, ")
    assert "\nverdict: k-step error is below copy-last" in shown.out
    assert not Path("gap.json").exists()


def test_it_prints_what_the_function_returns(zoo, model):
    report = zoo_core.gap(None, zoo_core.load_model(model), "Pendulum-v1", episodes=2, horizon=12, seed=3)
    assert zoo(f"gap model {SMALL} --seed 3").out == f"{report}\n"
    printed = zoo(f"gap model {SMALL} --seed 3 --json").json()
    expected = json.loads(json.dumps(report.to_json()))
    assert printed == {"source": "model", **expected, "png": None, "video": None}


def test_a_run_is_measured_with_its_agent_in_its_environment(zoo, run):
    shown = zoo(f"gap {run} {SMALL}")
    assert shown.code == 0, shown.err
    assert 'KalmanModel against Pendulum-v1 with {"g": 5.0}, policy Learner' in shown.out
    light, heavy = (zoo(f"gap {run} {SMALL} {more} --json").json() for more in ("", "--env-kwargs g=15.0"))
    assert (light["env_kwargs"], heavy["env_kwargs"]) == ({"g": 5.0}, {"g": 15.0})
    assert heavy["returns"]["real"] != light["returns"]["real"]


def test_the_figures_of_the_run_itself_are_kept_and_on_its_card(zoo, run):
    shown = zoo(f"gap {run} --episodes 21")
    assert shown.out.endswith(f"report in {run}/gap.json\n")
    written = json.loads((run / "gap.json").read_text())
    assert written["summary"]["verdict"] in shown.out
    card = (run / "README.md").read_text()
    for name in ("error_over_best_baseline", "standard_error_of_that"):
        assert f"| {name.replace('_', ' ')} | {written['summary'][name]:.4g} |" in card
    assert "| policy | Learner |\n| episodes | 21 |" in card


@pytest.fixture
def instant(monkeypatch):
    """Measures two short episodes, whatever was asked for, and notes that."""
    asked = []

    def measure(*args, **settings):
        asked.append(settings)
        return gap(*args, **{**settings, "episodes": 2, "horizon": 3})

    monkeypatch.setattr("zoo_core.reality_gap.gap", measure)
    return asked


def test_only_figures_of_the_usual_settings_are_kept(zoo, run, instant):
    others = ("--policy random", "--env Pendulum-v1", "--env-kwargs g=15.0")
    for other in (*others, "--episodes 19", "--horizon 201", "--temperature 0.5", "--stochastic"):
        assert zoo(f"gap {run} {other}").code == 0
        assert not (run / "gap.json").exists(), other
    zoo(f"gap {run} --seed 3")
    assert (run / "gap.json").exists()


def test_usual_settings_are_those_of_the_function(zoo, model, instant):
    zoo("gap model")
    [asked] = instant
    assert asked.pop("env_kwargs") == {}
    assert asked == {name: inspect.signature(gap).parameters[name].default for name in asked}


def test_what_is_asked_for_is_measured(zoo, model, instant):
    zoo("gap model --episodes 3 --horizon 4 --seed 5 --temperature 0.5 --stochastic --env-kwargs g=3.0")
    expected = {"episodes": 3, "horizon": 4, "seed": 5, "temperature": 0.5, "deterministic": False}
    assert instant == [{**expected, "env_kwargs": {"g": 3.0}, "env_state": None}]


def test_a_model_is_measured_in_the_life_in_which_it_was_learned(zoo):
    maze = "--env zoo_envs/BlockingMaze-v0 --env-kwargs wall_moves_at=100"
    assert zoo(f"train dyna-q {maze} --set learning_rate=1.0 --steps 3000 --eval-episodes 0 --quiet").code == 0
    measure = "gap runs/dyna-q-BlockingMaze-v0-0-1 --episodes 2 --horizon 40 --json"
    errors = [zoo(f"{measure} {where}").json()["open_loop"]["errors"][0]["model"][0] for where in ("", maze)]
    assert errors[0] == 0.0
    assert errors[1] > 0.1  # before the wall moves


@pytest.mark.parametrize("observation", ["decoded", "latent"])
def test_an_agent_that_learned_in_dreams_is_measured_and_filmed(zoo, lab, observation, monkeypatch):
    settings = "model_config.hidden=8 model_config.num_layers=1 model_config.max_epochs=1 initial_steps=40"
    settings += f" dream_steps=64 num_dreams=4 horizon=10 ppo.n_steps=16 ppo.batch_size=16 observation={observation}"
    words = " ".join(f"--set {each}" for each in settings.split())
    trained = zoo(f"train dream-ppo --env Pendulum-v1 --steps 40 --eval-episodes 0 --quiet {words}")
    assert trained.code == 0, trained.err
    filmed = Mock(side_effect=dream_and_reality)
    monkeypatch.setattr("zoo_core.video.dream_and_reality", filmed)
    run = "runs/dream-ppo-Pendulum-v1-0-1"
    shown = zoo(f"gap {run} {SMALL} --seed 4 --temperature 0.5 --video x.gif --png x.png --json")
    assert shown.code == 0, shown.err
    report = shown.json()
    assert (report["policy"], report["observation"]) == ("DreamPPOAgent", observation)
    assert {"x.gif", "x.png"} <= {path.name for path in Path().iterdir()}
    expected = {"steps": 12, "seed": 4, "observation": observation, "temperature": 0.5}
    expected |= {"env_kwargs": {}, "env_state": None}
    assert filmed.call_args.kwargs == expected
    assert isinstance(filmed.call_args.args[0], zoo_core.Agent) == (observation == "decoded")


def test_the_film_shows_the_first_episode_of_the_report(zoo, run, monkeypatch):
    class Swing:
        def predict(self, observation, state=None, episode_start=None, deterministic=False):
            return np.clip(observation[:, 2:], -2, 2), state

    labels = []
    monkeypatch.setattr("zoo_core.cli.gap.open_policy", lambda *_: Swing())
    monkeypatch.setattr("zoo_core.video.side_by_side_gif", lambda *args, **_: labels.append(args[3]))
    report = zoo(f"gap {run} {SMALL} --policy swing --video x.gif --json").json()
    assert labels[0][1] == f"reality {report['returns']['real'][0]:.1f}"


def test_somebody_else_may_act(zoo, run, model):
    assert zoo(f"gap {run} {SMALL} --policy random --json").json()["policy"] == "random"
    assert zoo(f"gap model {SMALL} --policy {run} --json").json()["policy"] == "Learner"


def test_figures_and_film(zoo, model):
    shown = zoo(f"gap model {SMALL} --png out/gap.png --video out/gap.gif")
    assert shown.out.endswith("\nfigures in out/gap.png\nfilm in out/gap.gif\n")
    with Image.open("out/gap.png") as picture:
        assert picture.size == (1300, 800)
    frames = iio.imread("out/gap.gif")
    assert frames.shape == (13, 320 + 24, 320 + 4 + 320, 3)
    assert not np.array_equal(frames[0], frames[-1])


def test_a_file_without_an_environment_asks_for_one(zoo, model):
    found = zoo_core.load_model(model)
    assert isinstance(found, KalmanModel)
    found.env_id = None
    found.save("nameless.zip")
    shown = zoo("gap nameless.zip")
    assert (shown.code, shown.err) == (2, "error: nameless.zip names no environment: say which with --env ID\n")
    assert zoo(f"gap nameless.zip --env Pendulum-v1 {SMALL}").code == 0


TOO_SMALL = "Input should be greater than or equal to 1, got '0'; see zoo gap --help"
MISTAKES = {
    "gap modle": "no run or saved file at modle: did you mean 'model'?",
    "gap model --horizon 0": f"invalid value for '--horizon': {TOO_SMALL}",
    "gap model --episodes 0": f"invalid value for '--episodes': {TOO_SMALL}",
    "gap model --png a.jpg": "--png writes a PNG: name a file that ends in .png, got 'a.jpg'",
    "gap model --video a.avi": "--video writes a GIF: name a file that ends in .gif, got 'a.avi'",
    "gap model --policy modle": "no run or saved file at modle: did you mean 'model'?",
    "gap model --policy model": "model.zip holds a file of kind 'world_model', expected 'agent': "
    "zoo_core.load_model reads it",
    "gap model --env Pendulun-v1": "unknown environment 'Pendulun-v1': did you mean 'Pendulum-v1'?",
    "gap model --env MountainCarContinuous-v0": "observation space of MountainCarContinuous-v0 is "
    "Box([-1.2 -0.07], [0.6 0.07], (2,), float32), "
    "but KalmanModel learned with Box([-1. -1. -8.], [1. 1. 8.], (3,), float32)",
}


@pytest.mark.parametrize("command", MISTAKES)
def test_a_mistake_is_one_line(zoo, model, command):
    shown = zoo(command)
    assert shown.code == 2
    assert shown.err == f"error: {MISTAKES[command]}\n"
    assert shown.out == ""


def test_an_agent_without_a_model_says_what_it_needs(zoo):
    zoo("train lab --env Pendulum-v1 --steps 10 --eval-episodes 0 --quiet")
    shown = zoo("gap runs/lab-Pendulum-v1-0-1")
    assert (shown.code, shown.err) == (
        2,
        "error: runs/lab-Pendulum-v1-0-1 holds LabAgent, which has no world model: zoo gap takes a run of an agent "
        "that learns one, such as dream-ppo, or the file of a model\n",
    )


def test_a_policy_of_another_environment_is_refused(zoo, model):
    zoo("train lab --env MountainCarContinuous-v0 --steps 10 --eval-episodes 0 --quiet")
    shown = zoo("gap model --policy runs/lab-MountainCarContinuous-v0-0-1")
    assert shown.code == 2
    assert shown.err.startswith("error: LabAgent acts on Box([-1.2 -0.07], [0.6 0.07], (2,), float32), but decoded")


def test_a_run_of_zoo_dream_says_how_to_measure_it(zoo, model):
    zoo("dream model --algo A2C --timesteps 40 --num-envs 8 --horizon 20 --eval-episodes 0 --quiet")
    shown = zoo("gap runs/a2c-in-model-0-1")
    assert (shown.code, shown.err) == (
        2,
        "error: runs/a2c-in-model-0-1 was written by `zoo dream` and holds no model: in Python, pass A2C.load(...) "
        "of SB3 and the model in model to zoo_core.gap\n",
    )


def test_a_film_of_what_draws_no_pictures_is_refused_at_once(zoo, model, plain):
    shown = zoo(f"gap model --env {plain} --video x.gif")
    assert shown.code == 2
    assert shown.err == "error: environment 'Plain-v0' draws no pictures: its render modes are []\n"
