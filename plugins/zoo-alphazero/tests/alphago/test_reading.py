"""SGF and PGN: what a person or another program wrote becomes the moves of our games."""

import chess
import chess.pgn
import pytest
from sgfmill import sgf

from zoo_alphazero.alphago.reading import read_pgn, read_records, read_sgf
from zoo_alphazero.alphago.records import RecordError, replay
from zoo_mcts.games.lookup import make_game

FOOLS_MATE = ["f3", "e5", "g4", "Qh4#"]


@pytest.fixture(scope="module")
def go():
    return make_game("go_v5", board_size=5)


@pytest.fixture(scope="module")
def chess_game():
    return make_game("chess_v6")


def write_sgf(path, plays, *, size=5, result="B+R", **properties):
    """Writes a game with sgfmill; plays are (colour, (row from the bottom, column) or None to pass)."""
    game = sgf.Sgf_game(size=size)
    if result is not None:
        game.get_root().set("RE", result)
    for name, value in properties.items():
        game.get_root().set(name, value)
    for colour, point in plays:
        game.extend_main_sequence().set_move(colour, point)
    path.write_bytes(game.serialise())
    return path


def write_pgn(path, sans, *, result="0-1", **headers):
    """Writes a game with python-chess."""
    game = chess.pgn.Game()
    game.headers.update({"Result": result, **headers})
    node = game
    for san in sans:
        node = node.add_variation(node.board().parse_san(san))
    path.write_text(f"{game}\n")
    return path


def test_points_of_a_board_of_go_have_the_names_that_they_have_in_sgf(go, tmp_path):
    records = read_sgf(write_sgf(tmp_path / "a.sgf", [("b", (0, 0)), ("w", (4, 0)), ("b", (1, 3)), ("w", None)]), go)
    assert records.moves.tolist() == [20, 0, 18, 25]  # A1 is at the bottom left, A5 at the top left, D2, pass
    state = go.initial(1)
    assert [go.action_name(state, 0, move) for move in (20, 0, 18, 25)] == ["A1", "A5", "D2", "pass"]
    assert records.results.tolist() == [1.0]


@pytest.mark.parametrize(("written", "result"), [("B+3.5", 1.0), ("W+R", -1.0), ("W+Time", -1.0), ("0", 0.0)])
def test_a_result_of_sgf_is_of_the_player_who_began(go, tmp_path, written, result):
    records = read_sgf(write_sgf(tmp_path / "a.sgf", [("b", (2, 2))], result=written), go)
    assert records.results.tolist() == [result]


def test_a_result_that_is_not_written_is_found_by_the_rules(go, tmp_path):
    plays = [("b", (2, 2)), ("w", None), ("b", None)]  # White has the komi of 7.5, Black the board
    assert read_sgf(write_sgf(tmp_path / "a.sgf", plays, result=None), go).results.tolist() == [1.0]


def test_a_third_pass_is_cut_off(go, tmp_path):
    plays = [("b", (2, 2)), ("w", None), ("b", None), ("w", None)]
    assert read_sgf(write_sgf(tmp_path / "a.sgf", plays), go).lengths.tolist() == [3]


def test_a_collection_has_several_games(go, tmp_path):
    first, second = (write_sgf(tmp_path / f"{i}.sgf", [("b", (i, i))]) for i in range(2))
    both = tmp_path / "both.sgf"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    assert read_sgf(both, go).moves.tolist() == [20, 16]


@pytest.mark.parametrize(
    ("plays", "options", "message"),
    [
        ([("b", (2, 2)), ("w", (2, 2))], {}, r"a.sgf, game 1, move 2: C3 is not legal"),
        ([("b", (2, 2)), ("b", (1, 1))], {}, r"a.sgf, game 1, move 2: B moves out of turn"),
        ([("w", (2, 2))], {}, r"a.sgf, game 1, move 1: W moves out of turn"),
        ([("b", (2, 2))], {"result": None}, r"a.sgf, game 1, after move 1: the record ends, but the game is not over"),
        ([("b", (2, 2))], {"result": "?"}, r"a.sgf, game 1, after move 1: the record ends"),
        ([("b", (2, 2))], {"size": 9}, r"a.sgf, game 1 is on a board of 9, expected 5"),
        ([], {}, r"a.sgf, game 1 has no moves"),
        ([("w", (2, 2))], {"AB": [(0, 0), (4, 4)]}, r"a.sgf, game 1 begins with handicap stones"),
    ],
)
def test_a_game_of_go_that_cannot_be_learned_from_is_named(go, tmp_path, plays, options, message):
    with pytest.raises(RecordError, match=message):
        read_sgf(write_sgf(tmp_path / "a.sgf", plays, **options), go)


