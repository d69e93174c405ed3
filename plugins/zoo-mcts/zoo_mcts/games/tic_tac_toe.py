"""Tic-tac-toe, by the rules of PettingZoo's tictactoe_v3."""

from __future__ import annotations

import numpy as np

from zoo_mcts.games.boards import Shape, StonesGame
from zoo_mcts.games.game import Array

_SIDE = 3


class TicTacToe(StonesGame):
    """Three in a row on a board of three by three; an action is a cell, from the top left row by row."""

    id = "tictactoe_v3"

    def __init__(self) -> None:
        super().__init__(Shape(rows=_SIDE, columns=_SIDE, to_win=3, falls=False))

    def symmetries(self, planes: Array, policy: Array) -> list[tuple[Array, Array]]:
        """Returns the board turned and mirrored, eight ways."""
        board = policy.reshape(-1, _SIDE, _SIDE)
        seen = []
        for turns in range(4):
            turned, along = np.rot90(planes, turns, (1, 2)), np.rot90(board, turns, (1, 2))
            seen.append((turned, along.reshape(policy.shape)))
            seen.append((turned[:, :, ::-1], along[:, :, ::-1].reshape(policy.shape)))
        return seen
