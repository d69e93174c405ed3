"""Games as data: the moves of each from the beginning, and how it ended. And the way back to the positions."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import torch

from zoo_core import archive
from zoo_core.errors import CheckpointError, ZooError
from zoo_core.restoring import restoring
from zoo_core.world_model import State, index
from zoo_mcts.games.game import Array, Game
from zoo_mcts.games.lookup import make_game

KIND = "game-records"  # of the file
_CHUNK = 4_096  # games that are replayed at once


class RecordError(ZooError, ValueError):
    """A record of a game is illegal, truncated or of another game; the message names file, game and move."""


@dataclass(frozen=True)
class Records:
    """N games of one kind.

    Attributes:
        game: id of the game, such as "connect_four_v3".
        game_kwargs: with which it is made.
        moves: int32 `[M]`, those of the first game, then those of the second, and so on.
        lengths: int64 `[N]`, moves of each game, at least one.
        results: float32 `[N]`, for the player who began: 1, 0 or -1.
    """

    game: str
    game_kwargs: Mapping[str, Any]
    moves: Array
    lengths: Array
    results: Array

    @classmethod
    def of(cls, game: Game, moves: Sequence[Sequence[int]], results: Sequence[float]) -> Self:
        """Makes records of lists of moves; they are not checked."""
        flat = np.fromiter(itertools.chain.from_iterable(moves), np.int32)
        lengths = np.array([len(each) for each in moves], np.int64)
        return cls(game.id, dict(game.kwargs), flat, lengths, np.array(results, np.float32))

    def __len__(self) -> int:
        """Returns N."""
        return len(self.lengths)

    def __getitem__(self, games: Array) -> Records:
        """Returns the chosen games, an integer array."""
        ends = np.cumsum(self.lengths)
        parts = [self.moves[ends[i] - self.lengths[i] : ends[i]] for i in games]
        moves = np.concatenate([*parts, self.moves[:0]])
        return Records(self.game, self.game_kwargs, moves, self.lengths[games], self.results[games])

    def save(self, path: str | Path) -> Path:
        """Writes a file of JSON and safetensors (".zip" is added if it has no suffix), and returns its path."""
        header = {"kind": KIND, "game": self.game, "game_kwargs": dict(self.game_kwargs), "num_games": len(self)}
        arrays = {"moves": self.moves, "lengths": self.lengths, "results": self.results}
        tensors = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
        return archive.write_archive(path, header, tensors)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Reads what `save` wrote, and checks every move.

        Raises:
            FileNotFoundError: there is no such file.
            CheckpointError: the file is damaged, or holds something else.
            RecordError: a move is illegal.
        """
        header, tensors = archive.read_archive(path, kind=KIND)
        with restoring(path, tensors):
            game = make_game(header["game"], **header["game_kwargs"])
            arrays = {name: tensors[name].numpy() for name in ("moves", "lengths", "results")}
            records = cls(game.id, dict(game.kwargs), **arrays)
            _check_arrays(records)
        check(game, records, str(path))
        return records


class Steps(NamedTuple):
    """What was seen and done in M positions of recorded games.

    Attributes:
        planes: `[M, ...]` what the player to move saw.
        legal: bool `[M, A]`.
        action: int64 `[M]` the move that was made.
        player: int64 `[M]` who made it; 0 began.
        outcome: float32 `[M]` z, how the game ended for the player who made it.
        game: int64 `[M]` index of the game.
    """

    planes: Array
    legal: Array
    action: Array
    player: Array
    outcome: Array
    game: Array


def walk(game: Game, records: Records) -> Iterator[tuple[State, Array, Array, int]]:
    """Replays games side by side.

    Yields:
        Positions of those games that have a move there, the indices of the games, their moves, and how many were made
        before.
    """
    begins = np.cumsum(records.lengths) - records.lengths
    state, rows = game.initial(len(records)), np.arange(len(records))
    for ply in range(int(records.lengths.max(initial=0))):
        goes_on = records.lengths[rows] > ply
        state, rows = index(state, goes_on), rows[goes_on]
        moves = records.moves[begins[rows] + ply].astype(np.int64)
        yield state, rows, moves, ply
        state = game.play(state, moves).state


