"""Connect Four, by the rules of PettingZoo's connect_four_v3."""

from __future__ import annotations

from zoo_mcts.compiled import compiled
from zoo_mcts.games.boards import Boards, StonesGame
from zoo_mcts.games.game import Array

_ROWS, _COLUMNS, _IN_A_ROW = 6, 7, 4


class ConnectFour(StonesGame):
    """Four in a row on a board of six rows and seven columns; an action is a column, into which a stone falls."""

    id = "connect_four_v3"
    num_actions = _COLUMNS
    rows, columns = _ROWS, _COLUMNS

    def __init__(self) -> None:
        super().__init__(_play_all)

    def legal(self, state: Boards) -> Array:
        """Returns the columns that have room."""
        room: Array = (state.cells[:, :_COLUMNS] == 0) & ~state.over[:, None]
        return room

    def symmetries(self, planes: Array, policy: Array) -> list[tuple[Array, Array]]:
        """Returns the board, and the board in a mirror."""
        return [(planes, policy), (planes[:, :, ::-1], policy[:, ::-1])]

    def render(self, state: Boards, row: int) -> str:
        """Returns the board, x for the player who began, over the numbers of the columns."""
        return super().render(state, row) + "\n" + " ".join(map(str, range(_COLUMNS)))


@compiled
def _length(cells: Array, row: int, y: int, x: int, down: int, right: int) -> int:
    """Returns how many stones of the player who just moved lie beside a cell, in one direction."""
    length = 0
    y, x = y + down, x + right
    while 0 <= y < _ROWS and 0 <= x < _COLUMNS and cells[row, y * _COLUMNS + x] == -1:
        length += 1
        y, x = y + down, x + right
    return length


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
            for i in range(_ROWS * _COLUMNS):
                cells_after[row, i] = cells[row, i]
            player_after[row], over_after[row] = player[row], True
            continue
        for i in range(_ROWS * _COLUMNS):
            cells_after[row, i] = -cells[row, i]
        player_after[row] = 1 - player[row]
        x = action[row]
        y = _ROWS - 1
        while y >= 0 and cells[row, y * _COLUMNS + x] != 0:
            y -= 1
        if y < 0:
            reward[row], over_after[row] = -1.0, True
            continue
        cells_after[row, y * _COLUMNS + x] = -1
        won = (
            1 + _length(cells_after, row, y, x, 1, 0) >= _IN_A_ROW
            or 1 + _length(cells_after, row, y, x, 0, 1) + _length(cells_after, row, y, x, 0, -1) >= _IN_A_ROW
            or 1 + _length(cells_after, row, y, x, 1, 1) + _length(cells_after, row, y, x, -1, -1) >= _IN_A_ROW
            or 1 + _length(cells_after, row, y, x, 1, -1) + _length(cells_after, row, y, x, -1, 1) >= _IN_A_ROW
        )
        full = y == 0
        if full:
            for i in range(_COLUMNS):
                if cells_after[row, i] == 0:
                    full = False
        over_after[row] = won or full
        if won:
            reward[row] = 1.0
