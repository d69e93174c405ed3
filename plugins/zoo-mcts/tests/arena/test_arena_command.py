"""`zoo arena`: what it prints, for people and for programs, and bad input."""

import pytest

C4 = "--env connect_four_v3"


def test_results_and_ratings_are_shown(zoo):
    shown = zoo(f"arena random minimax:2 mcts:20 {C4} --games 20 --seed 1")
    assert shown.code == 0, shown.err
    lines = shown.out.splitlines()
    assert lines[0].split() == ["player", "Elo", "95", "%", "score", "first", "W/D/L", "second", "W/D/L"]
    assert lines[3].startswith("random ")  # the weakest is last
    assert "player     against    W/D/L" in shown.out
    assert len(lines) >= 9


def test_json_has_all_of_it(zoo):
    shown = zoo(f"arena random minimax:2 mcts:20 {C4} --games 20 --seed 1 --anchor random --json")
    found = shown.json()
    assert list(found) == ["env", "games", "seed", "anchor", "players", "pairs", "rated_by_results_alone"]
    assert found["env"] == {"id": "connect_four_v3", "kwargs": {}}
    assert [row["player"] for row in found["players"]][-1] == "random"
    row = found["players"][0]
    assert list(row) == ["player", "elo", "elo_low", "elo_high", "score", "games", "first", "second"]
    assert row["elo_low"] < row["elo"] < row["elo_high"]
    assert row["games"] == 40
    assert sum(row["first"].values()) == sum(row["second"].values()) == 20
    assert found["players"][-1]["elo"] == found["players"][-1]["elo_low"] == 0.0
    pair = found["pairs"][0]
    assert (pair["player"], pair["against"]) == ("random", "minimax:2")
    assert pair["wins"] + pair["draws"] + pair["losses"] == 20
    assert pair["score"] == (pair["wins"] + pair["draws"] / 2) / 20
    assert 0.0 < pair["p_value"] < 0.01
    assert len(found["pairs"]) == 3


def test_the_seed_repeats_it(zoo):
    first, again, other = (zoo(f"arena random mcts:5 {C4} --games 20 --seed {seed} --json").out for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_who_else_is_there_changes_no_game(zoo):
    two = zoo(f"arena random minimax:2 {C4} --games 20 --json").json()["pairs"][0]
    three = zoo(f"arena minimax:1 random minimax:2 {C4} --games 20 --json").json()["pairs"]
    assert two in three


def test_openings_are_counted(zoo):
    shown = zoo(f"arena random minimax:2 {C4} --games 4 --openings 2")
    assert "All games began with 2 random moves, the same for both colours." in shown.out
    assert zoo(f"arena random minimax:2 {C4} --games 4 --openings 2 --json").json()["pairs"][0]["opening_moves"] == 2


def test_a_clean_sheet_is_said(zoo):
    shown = zoo(f"arena random minimax:5 {C4} --games 20")
    assert "Some players took no point from others" in shown.out
    assert "inf" not in shown.out.replace("infinitely", "")


def test_a_game_has_arguments(zoo):
    found = zoo("arena random mcts:2 --env go_v5 --env-kwargs board_size=5 --games 2 --json").json()
    assert found["env"] == {"id": "go_v5", "kwargs": {"board_size": 5}}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (f"random {C4}", "an arena takes two players or more, got random"),
        (f"random random {C4}", "player 'random' is named twice: players are told apart by their names"),
        (f"random minmax:5 {C4}", "unknown player 'minmax': did you mean 'minimax'?"),
        (f"random minimax:5 {C4} --games 3", "--games must be even, so that each player begins half of them, got 3"),
        (
            f"random minimax:5 {C4} --anchor mcts:5",
            "--anchor must be one of the players random, minimax:5, got 'mcts:5'",
        ),
        (
            f"random minimax:5 {C4} --openings 60",
            "60 random moves end a game of connect_four_v3: take a shorter opening",
        ),
        (f"random minimax:5 {C4} --device tpu", "--device is 'tpu', this machine has"),
        ("random minimax:5 --env connect_for_v3", "unknown game 'connect_for_v3': did you mean 'connect_four_v3'?"),
        (f"random minimax:5 {C4} --env-kwargs board_size=9", "unexpected keyword argument 'board_size'"),
        ("random minimax:5", "missing option '--env'"),
        (f"random minimax:5 {C4} --game 3", "zoo arena has no option --game: did you mean '--games'?"),
    ],
)
def test_bad_input_is_one_line(zoo, arguments, text):
    shown = zoo(f"arena {arguments}")
    assert shown.code == 2
    assert shown.out == ""
    assert text in shown.err
    assert shown.err.count("\n") == 1
