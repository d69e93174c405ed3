"""From a name, or an environment, to the rules of its game."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any, cast

import gymnasium as gym
from stable_baselines3.common.vec_env import VecEnv

from zoo_core.errors import UnknownNameError, did_you_mean
from zoo_mcts.games.catalogue import CLASSICS, OPEN_SPIEL, game_ids
from zoo_mcts.games.game import Game


def make_game(id: str, **kwargs: Any) -> Game:
    """Makes the rules of a game by name.

    Args:
        id: one of PettingZoo's games such as "go_v5", of OpenSpiel's such as "open_spiel/hex", or "module:function" of
            a function that makes a PettingZoo AEC environment.
        **kwargs: of the game, such as board_size.

    Raises:
        UnknownNameError: there is no such game.
        ValueError: the game does not take these arguments, or is none that two play in turns, seeing everything.
        ZooError: the library that knows its rules is not installed.
    """
    if id in CLASSICS:
        module, _, name = CLASSICS[id].partition(":")
        rules = getattr(import_module(module), name)
        try:
            inspect.signature(rules).bind(**kwargs)
        except TypeError as error:
            raise ValueError(f"{id}: {error}") from error
        return cast(Game, rules(**kwargs))
    if id.startswith(OPEN_SPIEL):
        from zoo_mcts.games.open_spiel import OpenSpielGame

        return OpenSpielGame(id.removeprefix(OPEN_SPIEL), **kwargs)
    if ":" in id:
        from zoo_mcts.games.adapters import game_of_reference

        return game_of_reference(id, **kwargs)
    own = '(one of your own is given as an environment, as what makes it, or as "module:function")'
    raise UnknownNameError(f"unknown game {id!r}{did_you_mean(id, game_ids())} {own}")


def game_of(env: Any, **kwargs: Any) -> Game:
    """Returns the rules of the game that an environment is.

    Args:
        env: a game's id, a `Game`, a `GameVecEnv`, a `SelfPlayEnv` or a VecEnv of these, a PettingZoo AEC environment,
            the function or the module that makes it.
        **kwargs: of the game, in place of those that it has.

    Raises:
        ValueError: it is no board game that two play in turns, seeing everything; the message says why.
    """
    if kwargs:
        plain = game_of(env)
        return make_game(plain.id, **{**plain.kwargs, **kwargs})
    if isinstance(env, Game):
        return env
    if isinstance(env, str):
        return make_game(env)
    if isinstance(env, VecEnv):
        try:
            games = env.get_attr("game")
        except AttributeError:
            games = []
        if games and isinstance(games[0], Game):
            return games[0]
        raise ValueError(_no_game(env))
    if isinstance(env, gym.Env):
        game = getattr(env.unwrapped, "game", None)
        if isinstance(game, Game):
            return game
        raise ValueError(_no_game(env))
    from zoo_mcts.games.adapters import game_of_aec  # which imports PettingZoo

    found: Game = game_of_aec(env)
    return found


def _no_game(env: Any) -> str:
    name = getattr(getattr(env, "spec", None), "id", None) or type(env).__name__
    return (
        f"{name} has a single agent: a board game of two players is needed, such as connect_four_v3, by its id, as a "
        "PettingZoo AEC environment, or as a SelfPlayEnv"
    )
