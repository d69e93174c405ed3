"""The systems that come with the plugin, and how the system of a model is found."""

from __future__ import annotations

import functools
from typing import Any

from gymnasium import Space
from torch import Tensor

from zoo_core import spaces
from zoo_core.config import resolve_function
from zoo_core.errors import ConfigError, UnsupportedSpaceError, did_you_mean
from zoo_core.known_functions import NUM_TRIED, KnownFunction
from zoo_parametric.cart_pole import CartPole
from zoo_parametric.config import Function
from zoo_parametric.pendulum import Pendulum
from zoo_parametric.swing_up import CartPoleSwingUp
from zoo_parametric.system import Constants, System

SYSTEMS: dict[str, type[System]] = {
    "cart-pole": CartPole,
    "cart-pole-swing-up": CartPoleSwingUp,
    "pendulum": Pendulum,
}
_YOURS = "give system= a subclass of zoo_parametric.system.System, or its name, 'module:Class'"


def make_system(choice: str | Function, observation_space: Space[Any], action_space: Space[Any]) -> System:
    """Makes the system that a config names.

    Args:
        choice: "auto", a built-in name, "module:Class", a subclass of System, or a `functools.partial` of one.
        observation_space: of the environment; "auto" takes the system that is of these very spaces.
        action_space: of the environment.

    Raises:
        ConfigError: there is no such system, or what is named makes none.
        UnsupportedSpaceError: "auto" found none, or the system is of other spaces.
    """
    if choice == "auto":
        return _find(observation_space, action_space)
    if isinstance(choice, str) and ":" not in choice:
        if choice not in SYSTEMS:
            raise ConfigError(f"there is no system {choice!r}{did_you_mean(choice, ['auto', *SYSTEMS])}; or {_YOURS}")
        made: System = SYSTEMS[choice]()
    else:
        made = _call(resolve_function(choice))
    _check_shapes(made, observation_space, action_space)
    return made


def check_system(system: System, constants: Constants, observation_space: Space[Any], action_space: Space[Any]) -> None:
    """Asks a system for one step from neutral elements of the spaces, so that a wrong one is told before anybody
    collects data for it.

    Raises:
        ValueError: a method returned something else than it should.
    """
    obs, action = (spaces.to_tensor(each, spaces.zeros(each, NUM_TRIED)) for each in (observation_space, action_space))
    name = type(system).__name__
    next_obs: Any = system.next_obs(obs, action, constants)
    if not isinstance(next_obs, Tensor) or next_obs.shape != obs.shape:
        got = tuple(next_obs.shape) if isinstance(next_obs, Tensor) else type(next_obs).__name__
        raise ValueError(f"{name}.next_obs must return a tensor of shape {tuple(obs.shape)}, got {got}")
    for method in (system.reward, system.termination):
        known, terminates = functools.partial(method, constants=constants), method == system.termination
        KnownFunction(known, f"{name}.{method.__name__}", terminates=terminates)(obs, action, next_obs)


def _find(observation_space: Space[Any], action_space: Space[Any]) -> System:
    for system in SYSTEMS.values():
        if system.observation_space == observation_space and system.action_space == action_space:
            return system()
    known = "; ".join(f"{name}: {each.observation_space}, {each.action_space}" for name, each in SYSTEMS.items())
    raise UnsupportedSpaceError(
        f"no built-in system is of an environment with observations {observation_space} and actions {action_space} "
        f"({known}). Name the one that it is, system={next(iter(SYSTEMS))!r} say, or {_YOURS}"
    )


def _call(maker: Any) -> System:
    """Makes a System; a file may name any function of an installed package, and only classes of systems are called."""
    system = maker.func if isinstance(maker, functools.partial) else maker
    if not (isinstance(system, type) and issubclass(system, System)):
        raise ConfigError(f"{system!r} is no subclass of System: {_YOURS}, or a functools.partial of it")
    made: System = maker()
    return made


def _check_shapes(system: System, observation_space: Space[Any], action_space: Space[Any]) -> None:
    for what, wanted, got in (
        ("observation", system.observation_space, observation_space),
        ("action", system.action_space, action_space),
    ):
        if wanted is not None and (type(wanted) is not type(got) or wanted.shape != got.shape):
            raise UnsupportedSpaceError(f"{type(system).__name__} takes {what} spaces such as {wanted}, got {got}")
