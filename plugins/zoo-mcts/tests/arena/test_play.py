"""`zoo play`: a game by lines that are typed."""

import pytest

C4 = "play --env connect_four_v3 --seed 0"
EMPTY = "\n".join([". . . . . . ."] * 6 + ["0 1 2 3 4 5 6"])


def test_a_game_is_won(zoo):
    # The opponent looks one move ahead: it does not see the open three.
    shown = zoo("play --env tictactoe_v3 --against random --seed 1", "4\n0\n2\n6\n1\n3\n5\n7\n8\n")
    assert shown.code == 0, shown.err
    assert shown.out.rstrip().splitlines()[-1].startswith(("You win, after", "random wins, after", "A draw, after"))


def test_the_board_is_shown_after_every_move(zoo):
    shown = zoo(f"{C4} --against minimax:5", "3\nquit\n")
    assert shown.out.startswith('connect_four_v3 against minimax:5. You begin, and you are x; type a move, or "help".')
    assert shown.out.count("0 1 2 3 4 5 6") == 3
    assert EMPTY in shown.out
    assert ". . . x . . .\n0 1 2" in shown.out
    assert "minimax:5 plays " in shown.out
    assert shown.out.endswith("You gave the game up.\n")


def test_the_opponent_may_begin(zoo):
    shown = zoo(f"{C4} --against perfect --second", "quit\n")
    assert "perfect begins, and you are o; type" in shown.out
    assert "perfect plays 3" in shown.out
    assert shown.out.count("0 1 2 3 4 5 6") == 2


def test_a_loss_is_said(zoo):
    shown = zoo(f"{C4} --against minimax:5", "0\n6\n0\n6\n0\n6\n1\n6\n1\n5\n1\n5\n" * 3)
    assert shown.code == 0
    assert "minimax:5 wins, after " in shown.out


def test_a_full_column_is_refused_with_the_reason_and_asked_again(zoo):
    shown = zoo(f"{C4} --against minimax:1", "0\n0\n0\n0\n0\n0\n0\n0\nquit\n")
    assert 'column 0 is full; "help" says more\nyour move: ' in shown.out
    assert shown.out.endswith("You gave the game up.\n")


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("9", "there is no column 9, only 0 to 6"),
        ("-1", "'-1' is no legal move here; legal are 0, 1, 2, 3, 4, 5, 6"),
        ("centre", "'centre' is no legal move here; legal are 0, 1, 2, 3, 4, 5, 6"),
        ("3 3", "'3 3' is no legal move here"),
        ("²", "'²' is no legal move here"),
    ],
)
def test_what_is_no_move_is_refused_with_the_reason(zoo, typed, reason):
    shown = zoo(f"{C4} --against random", f"{typed}\nquit\n")
    assert reason in shown.out
    assert shown.out.count("your move: ") == 2


def test_a_taken_cell_is_refused_with_the_reason(zoo):
    shown = zoo("play --env tictactoe_v3 --against random", "4\n4\nquit\n")
    assert "cell 4 is taken" in shown.out


def test_help_lists_moves_and_words(zoo):
    shown = zoo(f"{C4} --against random", "help\nquit\n")
    assert "legal moves: 0 1 2 3 4 5 6\n" in shown.out
    for word in ("hint", "why", "undo", "quit"):
        assert f"\n{word} " in shown.out


def test_undo_takes_back_both_moves(zoo):
    shown = zoo(f"{C4} --against random", "3\nundo\nquit\n")
    assert shown.out.count(EMPTY) == 2


def test_undo_at_the_beginning_says_that_there_is_nothing(zoo):
    shown = zoo(f"{C4} --against random", "undo\n3\nundo\nundo\nquit\n")
    assert shown.out.count("there is no move of yours to take back") == 2
    second = zoo(f"{C4} --against random --second", "undo\nquit\n")
    assert "there is no move of yours to take back" in second.out


def test_moves_taken_back_do_not_count(zoo):
    shown = zoo(f"{C4} --against minimax:5", "3\nundo\n" * 5 + "0\n6\n0\n6\n0\n6\n1\n6\n1\n5\n1\n5\n" * 3)
    *_, board, end = shown.out.rstrip().split("\n\n")
    assert end == f"minimax:5 wins, after {board.count('x') + board.count('o')} moves."


def test_a_hint_shows_visits_and_the_value(zoo):
    shown = zoo(f"{C4} --against mcts:50", "hint\nquit\n")
    assert "mcts:50 would play " in shown.out
    assert "and thinks your position worth " in shown.out
    assert " of 50 visits" in shown.out
    assert shown.out.count("% ") + shown.out.count("%,") == 7


def test_why_tells_of_the_last_move(zoo):
    shown = zoo(f"{C4} --against mcts:50", "why\n3\nwhy\nquit\n")
    assert "mcts:50 has made no move yet" in shown.out
    assert "mcts:50 thought its position worth " in shown.out


def test_show_tells_of_every_move(zoo):
    shown = zoo(f"{C4} --against mcts:50 --show", "3\n3\nquit\n")
    assert shown.out.count("mcts:50 thought its position worth ") == 2


def test_a_player_who_says_nothing_of_values_has_weights_only(zoo):
    shown = zoo(f"{C4} --against random", "hint\nquit\n")
    assert "14.3%" in shown.out
    assert "worth" not in shown.out


def test_the_end_of_the_input_ends_the_game(zoo):
    shown = zoo(f"{C4} --against random", "3\n")
    assert shown.code == 0
    assert shown.out.endswith("The input ended, and the game with it.\n")


def test_empty_lines_are_asked_again(zoo):
    shown = zoo(f"{C4} --against random", "\n\nquit\n")
    assert shown.out.count("your move: ") == 3


def test_the_seed_repeats_the_opponent(zoo):
    first, again = (zoo(f"{C4} --against random", "3\n3\n3\nquit\n").out for _ in range(2))
    assert first == again


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("--env connect_four_v3", "missing option '--against'"),
        ("--env connect_four_v3 --against perfekt", "unknown player 'perfekt': did you mean 'perfect'?"),
        ("--env CartPole-v1 --against random", "unknown game 'CartPole-v1'"),
        ("--env connect_four_v3 --against runs/az", "no player is called 'runs/az' and no agent is saved there"),
    ],
)
def test_bad_input_is_one_line(zoo, arguments, text):
    shown = zoo(f"play {arguments}")
    assert shown.code == 2
    assert text in shown.err
    assert shown.err.count("\n") == 1
