"""Go, by the rules and with the planes of PettingZoo's go_v5."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from gymnasium import spaces

from zoo_mcts.games.game import BIT, Array, Game, Played
from zoo_mcts.games.go_rules import NO_POINT, legal_moves, play_all

_COLUMNS = "ABCDEFGHJKLMNOPQRSTUVWXYZ"  # of the names of points; there is no I
_SIZES = range(2, len(_COLUMNS) + 1)
_PLANES = 17  # the stones of both after each of the last eight moves, and who is to move


class GoBoards(NamedTuple):
    """B positions.

    Attributes:
        cells: int8 `[B, points]`, row by row from the top: 1 is black, -1 white, 0 free.
        player: int8 `[B]`, who is to move; 0 is black.
        ko: int16 `[B]`, the point that may not be retaken now, or -1.
        passes: int8 `[B]`, how many there were at last, one after the other.
        over: bool `[B]`.
        planes: bool `[B, size, size, 17]`, what is seen.
    """

    cells: Array
    player: Array
    ko: Array
    passes: Array
    over: Array
    planes: Array


class Go(Game):
    """Go. An action is a point, from the top left row by row, or at last to pass; two passes end the game.

    As in PettingZoo, nothing else does: repetitions are allowed but for simple ko, and equal scores are White's win.

    Args:
        board_size: of the sides, 2 to 25.
        komi: points that White has to begin with.

    Raises:
        ValueError: there is no such board.
    """

    id = "go_v5"

    def __init__(self, board_size: int = 19, komi: float = 7.5) -> None:
        if board_size not in _SIZES:
            raise ValueError(f"board_size must be in [{_SIZES[0]}, {_SIZES[-1]}], got {board_size}")
        self.kwargs = {"board_size": board_size, "komi": komi}
        self.size, self.komi = board_size, float(komi)
        self.num_actions = board_size * board_size + 1
        self.view = spaces.Box(0, 1, (board_size, board_size, _PLANES), BIT)

    def initial(self, num: int) -> GoBoards:
        """Returns empty boards."""
        return GoBoards(
            np.zeros((num, self.size * self.size), np.int8),
            np.zeros(num, np.int8),
            np.full(num, NO_POINT, np.int16),
            np.zeros(num, np.int8),
            np.zeros(num, np.bool_),
            np.zeros((num, *self.view.shape), np.bool_),
        )

    def play(self, state: GoBoards, action: Array) -> Played:
        """Makes a move in each position."""
        after = GoBoards._make([*(leaf.copy() for leaf in state[:-1]), np.empty_like(state.planes)])
        reward = np.empty(len(state.over), np.float32)
        play_all(tuple(state[:-1]), tuple(after[:-1]), action, self.size, self.komi, self._scratch(), reward)
        self._show(state, after)
        return Played(after, reward, after.over, np.full(len(reward), -1.0, np.float32))

    def legal(self, state: GoBoards) -> Array:
        """Returns the points to which a move is allowed, and to pass."""
        legal = np.empty((len(state.over), self.num_actions), np.bool_)
        legal_moves(state.cells, state.player, state.ko, state.over, self.size, self._scratch(), legal)
        return legal

    def observe(self, state: GoBoards) -> Array:
        """Returns PettingZoo's planes, bool `[B, size, size, 17]`.

        After each of the last eight moves, the latest first: the stones of who had made it, and the other's. Then a
        plane of ones where White is to move.
        """
        return state.planes

    def player(self, state: GoBoards) -> Array:
        """Returns whose turn it is."""
        return state.player.astype(np.int64)

    def over(self, state: GoBoards) -> Array:
        """Returns which games have ended."""
        return state.over

    def symmetries(self, planes: Array, policy: Array) -> list[tuple[Array, Array]]:
        """Returns the board turned and mirrored, eight ways; to pass remains to pass."""
        board = policy[:, :-1].reshape(-1, self.size, self.size)
        seen = []
        for turns in range(4):
            turned, along = np.rot90(planes, turns, (1, 2)), np.rot90(board, turns, (1, 2))
            for view, moves in ((turned, along), (turned[:, :, ::-1], along[:, :, ::-1])):
                seen.append((view, np.concatenate([moves.reshape(len(policy), -1), policy[:, -1:]], axis=1)))
        return seen

    def render(self, state: GoBoards, row: int) -> str:
        """Returns the board, x for black, with the names of columns and rows."""
        marks = np.array([".", "x", "o"])[state.cells[row]].reshape(self.size, self.size)
        lines = [f"{self.size - i:2} " + " ".join(line) for i, line in enumerate(marks)]
        return "\n".join([*lines, "   " + " ".join(_COLUMNS[: self.size])])

    def action_name(self, state: GoBoards, row: int, action: int) -> str:
        """Returns a point as go programs have it, such as D4, or pass."""
        if action == self.num_actions - 1:
            return "pass"
        return f"{_COLUMNS[action % self.size]}{self.size - action // self.size}"

    def _show(self, before: GoBoards, after: GoBoards) -> None:
        """Fills in what is seen after a move; where the game was over before, nothing changes."""
        colour = np.where(before.player == 0, 1, -1).astype(np.int8)[:, None]
        shape = (-1, self.size, self.size)
        after.planes[..., 0] = (after.cells == colour).reshape(shape)
        after.planes[..., 1] = (after.cells == -colour).reshape(shape)
        after.planes[..., 2:-1] = before.planes[..., :-3]
        after.planes[..., -1] = after.player[:, None, None] == 1
        after.planes[before.over] = before.planes[before.over]

    def _scratch(self) -> tuple[Array, Array, Array]:
        points = self.size * self.size
        return np.empty(points, np.int64), np.empty(points, np.int64), np.empty(points, np.int64)
