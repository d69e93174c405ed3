"""Connect Four, by the rules of PettingZoo's connect_four_v3."""

from __future__ import annotations

from zoo_mcts.games.boards import Shape, StonesGame
from zoo_mcts.games.game import Array


class ConnectFour(StonesGame):
    """Four in a row on a board of six rows and seven columns; an action is a column, into which a stone falls."""

    id = "connect_four_v3"

    def __init__(self) -> None:
        super().__init__(Shape(rows=6, columns=7, to_win=4, falls=True))

    def symmetries(self, planes: Array, policy: Array) -> list[tuple[Array, Array]]:
        """Returns the board, and the board in a mirror."""
        return [(planes, policy), (planes[:, :, ::-1], policy[:, ::-1])]