def replay(game: Game, records: Records) -> Steps:
    """Returns all positions in which a move was made, in no order that matters."""
    parts = []
    for state, rows, moves, _ in walk(game, records):
        player = game.player(state)
        outcome = np.where(player == 0, records.results[rows], -records.results[rows]).astype(np.float32)
        parts.append((game.observe(state), game.legal(state), moves, player, outcome, rows))
    return Steps(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def positions_at(game: Game, records: Records, plies: Array) -> tuple[Array, Array]:
    """Returns one position of each game: what its player to move sees `[N, ...]`, and z for that player `[N]`.

    Args:
        game: the rules.
        records: of N games.
        plies: `[N]` moves that were made before, less than the game has.
    """
    planes = np.zeros((len(records), *game.view.shape), game.view.dtype)
    outcome = np.zeros(len(records), np.float32)
    for state, rows, _, ply in walk(game, records):
        here = plies[rows] == ply
        if here.any():
            state, rows = index(state, here), rows[here]
            planes[rows] = game.observe(state)
            outcome[rows] = np.where(game.player(state) == 0, records.results[rows], -records.results[rows])
    return planes, outcome


def check(game: Game, records: Records, source: str, *, longer: bool = False) -> Records:
    """Checks that every move is legal.

    Args:
        game: the rules.
        records: of games.
        source: of the records, to be named.
        longer: whether games may go on where they are over by the rules: what comes after is cut off.

    Returns:
        The records, or those that were cut.

    Raises:
        RecordError: a move is illegal.
    """
    lengths = records.lengths.copy()
    for begin in range(0, len(records), _CHUNK):
        chunk = records[np.arange(begin, min(begin + _CHUNK, len(records)))]
        for state, rows, moves, ply in walk(game, chunk):
            over = game.over(state)
            if longer:
                lengths[begin + rows[over]] = np.minimum(lengths[begin + rows[over]], ply)
            known = (moves >= 0) & (moves < game.num_actions)
            legal = game.legal(state)[np.arange(len(rows)), np.where(known, moves, 0)] & known
            legal |= over & longer
            if not legal.all():
                i = int(legal.argmin())
                name = game.action_name(state, i, int(moves[i])) if known[i] else moves[i]
                why = "is made after the game is over" if over[i] else "is not legal"
                raise RecordError(f"{source}, game {begin + rows[i] + 1}, move {ply + 1}: {name} {why}")
    return records if (lengths == records.lengths).all() else _shorten(records, lengths)


def check_same_game(game: Game, records: Records, source: str) -> None:
    """Checks that records are of this game.

    Raises:
        RecordError: they are of another.
    """
    mine, theirs = (game.id, dict(game.kwargs)), (records.game, dict(records.game_kwargs))
    if mine != theirs:
        raise RecordError(f"{source} has games of {theirs[0]} {theirs[1]}, expected {mine[0]} {mine[1]}")


def _shorten(records: Records, lengths: Array) -> Records:
    begins = np.cumsum(records.lengths) - records.lengths
    moves = np.concatenate([records.moves[b : b + n] for b, n in zip(begins, lengths, strict=True)])
    return Records(records.game, records.game_kwargs, moves, lengths, records.results)


def _check_arrays(records: Records) -> None:
    moves, lengths, results = records.moves, records.lengths, records.results
    if (moves.dtype, lengths.dtype, results.dtype) != (np.int32, np.int64, np.float32):
        raise CheckpointError(f"moves, lengths and results are {moves.dtype}, {lengths.dtype}, {results.dtype}")
    if not moves.ndim == lengths.ndim == results.ndim == 1 or len(lengths) != len(results) or len(lengths) == 0:
        raise CheckpointError(f"there are {len(moves)} moves, {len(lengths)} lengths and {len(results)} results")
    if lengths.min() < 1 or lengths.sum() != len(moves):
        raise CheckpointError(f"the games have {lengths.sum()} moves together, the file has {len(moves)}")
    if not np.isin(results, (-1.0, 0.0, 1.0)).all():
        raise CheckpointError("a result is not 1, 0 or -1")
