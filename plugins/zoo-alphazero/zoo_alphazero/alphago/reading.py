"""Real games from files: SGF for Go, PGN for chess, and what the recorder wrote."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from zoo_alphazero.alphago.records import RecordError, Records, check, check_same_game
from zoo_core import archive
from zoo_core.errors import ZooError
from zoo_core.world_model import index
from zoo_mcts.games.game import Array, Game

_RESULTS = {"1-0": 1.0, "0-1": -1.0, "1/2-1/2": 0.0}  # of PGN, for White, who begins
_NO_RESULT = "*"
_SUFFIXES = (".sgf", ".pgn")


class _Written(NamedTuple):
    """A game as a file has it: its moves by their numbers, and the result for who began, if it is said."""

    moves: list[int]
    result: float | None


def read_records(path: str | Path, game: Game) -> Records:
    """Reads games from a file, or from all SGF and PGN files in a folder and the folders in it.

    Args:
        path: `.sgf`, `.pgn`, or what `Records.save` wrote.
        game: the rules.

    Raises:
        RecordError: there is nothing at the path, or a game is illegal, truncated or of another kind; the message names
            file, game and move.
        CheckpointError: a file of the zoo is damaged.
    """
    path = Path(path)
    if not path.exists() and not archive.archive_path(path).is_file():
        raise RecordError(f"there are no records of games at {path}")
    if path.is_dir():
        files = sorted(each for each in path.rglob("*") if each.suffix.lower() in _SUFFIXES)
        if not files:
            raise RecordError(f"{path} holds no files that end with {' or '.join(_SUFFIXES)}")
        return _join([_READERS[each.suffix.lower()](each, game) for each in files])
    if path.suffix.lower() in _READERS:
        read: Records = _READERS[path.suffix.lower()](path, game)
        return read
    records = Records.load(path)
    check_same_game(game, records, str(path))
    return records


def read_sgf(path: str | Path, game: Game) -> Records:
    """Reads games of Go in the Smart Game Format: the main line of each.

    What comes after two passes is cut off. Games with handicap stones are refused, since go_v5 has none.

    Args:
        path: of the file.
        game: go_v5, of the right board size.

    Raises:
        RecordError: a game is illegal, truncated or of another kind.
        ZooError: sgfmill is not installed.
    """
    _check_game(path, game, "go_v5", "SGF")
    try:
        from sgfmill import sgf, sgf_grammar
    except ImportError as missing:
        raise ZooError("SGF files need sgfmill: pip install sgfmill, or zoo-alphazero[records]") from missing
    try:
        trees = sgf_grammar.parse_sgf_collection(Path(path).read_bytes())
    except ValueError as error:
        raise RecordError(f"{path} is no SGF file, or is cut off: {error}") from error
    written = []
    for number, tree in enumerate(trees, 1):
        where = f"{path}, game {number}"
        try:
            written.append(_from_sgf(sgf.Sgf_game.from_coarse_game_tree(tree), int(game.kwargs["board_size"]), where))
        except RecordError:
            raise
        except ValueError as error:
            raise RecordError(f"{where}: {error}") from error
    return _settle(game, written, str(path))


def read_pgn(path: str | Path, game: Game) -> Records:
    """Reads games of chess in the Portable Game Notation: the main line of each.

    Where a draw may be claimed chess_v6 is over; what comes after is cut off.

    Args:
        path: of the file.
        game: chess_v6.

    Raises:
        RecordError: a game is illegal, truncated or of another kind.
    """
    _check_game(path, game, "chess_v6", "PGN")
    import chess.pgn

    text = Path(path).read_text(encoding="utf-8", errors="replace")
    written = list(_from_pgn(text, str(path), chess.pgn))
    if not written:
        raise RecordError(f"{path} holds no game")
    if text.split()[-1] not in (*_RESULTS, _NO_RESULT):
        move = len(written[-1].moves)
        raise RecordError(f"{path}, game {len(written)}, after move {move}: the file is cut off, no result follows")
    return _settle(game, written, str(path))


_READERS: dict[str, Any] = {".sgf": read_sgf, ".pgn": read_pgn}


def _check_game(path: str | Path, game: Game, right: str, kind: str) -> None:
    if game.id != right:
        raise RecordError(f"{path}: {kind} files are read as games of {right}, not of {game.id}")


def _from_sgf(written: Any, size: int, where: str) -> _Written:
    from sgfmill import sgf_moves

    if written.get_size() != size:
        raise RecordError(f"{where} is on a board of {written.get_size()}, expected {size}: set game_kwargs")
    board, plays = sgf_moves.get_setup_and_moves(written)
    if not board.is_empty():
        raise RecordError(f"{where} begins with handicap stones, which go_v5 does not have")
    moves = []
    for number, (colour, point) in enumerate(plays):
        if colour != "bw"[number % 2]:
            raise RecordError(f"{where}, move {number + 1}: {'WB'[colour == 'b']} moves out of turn")
        # Rows count from the bottom there, from the top here.
        moves.append(size * size if point is None else (size - 1 - point[0]) * size + point[1])
    root = written.get_root()
    result = root.get("RE") if root.has_property("RE") else ""
    known = {"B": 1.0, "W": -1.0, "0": 0.0, "D": 0.0}  # B+R, W+3.5, 0, Draw; ? and Void say nothing
    return _Written(moves, known.get(result[:1].upper()))


def _from_pgn(text: str, source: str, pgn: Any) -> Iterator[_Written]:
    import io

    from zoo_mcts.games.chess_moves import action_of

    file, number = io.StringIO(text), 0
    while (game := pgn.read_game(file)) is not None:
        number += 1
        plies = list(game.mainline())
        where = f"{source}, game {number}"
        if game.errors:
            raise RecordError(f"{where}, move {len(plies) + 1}: {game.errors[0]}")
        if game.headers.get("SetUp") == "1" or "FEN" in game.headers:
            raise RecordError(f"{where} does not begin at the beginning (FEN)")
        moves = [
            action_of(move.from_square, move.to_square, move.promotion, ply % 2 == 1)
            for ply, move in enumerate(node.move for node in plies)
        ]
        yield _Written(moves, _RESULTS.get(game.headers.get("Result", _NO_RESULT)))


def _settle(game: Game, written: Sequence[_Written], source: str) -> Records:
    """Checks games, cuts off what comes after their end, and finds results that are not written."""
    for number, each in enumerate(written, 1):
        if not each.moves:
            raise RecordError(f"{source}, game {number} has no moves")
    results = [np.nan if each.result is None else each.result for each in written]
    records = check(game, Records.of(game, [each.moves for each in written], results), source, longer=True)
    open_ended = np.flatnonzero(np.isnan(records.results))
    if len(open_ended) > 0:
        over, found = _play_out(game, records[open_ended])
        if not over.all():
            number = open_ended[int(over.argmin())]
            raise RecordError(
                f"{source}, game {number + 1}, after move {records.lengths[number]}: the record ends, but the game is "
                "not over, and no result is written"
            )
        records.results[open_ended] = found
    return records


def _play_out(game: Game, records: Records) -> tuple[Array, Array]:
    """Returns which games are over after their last move, and their results for who began."""
    over, result = np.zeros(len(records), np.bool_), np.zeros(len(records), np.float32)
    begins = np.cumsum(records.lengths) - records.lengths
    for i in range(len(records)):  # few: most records say how they ended
        state = game.initial(1)
        for move in records.moves[begins[i] : begins[i] + records.lengths[i]]:
            first = game.player(state)[0] == 0
            played = game.play(index(state, slice(0, 1)), np.array([move], np.int64))
            result[i] += played.reward[0] if first else -played.reward[0]
            state, over[i] = played.state, played.over[0]
    return over, result


def _join(parts: Sequence[Records]) -> Records:
    columns = (np.concatenate([getattr(part, name) for part in parts]) for name in ("moves", "lengths", "results"))
    return Records(parts[0].game, parts[0].game_kwargs, *columns)
