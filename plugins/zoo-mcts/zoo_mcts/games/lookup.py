"""From a name, or an environment, to the rules of its game."""

from __future__ import annotations

from typing import Any

from zoo_core.errors import UnknownNameError, did_you_mean
from zoo_mcts.games.connect_four import ConnectFour
from zoo_mcts.games.game import Game
from zoo_mcts.games.tic_tac_toe import TicTacToe

_GAMES: dict[str, Any] = {game.id: game for game in (TicTacToe, ConnectFour)}


def make_game(id: str, **kwargs: Any) -> Game:
    """Makes the rules of a game by name.

    Raises:
        UnknownNameError: there is no such game.
    """
    if id not in _GAMES:
        raise UnknownNameError(f"unknown game {id!r}{did_you_mean(id, _GAMES)}")
    game: Game = _GAMES[id](**kwargs)
    return game
