"""Chess, by the rules, the numbers of moves and the planes of PettingZoo's chess_v6, on the boards of python-chess.

A draw that the player to move may claim ends the game, as it does there.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces

from zoo_core.errors import ZooError
from zoo_mcts.games.chess_moves import NUM_ACTIONS, action_of
from zoo_mcts.games.game import BIT, Array
from zoo_mcts.games.positions import PositionGame


def find_chess() -> Any:
    """Returns python-chess, None where it is not installed."""
    try:
        import chess
    except ImportError:
        return None
    return chess


if TYPE_CHECKING:
    import chess
else:
    chess = find_chess()

_HISTORY = 8  # positions that are seen
_BOARD_PLANES = 13  # of each: six kinds of pieces, those of the other player, and whether it was there before
_PIECES = _BOARD_PLANES // 2
_AUX_PLANES = 7  # castling rights of both, who is to move, the clock of the fifty-move rule, and a plane of ones
_VIEW = (8, 8, _AUX_PLANES + _HISTORY * _BOARD_PLANES)
_TIMES_TO_CLAIM = 3  # that a position was there
_CLOCK_TO_CLAIM = 99  # plies without capture or move of a pawn, before one more of which a draw may be claimed


@dataclass(frozen=True, eq=False, slots=True)
class Position:
    """A position, and what its past means for it.

    Attributes:
        board: without a stack of moves.
        actions: the legal moves by their numbers.
        times: how often each position was there since the last capture or move of a pawn.
        planes: uint64 `[8, 13]`, sets of squares for White, of the last positions; the newest first, before the first
            move none.
        over: the game has ended.
    """

    board: chess.Board
    actions: Mapping[int, chess.Move]
    times: Mapping[Hashable, int]
    planes: Array
    over: bool

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Position):
            return NotImplemented
        alike = self.board == other.board and self.times == other.times
        return alike and np.array_equal(self.planes, other.planes)

    __hash__ = None  # type: ignore[assignment]  # boards have none


class Chess(PositionGame):
    """Chess. White begins; moves are numbered from the side of who makes them, as in AlphaZero: squares × 73 ways.

    Raises:
        ZooError: python-chess is not installed.
    """

    id = "chess_v6"
    num_actions = NUM_ACTIONS

    def __init__(self) -> None:
        if chess is None:
            raise ZooError("chess_v6 needs python-chess: pip install chess, or zoo-mcts[chess]")
        self.kwargs = {}
        self.view = spaces.Box(0, 1, _VIEW, BIT)

    def begin(self) -> Position:
        """Returns the position in which the game begins."""
        board = chess.Board()
        return Position(board, _actions(board), {_key(board): 1}, np.zeros((_HISTORY, _BOARD_PLANES), np.uint64), False)

    def moves(self, position: Position) -> list[int]:
        """Returns the numbers of the legal moves."""
        return list(position.actions)

    def move(self, position: Position, action: int) -> tuple[Position, float]:
        """Makes a move; mate is worth 1."""
        board = position.board.copy(stack=False)
        board.push(position.actions[action])
        key = _key(board)
        before = position.times if board.halfmove_clock else {}
        times = {**before, key: before.get(key, 0) + 1}
        actions = _actions(board)
        planes = np.concatenate([_planes(board, times[key] > 1)[None], position.planes[:-1]])
        over = not actions or board.is_insufficient_material() or _may_claim_draw(board, times, times[key])
        mate = not actions and board.is_check()
        return Position(board, actions, times, planes, over), float(mate)

    def ended(self, position: Position) -> bool:
        """Returns whether the game is over."""
        return position.over

    def turn(self, position: Position) -> int:
        """Returns who moves next: 0 is White."""
        return int(position.board.turn == chess.BLACK)

    def see(self, position: Position, player: int) -> Array:
        """Returns the planes of PettingZoo, bool `[8, 8, 111]`, from the side of a player."""
        planes = position.planes
        if player:
            planes = np.concatenate([planes[:, _PIECES:-1], planes[:, :_PIECES], planes[:, -1:]], axis=1)
        squares = np.concatenate([_aux_planes(position.board, player), planes.ravel()]).view(np.uint8)
        view: Array = np.unpackbits(squares, bitorder="little").reshape(-1, 8, 8).transpose(1, 2, 0)
        return view.astype(np.bool_) if player else view[::-1].astype(np.bool_)

    def render(self, state: Any, row: int) -> str:
        """Returns the board, White's pieces in capitals and at the bottom, with the names of ranks and files."""
        lines = str(state.position[row].board).splitlines()
        return "\n".join([*(f"{8 - i} {line}" for i, line in enumerate(lines)), "  a b c d e f g h"])

    def action_name(self, state: Any, row: int, action: int) -> str:
        """Returns a move as UCI has it, such as e2e4; its number where it is not legal."""
        move = state.position[row].actions.get(action)
        return str(action) if move is None else str(move.uci())


def _actions(board: chess.Board) -> dict[int, chess.Move]:
    black = board.turn == chess.BLACK
    return {action_of(move.from_square, move.to_square, move.promotion, black): move for move in board.legal_moves}


def _key(board: chess.Board) -> Hashable:
    """Returns what makes a position the same as an earlier one."""
    return (
        board.pawns,
        board.knights,
        board.bishops,
        board.rooks,
        board.queens,
        board.kings,
        *board.occupied_co,
        board.turn,
        board.clean_castling_rights(),
        board.ep_square if board.has_legal_en_passant() else None,
    )


def _may_claim_draw(board: chess.Board, times: Mapping[Hashable, int], now: int) -> bool:
    """Returns whether who is to move may claim a draw, perhaps by a move that leads to it."""
    if now >= _TIMES_TO_CLAIM:
        return True
    if any(count >= _TIMES_TO_CLAIM - 1 for count in times.values()):
        for move in board.legal_moves:
            board.push(move)
            count = times.get(_key(board), 0)
            board.pop()
            if count >= _TIMES_TO_CLAIM - 1:
                return True
    return board.halfmove_clock >= _CLOCK_TO_CLAIM and board.can_claim_fifty_moves()


def _planes(board: chess.Board, repeated: bool) -> Array:
    """Returns the sets of squares of a position for White, uint64 `[13]`.

    A pawn that may have moved two ranks at once is shown on the first rank of its side (on the last for Black).
    """
    kinds = (board.pawns, board.knights, board.bishops, board.rooks, board.queens, board.kings)
    sets = [kind & board.occupied_co[colour] for colour in (chess.WHITE, chess.BLACK) for kind in kinds]
    square = board.ep_square
    if square is not None and chess.square_rank(square) == 2:
        sets[0] ^= chess.BB_SQUARES[square + 8] | chess.BB_SQUARES[square % 8]
    elif square is not None:
        sets[_PIECES] ^= chess.BB_SQUARES[square - 8] | chess.BB_SQUARES[56 + square % 8]
    return np.array([*sets, chess.BB_ALL if repeated else chess.BB_EMPTY], np.uint64)


def _aux_planes(board: chess.Board, player: int) -> Array:
    """Returns what is known beside the pieces, uint64 `[7]`, from the side of a player."""
    ours, theirs = (chess.BB_H1, chess.BB_A1), (chess.BB_H8, chess.BB_A8)
    rooks = (*theirs, *ours) if player else (*ours, *theirs)
    rights = [chess.BB_ALL if board.castling_rights & rook else chess.BB_EMPTY for rook in rooks]
    clock = chess.BB_SQUARES[board.halfmove_clock // 2]
    return np.array([*rights, chess.BB_ALL if player else chess.BB_EMPTY, clock, chess.BB_ALL], np.uint64)
