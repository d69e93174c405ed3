"""Tic-tac-toe, by the rules of PettingZoo's tictactoe_v3."""

from __future__ import annotations

import numpy as np

from zoo_mcts.compiled import compiled
from zoo_mcts.games.boards import Boards, StonesGame
from zoo_mcts.games.game import Array

_SIDE = 3
_LINES = np.array(
    [[0, 1, 2], [3, 4, 5], [6, 7, 8], [0, 3, 6], [1, 4, 7], [2, 5, 8], [0, 4, 8], [2, 4, 6]]
)  # of cells that win


class TicTacToe(StonesGame):
    """Three in a row on a board of three by three; an action is a cell, from the top left row by row."""

    id = "tictactoe_v3"
    num_actions = _SIDE * _SIDE
    rows = columns = _SIDE

    def __init__(self) -> None:
        super().__init__(_play_all)

    def legal(self, state: Boards) -> Array:
        """Returns the free cells."""
        free: Array = (state.cells == 0) & ~state.over[:, None]
        return free

    def symmetries(self, planes: Array, policy: Array) -> list[tuple[Array, Array]]:
        """Returns the board turned and mirrored, eight ways."""
        board = policy.reshape(-1, _SIDE, _SIDE)
        seen = []
        for turns in range(4):
            turned, along = np.rot90(planes, turns, (1, 2)), np.rot90(board, turns, (1, 2))
            seen.append((turned, along.reshape(policy.shape)))
            seen.append((turned[:, :, ::-1], along[:, :, ::-1].reshape(policy.shape)))
        return seen


@compiled
def _play_all(
    cells: Array,
    player: Array,
    over: Array,
    action: Array,
    cells_after: Array,
    player_after: Array,
    over_after: Array,
    reward: Array,
) -> None:
    """Fills in what the moves lead to (see `Moves`)."""
    for row in range(len(over)):
        reward[row] = 0.0
        if over[row]:
            for i in range(_SIDE * _SIDE):
                cells_after[row, i] = cells[row, i]
            player_after[row], over_after[row] = player[row], True
            continue
        cell = action[row]
        legal = cells[row, cell] == 0
        full = True
        for i in range(_SIDE * _SIDE):
            cells_after[row, i] = -cells[row, i]
            if cells[row, i] == 0 and i != cell:
                full = False
        won = False
        if legal:
            cells_after[row, cell] = -1
            for line in range(len(_LINES)):
                a, b, c = _LINES[line, 0], _LINES[line, 1], _LINES[line, 2]
                won = won or cells_after[row, a] + cells_after[row, b] + cells_after[row, c] == -_SIDE
        player_after[row] = 1 - player[row]
        over_after[row] = won or full or not legal
        if won:
            reward[row] = 1.0
        elif not legal:
            reward[row] = -1.0
