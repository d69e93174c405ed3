"""A plugin made for these tests, installed as plugins are, and the command run in this process."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
from gymnasium.envs.classic_control import PendulumEnv

import zoo_core
from tests.fake_distribution import install, site_packages
from zoo_core.cli import main
from zoo_core.plugins import load_plugins

PLUGIN = """
from zoo_core.plugins import AgentSpec, CommandSpec, PlannerSpec, WorldModelSpec, hookimpl

ZOO_API = 1

@hookimpl
def zoo_register(registry):
    agent = "zoo_fake_lab.agent:LabAgent"
    registry.register(
        AgentSpec("lab", agent, summary="acts at random", config="zoo_fake_lab.agent:LabConfig",
                  paper="in no paper", observation_spaces=("Box",), action_spaces=("Box",))
    )
    registry.register(AgentSpec("lost", "zoo_fake_lab.nowhere:Agent", summary="cannot be imported"))
    fakes = "zoo_core.testing.fakes"
    registry.register(WorldModelSpec("kalman", f"{fakes}.kalman:KalmanModel", summary="linear and Gaussian"))
    registry.register(
        WorldModelSpec("lab", f"{fakes}.value_equivalent:ValueEquivalentModel", summary="latent", decodes=False)
    )
    registry.register(PlannerSpec("shooting", f"{fakes}.planners:CrossEntropyPlanner", summary="searches"))
    registry.register(CommandSpec("greet", "zoo_fake_lab.commands:greet", summary="Greet somebody."))
    registry.register(CommandSpec("tools", "zoo_fake_lab.commands:tools", summary="Several tools."))
    registry.register(CommandSpec("absent", "zoo_fake_lab.nowhere:command", summary="Cannot be imported."))
"""

AGENT = """
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from zoo_core import Agent
from zoo_core.acting import RandomPolicy
from zoo_core.config import check_choice, check_range
from zoo_core.seeding import set_space_streams, space_streams


@dataclass(frozen=True)
class BaseConfig:
    gain: float = 1.0  # of the action, in (0, 2]
    # sizes of the layers,
    # from the first
    hidden: tuple[int, ...] = (64, 64)


@dataclass(frozen=True)
class LabConfig(BaseConfig):
    presets: ClassVar = {"big": {"hidden": (256, 256), "gain": 2.0}}

    hidden: tuple[int, ...] = (32, 32)
    fate: str = "well"  # how learning ends: "well",
                        # "value error", "bug" or "interrupt"
    model: str = (
        "kalman"  # a world model
    )
    model_config: Mapping[str, Any] | None = None
    extra: Mapping[str, float] = field(default_factory=lambda: {"a": 1.0})

    def __post_init__(self):
        check_range("gain", self.gain, 0.0, 2.0, low_open=True)


class LabAgent(Agent):
    config_class = LabConfig

    def __init__(self, env, config=None, **kwargs):
        super().__init__(env, config, **kwargs)
        if self.config.fate == "refuse":
            raise ValueError("fate must not be 'refuse'")
        self._policy = RandomPolicy(self.action_space, seed=self.seed)

    def begin_episodes(self):
        self.env.reset()

    def iterate(self):
        for _ in range(10):
            self.env.step(np.stack([self.action_space.sample() for _ in range(self.env.num_envs)]))
        if self.config.fate == "value error":
            raise ValueError("shapes do not match")
        if self.config.fate == "bug":
            raise RuntimeError("a screw\\ncame loose")
        if self.config.fate == "interrupt" and self.num_timesteps >= 50:
            raise KeyboardInterrupt
        return {"loss": 1.0}

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        start = np.ones(len(observation)) if episode_start is None else episode_start
        return self._policy.predict(observation, state, start)

    def to_file(self):
        return {}, {}

    def load_file(self, data, tensors):
        pass

    def to_checkpoint(self):
        return space_streams(self.action_space)

    def load_checkpoint(self, state):
        set_space_streams(self.action_space, state)
"""

COMMANDS = """
import typer

def greet(name: str) -> None:
    typer.echo(f"hello {name}")

tools = typer.Typer()

@tools.command()
def hammer() -> None:
    typer.echo("bang")

@tools.command()
def saw() -> int:
    return 7
"""


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture(autouse=True)
def lab(tmp_path_factory, monkeypatch):
    """Installs the plugin, and goes to an empty directory."""
    with site_packages(tmp_path_factory.mktemp("site"), monkeypatch) as site, monkeypatch.context() as patch:
        install(site, "lab", PLUGIN, agent=AGENT, commands=COMMANDS)
        load_plugins(reload=True)
        patch.chdir(tmp_path_factory.mktemp("work"))
        yield site


@pytest.fixture
def broken(lab):
    """Installs a plugin that cannot be imported."""
    install(lab, "cracked", "import nothing_like_that")
    load_plugins(reload=True)


@pytest.fixture
def zoo(capfd):
    """Runs a command line: `zoo("list agents")`, or `zoo("eval", path)`."""

    def run(*words: object) -> Outcome:
        capfd.readouterr()
        split = str(words[0]).split() if len(words) == 1 else [str(word) for word in words]
        code = main(split)
        return Outcome(code, *capfd.readouterr())

    return run


class PlainPendulum(PendulumEnv):
    """A pendulum without pictures."""

    metadata = {"render_modes": []}  # noqa: RUF012


@pytest.fixture
def plain():
    """Registers an environment like Pendulum-v1 that draws no pictures."""
    gym.register("Plain-v0", PlainPendulum, max_episode_steps=200)
    yield "Plain-v0"
    del gym.registry["Plain-v0"]


def fitted(model_id: str, env_id: str, path: Path, steps: int = 300) -> Path:
    """Saves a world model of an environment, learned from random steps."""
    replay = zoo_core.Replay.collect(env_id, steps, seed=0)
    model = zoo_core.make_model(model_id, replay.observation_space, replay.action_space, seed=0)
    model.fit(replay, rng=zoo_core.rng(0))
    return model.save(path)
