"""From a PettingZoo AEC environment to the rules of its game."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

from gymnasium import spaces
from gymnasium.utils import EzPickle
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.utils import wrappers
from pettingzoo.utils.conversions import parallel_to_aec_wrapper
from pettingzoo.utils.wrappers.base import BaseWrapper

from zoo_core.errors import UnknownNameError
from zoo_mcts.games.catalogue import CLASSICS, OPEN_SPIEL
from zoo_mcts.games.game import NUM_PLAYERS, Game
from zoo_mcts.games.lookup import make_game
from zoo_mcts.games.replayed import ReplayedGame

SHIMMY_MODULE = "shimmy.openspiel_compatibility"
_CLASSIC_MODULES = "pettingzoo.classic."
_SPACES = "action_space", "observation_space"
_HARMLESS = (  # wrappers that only watch
    BaseWrapper,
    wrappers.AssertOutOfBoundsWrapper,
    wrappers.CaptureStdoutWrapper,
    wrappers.OrderEnforcingWrapper,
    wrappers.TerminateIllegalWrapper,
)
_REFUSED = {  # PettingZoo's classics that do not fit, by the beginning of their names
    "rps": "moves are simultaneous",
    "texas_holdem": "cards are hidden from players",
    "leduc_holdem": "cards are hidden from players",
    "gin_rummy": "cards are hidden from players",
    "hanabi": "cards are hidden from players, and they win together",
}


def game_of_aec(env: Any) -> Game:
    """Returns the rules of the game that a PettingZoo AEC environment is.

    PettingZoo's classics and Shimmy's games of OpenSpiel are recognised, and have rules of their own here. Others, and
    those in wrappers that may change the rules, are replayed (`ReplayedGame`).

    Args:
        env: an environment, the function or class that makes one, or a module with such a function `env`.

    Raises:
        ValueError: it is no board game that two play in turns, seeing everything; the message says why.
        TypeError: it is none of these.
    """
    if isinstance(env, ModuleType):
        if why := _refused(env.__name__.rpartition(".")[2]):
            raise _unfit(env.__name__, why)
        if not callable(getattr(env, "env", None)):
            raise TypeError(f"module {env.__name__} has no function env that makes an AEC environment")
        return _game_of_factory(env.env)
    if isinstance(env, AECEnv | ParallelEnv):
        return _game_of_instance(env)
    if callable(env):
        return _game_of_factory(env)
    raise TypeError(f"expected a game's id, a PettingZoo AEC environment, or what makes one, got {type(env).__name__}")


def game_of_reference(reference: str, **kwargs: Any) -> Game:
    """Returns the rules of the game that `"module:function"` makes an environment of, with keyword arguments.

    Raises:
        UnknownNameError: there is no such module or function.
        ValueError: see `game_of_aec`.
    """
    module, _, name = reference.partition(":")
    try:
        make_env = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UnknownNameError(f"unknown game {reference!r}: {error}") from error
    return _game_of_factory(partial(make_env, **kwargs))


def _game_of_factory(make_env: Callable[[], Any]) -> Game:
    env = make_env()
    if not isinstance(env, AECEnv | ParallelEnv):
        raise TypeError(f"expected what makes a PettingZoo AEC environment, it made {type(env).__name__}")
    known = _known_game(env)
    if known is not None and not strange_wrappers(env):
        return known
    _check_spaces(env)
    return ReplayedGame(make_env)


def _game_of_instance(env: Any) -> Game:
    known = _known_game(env)
    if strange := strange_wrappers(env):
        raise ValueError(
            f"{env} cannot be replayed: {strange[0]} may change the rules, and how it was made is not known; give what "
            f"makes the environment instead, such as lambda: {strange[0]}(...)"
        )
    if known is not None:
        return known
    _check_spaces(env)
    kind: Any = type(env.unwrapped)
    arguments = _arguments_of(env.unwrapped)
    if arguments is None:
        raise ValueError(
            f"{env} cannot be replayed: {kind.__name__} takes arguments, and does not keep them as gymnasium's "
            f"EzPickle does; give what makes it instead, such as lambda: {kind.__name__}(...)"
        )
    return _game_of_factory(partial(kind, *arguments[0], **arguments[1]))


def _known_game(env: Any) -> Game | None:
    """Returns the game of an environment whose rules are known here, of PettingZoo or Shimmy.

    Raises:
        ValueError: it is known that it does not fit.
    """
    inner = env.unwrapped
    module, name = type(inner).__module__, str(getattr(inner, "metadata", {}).get("name"))
    if isinstance(env, ParallelEnv) or _is_parallel(env):
        raise _unfit(name, "moves are simultaneous")
    if module.startswith(_CLASSIC_MODULES):
        if why := _refused(name):
            raise _unfit(name, why)
        if name == "go_v5":
            return make_game(name, board_size=inner._N, komi=inner._komi)
        if name in CLASSICS:
            return make_game(name)
    if module == SHIMMY_MODULE:
        # reset() loads the game anew by its name and this config, whatever the environment was made of.
        return make_game(OPEN_SPIEL + inner.game_type.short_name, **(inner.config or {}))
    return None


def _check_spaces(env: Any) -> None:
    """Raises ValueError where the agents and spaces of an environment are not those of a board game for two."""
    name, agents = str(env), env.possible_agents
    if len(agents) != NUM_PLAYERS:
        raise _unfit(name, f"two players are needed, it has {len(agents)}: {', '.join(map(str, agents))}")
    for agent in agents:
        actions, seen = env.action_space(agent), env.observation_space(agent)
        if not isinstance(actions, spaces.Discrete) or actions.start != 0:
            raise _unfit(name, f"actions must be Discrete, from 0 on; those of {agent} are {actions}")
        if isinstance(seen, spaces.Dict) and {"action_mask", "observation"} <= seen.spaces.keys():
            seen = seen["observation"]
        elif isinstance(seen, spaces.Dict) or not _masks_in_info(env):
            raise _unfit(
                name,
                f'it needs action masks: observations {{"observation", "action_mask"}}, or infos with "action_mask"; '
                f"observations of {agent} are {seen}",
            )
        if not isinstance(seen, spaces.Box):
            raise _unfit(name, f"what players see must be a Box; that of {agent} is {seen}")
    if any(getattr(env, space)(agents[0]) != getattr(env, space)(agents[1]) for space in _SPACES):
        raise _unfit(name, "both players must have the same spaces")


def layers(env: Any) -> Iterator[Any]:
    """Yields an environment and what is in it, from the outside."""
    while env is not None:
        yield env
        env = vars(env).get("env") if isinstance(env, BaseWrapper | parallel_to_aec_wrapper) else None


def _is_parallel(env: Any) -> bool:
    """Returns whether all agents act at once, which an environment says of itself, or it was made of one."""
    *outside, inner = layers(env)
    made = any(isinstance(each, parallel_to_aec_wrapper) for each in outside)
    return made or bool(getattr(inner, "metadata", {}).get("is_parallelizable", False))


def strange_wrappers(env: Any) -> list[str]:
    """Returns the names of wrappers that may change the rules."""
    *outside, _ = layers(env)
    return [type(each).__name__ for each in outside if type(each) not in _HARMLESS]


def _masks_in_info(env: Any) -> bool:
    env.reset(seed=0)
    return "action_mask" in env.infos[env.agent_selection]


def _arguments_of(env: Any) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """Returns the arguments that make another environment like this one; None if they are not known."""
    kind = type(env)
    maker = next(each for each in kind.__mro__ if "__init__" in vars(each))
    if EzPickle in maker.__bases__:
        return env._ezpickle_args, env._ezpickle_kwargs
    return None if inspect.signature(kind).parameters else ((), {})


def _refused(name: str) -> str:
    return next((why for begin, why in _REFUSED.items() if name.startswith(begin)), "")


def _unfit(name: str, why: str) -> ValueError:
    return ValueError(f"{name} does not fit: {why}")