def test_an_sgf_file_that_was_cut_off_is_named(go, tmp_path):
    path = write_sgf(tmp_path / "a.sgf", [("b", (2, 2)), ("w", (1, 1))])
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(RecordError, match=r"a.sgf is no SGF file, or is cut off"):
        read_sgf(path, go)


def test_moves_of_chess_are_those_that_were_written(chess_game, tmp_path):
    records = read_pgn(write_pgn(tmp_path / "a.pgn", FOOLS_MATE), chess_game)
    state, names = chess_game.initial(1), []
    for move in records.moves.tolist():
        names.append(chess_game.action_name(state, 0, move))
        played = chess_game.play(state, records.moves[len(names) - 1 : len(names)].astype("int64"))
        state = played.state
    assert names == ["f2f3", "e7e5", "g2g4", "d8h4"]
    assert (played.over.tolist(), records.results.tolist()) == ([True], [-1.0])


def test_castling_en_passant_and_promotion_are_read(chess_game, tmp_path):
    sans = ["e4", "a6", "e5", "d5", "exd6", "a5", "Nf3", "a4", "Be2", "a3", "O-O", "axb2", "Nc3", "bxa1=N"]
    records = read_pgn(write_pgn(tmp_path / "a.pgn", sans, result="1/2-1/2"), chess_game)
    assert records.lengths.tolist() == [14]
    assert records.results.tolist() == [0.0]


def test_what_comes_after_a_draw_that_may_be_claimed_is_cut_off(chess_game, tmp_path):
    dance = ["Nf3", "Nf6", "Ng1", "Ng8"] * 3
    records = read_pgn(write_pgn(tmp_path / "a.pgn", [*dance, "e4"], result="1-0"), chess_game)
    assert records.lengths[0] < 13
    assert records.results.tolist() == [1.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1. e4 e5 2. Ke3 1-0", r"a.pgn, game 1, move 3: illegal san"),
        ("1. e4 e5 *", r"a.pgn, game 1, after move 2: the record ends, but the game is not over"),
        ("1. e4 e5 1-0\n\n1. d4 d5 2. c", r"a.pgn, game 2, "),
        ('[Result "1-0"]\n\n1. d4 d5 2. c4', r"a.pgn, game 1, after move 3: the file is cut off"),
        ("", r"a.pgn holds no game"),
        ('[FEN "8/8/8/8/8/4k3/8/4K2R w K - 0 1"]\n\n1. Rh3# 1-0', r"a.pgn, game 1 does not begin at the beginning"),
    ],
)
def test_a_game_of_chess_that_cannot_be_learned_from_is_named(chess_game, tmp_path, text, message):
    path = tmp_path / "a.pgn"
    path.write_text(text)
    with pytest.raises(RecordError, match=message):
        read_pgn(path, chess_game)


def test_a_folder_is_read_whole(go, tmp_path):
    for i in range(3):
        write_sgf(tmp_path / f"{i}.sgf", [("b", (i, i))])
    (tmp_path / "notes.txt").write_text("not a game")
    assert read_records(tmp_path, go).moves.tolist() == [20, 16, 12]
    assert len(replay(go, read_records(tmp_path, go)).action) == 3


def test_what_the_recorder_saved_is_read(game, games, tmp_path):
    assert len(read_records(games.save(tmp_path / "games"), game)) == 3


def test_games_of_another_kind_are_refused(game, games, go, tmp_path):
    with pytest.raises(RecordError, match=r"a.sgf: SGF files are read as games of go_v5, not of tictactoe_v3"):
        read_records(write_sgf(tmp_path / "a.sgf", []), game)
    with pytest.raises(RecordError, match=r"games.zip has games of tictactoe_v3 {}, expected go_v5"):
        read_records(games.save(tmp_path / "games"), go)


def test_a_folder_without_games_and_a_missing_file_are_named(game, tmp_path):
    with pytest.raises(RecordError, match=r"holds no files that end with .sgf or .pgn"):
        read_records(tmp_path, game)
    with pytest.raises(RecordError, match=r"there are no records of games at .*missing\.zip"):
        read_records(tmp_path / "missing.zip", game)
