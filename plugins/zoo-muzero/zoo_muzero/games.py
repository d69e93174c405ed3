"""Whether an environment is a board game, and which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
from stable_baselines3.common.vec_env import VecEnv

from zoo_core.acting import SpacesOnly
from zoo_core.errors import UnknownNameError
from zoo_mcts.games.game import Game
from zoo_mcts.games.lookup import game_of, make_game


def find_game(env: Any, game: str | None, game_kwargs: Mapping[str, Any]) -> Game | None:
    """Returns the rules of the board game that an environment is; None if it is none.

    Args:
        env: what an agent was given.
        game: id of the game that it plays; None takes any.
        game_kwargs: of that game.

    Raises:
        ValueError: it is another game, or none, though one is named.
    """
    if isinstance(env, SpacesOnly):
        return None if game is None else make_game(game, **game_kwargs)
    found = game_of(env, **({} if game else game_kwargs)) if _may_be(env) else None
    if game is not None and (found is None or (found.id, dict(found.kwargs)) != (game, dict(game_kwargs))):
        other = "no board game" if found is None else found.id
        raise ValueError(f"the agent plays {game}, the environment is {other}: make an agent of its own for it")
    return found


def _may_be(env: Any) -> bool:
    """Says whether an environment is a board game, or should be one: is not a Gymnasium environment of another kind."""
    if isinstance(env, str):
        return _is_id(env)
    if isinstance(env, VecEnv):
        try:
            return isinstance(env.get_attr("game", 0)[0], Game)
        except AttributeError:
            return False
    if isinstance(env, gym.Env):
        return isinstance(getattr(env.unwrapped, "game", None), Game)
    return True


def _is_id(name: str) -> bool:
    try:
        make_game(name)
    except UnknownNameError:
        return False
    return True
