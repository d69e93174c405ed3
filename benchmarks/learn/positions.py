"""Positions of Connect Four whose best moves are known: `python -m benchmarks.learn.positions` makes them anew.

Classes are those of Pons' test sets ("Solving Connect 4"), by which AlphaZero.jl measures its agents, too: how many
moves were made, and how many will be until the end if nobody errs. Positions come from random moves; none in which the
player to move wins at once, and no two the same or mirrored.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from zoo_core.archive import write_json
from zoo_core.seeding import numpy_rng
from zoo_core.world_model import index, select, stack
from zoo_mcts.games.boards import Boards
from zoo_mcts.games.connect_four import ConnectFour
from zoo_mcts.games.game import Array
from zoo_mcts.players import Player
from zoo_mcts.players.perfect import ILLEGAL, ConnectFourSolver
from zoo_mcts.players.player import draw

FILE = Path(__file__).parents[1] / "data" / "connect_four_positions.json"
CELLS = 42
STAGES = {"begin": (1, 13), "middle": (14, 27), "end": (28, 40)}  # moves made, least and most
LENGTHS = {"easy": (1, 13), "medium": (14, 27), "hard": (28, CELLS)}  # moves that remain
CLASSES = ("begin-easy", "begin-medium", "begin-hard", "middle-easy", "middle-medium", "end-easy")
NUM_POSITIONS = 500  # of each class
SEED = 0
_AT_ONCE = 256  # positions that are drawn together


class Position(NamedTuple):
    """A position.

    Attributes:
        moves: columns in the order in which they were played, such as "334".
        scores: of each column as `ConnectFourSolver` counts them, `ILLEGAL` where it is full.
    """

    moves: str
    scores: tuple[int, ...]

    @property
    def score(self) -> int:
        """What the position is worth to the player to move."""
        return max(self.scores)


def read_positions(path: Path = FILE) -> dict[str, list[Position]]:
    """Returns the stored positions of each class."""
    stored = json.loads(path.read_text())["positions"]
    return {name: [_parse(line) for line in lines] for name, lines in stored.items()}


def mistake_rate(player: Player, positions: Sequence[Position], *, seed: int = SEED) -> float:
    """Returns the share of positions in which a player's move turns a win into less, or a draw into a loss.

    Args:
        player: asked for one move in each position.
        positions: of Connect Four.
        seed: of the player.
    """
    game = ConnectFour()
    choice = player.choose(game, boards(positions), rng=numpy_rng(seed, "positions"))
    scores = np.array([position.scores for position in positions])
    outcome = np.sign(scores[np.arange(len(scores)), choice.action])
    return float((outcome < np.sign(scores.max(1))).mean())


def boards(positions: Sequence[Position]) -> Boards:
    """Returns positions as the rules hold them."""
    game = ConnectFour()
    states = []
    for position in positions:
        state = game.initial(1)
        for column in position.moves:
            state = game.play(state, np.array([int(column)])).state
        states.append(state)
    joined: Boards = stack(states)
    return joined


def remaining_moves(score: int, num_moves: int) -> int:
    """Returns how many moves the game will still take if nobody errs.

    Args:
        score: of the position, for the player to move.
        num_moves: made so far.
    """
    if score == 0:
        return CELLS - num_moves
    if score > 0:  # the winner's own moves, and the answers between them
        return 1 + 2 * ((CELLS + 1 - num_moves) // 2 - score)
    return 2 + 2 * ((CELLS - num_moves) // 2 + score)


def class_of(score: int, num_moves: int) -> str:
    """Returns the class of a position, such as "begin-hard"."""
    left = remaining_moves(score, num_moves)
    stage = next(name for name, (least, most) in STAGES.items() if least <= num_moves <= most)
    return f"{stage}-{next(name for name, (least, most) in LENGTHS.items() if least <= left <= most)}"


def generate(num_positions: int = NUM_POSITIONS, *, seed: int = SEED) -> dict[str, list[Position]]:
    """Returns so many positions of each class; the same ones for the same seed, and the first of a longer list."""
    solver = ConnectFourSolver()
    found: dict[str, list[Position]] = {name: [] for name in CLASSES}
    seen: set[bytes] = set()
    for stage, (least, most) in STAGES.items():
        classes = [found[name] for name in CLASSES if name.startswith(stage)]
        rng = numpy_rng(seed, stage)
        while any(len(positions) < num_positions for positions in classes):
            state, moves = _draw(rng.integers(least, most + 1, _AT_ONCE), rng)
            for row, played in enumerate(moves):
                one = index(state, slice(row, row + 1))
                if one.over[0] or _seen_before(one, seen):
                    continue
                scores = tuple(solver.scores(one)[0].tolist())
                positions = found.get(class_of(max(scores), len(played)))
                wins_at_once = remaining_moves(max(scores), len(played)) == 1
                if positions is not None and not wins_at_once and len(positions) < num_positions:
                    positions.append(Position(played, scores))
    return found


def _draw(num_moves: Array, rng: np.random.Generator) -> tuple[Boards, list[str]]:
    """Returns what so many random moves lead to, and the moves; where that is longer than the game, it is over."""
    game = ConnectFour()
    state, moves = game.initial(len(num_moves)), [""] * len(num_moves)
    for made in range(int(num_moves.max())):
        columns = draw(game.legal(state), rng)
        after = game.play(state, columns).state
        going = made < num_moves
        state = select(torch.from_numpy(going), after, state)
        moves = [old + str(new) if goes else old for old, new, goes in zip(moves, columns, going, strict=True)]
    return state, moves


def _seen_before(state: Boards, seen: set[bytes]) -> bool:
    """Says whether a position or its mirror image was drawn before, and notes it."""
    board = state.cells.reshape(6, 7)
    key = min(board.tobytes(), board[:, ::-1].tobytes())
    known = key in seen
    seen.add(key)
    return known


def _parse(line: str) -> Position:
    moves, *scores = line.split()
    return Position(moves, tuple(ILLEGAL if score == "-" else int(score) for score in scores))


def _format(position: Position) -> str:
    return " ".join([position.moves, *("-" if score == ILLEGAL else str(score) for score in position.scores)])


def main() -> None:
    """Writes the file."""
    stored = {name: [_format(position) for position in positions] for name, positions in generate().items()}
    write_json(FILE, {"command": "python -m benchmarks.learn.positions", "seed": SEED, "positions": stored})
    print(", ".join(f"{len(lines)} {name}" for name, lines in stored.items()))


if __name__ == "__main__":
    main()
