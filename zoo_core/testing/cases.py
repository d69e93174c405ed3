"""Every kind of world model, fitted to a little real experience: the fakes, the simulator, all registered models."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
from gymnasium.wrappers import TimeLimit

from zoo_core import seeding
from zoo_core.plugins import ComponentSpec, PlannerSpec, WorldModelSpec, make_env, make_model, specs
from zoo_core.replay import Replay
from zoo_core.simulator import SimulatorModel
from zoo_core.testing import fakes
from zoo_core.world_model import WorldModel

_STEPS = 400  # of real experience
_UPDATES = 30
_CORRIDOR_STEPS = 40
_SHORT = 15  # steps of an episode in which an agent is checked: several end, whatever it does, none with 64 steps


@dataclass(frozen=True)
class ModelCase:
    """A model and the environment that it is fitted to.

    Attributes:
        name: of the test.
        make_env: makes the environment; None for known rules that have none.
        make_model: makes the model, unfitted, for an environment.
    """

    name: str
    make_env: Callable[[], gym.Env[Any, Any]] | None
    make_model: Callable[[Any], WorldModel]

    def __str__(self) -> str:
        return self.name

    @functools.cached_property
    def replay(self) -> Replay | None:
        """Random experience."""
        return None if self.make_env is None else Replay.collect(self.make_env(), _STEPS, seed=0)

    def new(self) -> WorldModel:
        """Returns the model, unfitted."""
        return self.make_model(self.make_env() if self.make_env else None)

    @functools.cached_property
    def model(self) -> WorldModel:
        """The model, fitted; the same one each time."""
        model = self.new()
        if self.replay is not None:
            model.fit(self.replay, rng=seeding.rng(0, "fit", device=model.device), max_updates=_UPDATES)
        return model

    @property
    def imagination(self) -> dict[str, Any]:
        """What a dream in this model needs: an opponent, if two play."""
        return {"opponent": fakes.random_opponent} if self.model.num_players > 1 else {}


@functools.cache
def model_cases() -> tuple[ModelCase, ...]:
    """Returns all cases; those of registered models are named "id-Environment", and board games are left out."""
    known = tuple(
        ModelCase(f"simulator-{env_id}", functools.partial(make_env, env_id), lambda env: SimulatorModel(env))
        for env_id in ("Pendulum-v1", "CartPole-v1")
    )
    rules = ModelCase("tic-tac-toe", None, lambda _: fakes.TicTacToe())
    registered = (case for spec in specs("model") if spec.players == 1 for case in cases_of(spec))
    return (*_FAKES, rules, *known, *registered)


def cases_of(spec: WorldModelSpec) -> tuple[ModelCase, ...]:
    """Returns a registered model in each of `env_ids_for(spec)`, with its `check_config`."""
    return tuple(
        ModelCase(
            f"{spec.id}-{name}",
            _ENVS[name],
            lambda env: make_model(spec.id, env.observation_space, env.action_space, spec.check_config, device="cpu"),
        )
        for name in env_ids_for(spec)
    )


def env_ids_for(spec: ComponentSpec) -> tuple[str, ...]:
    """Returns CartPole-v1 and Pendulum-v1, or else the first small environment with spaces that `spec` takes.

    Raises:
        AssertionError: There is none that it takes.
    """
    taken = [name for name, make in _ENVS.items() if _takes(spec, make)]
    names = [name for name in taken if name in ("CartPole-v1", "Pendulum-v1")] or taken[:1]
    assert names, f"no small environment has the spaces that {spec.kind} {spec.id!r} takes: see zoo_core.testing.cases"
    return tuple(names)


def register(env_id: str) -> str:
    """Registers one of `env_ids_for` with Gymnasium, cut to short episodes, and returns its id."""
    short = f"short/{env_id}" if "-v" in env_id else f"short/{env_id}-v0"
    if short not in gym.registry:
        gym.register(short, lambda **_: _ENVS[env_id](), max_episode_steps=_SHORT, disable_env_checker=True)
    return short


def models_for(spec: PlannerSpec) -> tuple[ModelCase, ...]:
    """Returns fakes that a planner can search, one for each kind of action that it takes.

    Raises:
        AssertionError: There is none that it takes.
    """
    found: dict[type, ModelCase] = {}
    for case in _FAKES:
        if case.make_env is not None and _takes(spec, case.make_env):
            found.setdefault(type(case.make_env().action_space), case)
    assert found, f"no small model has the spaces that planner {spec.id!r} takes: see zoo_core.testing.cases"
    return tuple(found.values())


def _takes(spec: ComponentSpec, make: Callable[[], gym.Env[Any, Any]]) -> bool:
    env = make()
    return spec.supports(env.observation_space, env.action_space)


def _corridor(kind: str) -> gym.Env[Any, Any]:
    return TimeLimit(fakes.Corridor(kind, continuous=kind == "goal"), _CORRIDOR_STEPS)


def _of(model_class: type[WorldModel]) -> Callable[[Any], WorldModel]:
    return lambda env: model_class(env.observation_space, env.action_space)


_ENVS: dict[str, Callable[[], gym.Env[Any, Any]]] = {
    "CartPole-v1": functools.partial(make_env, "CartPole-v1"),
    "Pendulum-v1": functools.partial(make_env, "Pendulum-v1"),
    **{
        f"Corridor-{kind}": functools.partial(_corridor, kind)
        for kind in ("discrete", "vector", "image", "dict", "goal")
    },
}

_FAKES = tuple(
    ModelCase(name, _ENVS[env], _of(model_class))
    for name, env, model_class in (
        ("lookup-table", "Corridor-discrete", fakes.LookupTable),
        ("rssm", "Pendulum-v1", fakes.SmallRSSM),
        ("rssm-pixels", "Corridor-image", fakes.SmallRSSM),
        ("mdn-rnn", "CartPole-v1", fakes.MDNRNN),
        ("kalman", "Pendulum-v1", fakes.KalmanModel),
        ("value-equivalent", "CartPole-v1", fakes.ValueEquivalentModel),
        ("dict", "Corridor-dict", fakes.DictModel),
        ("goal", "Corridor-goal", fakes.GoalModel),
    )
)
