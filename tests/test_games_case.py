"""The learning case of the rules of games: what it counts, and that it finds a wrong mask."""

import pytest

from benchmarks.learn import games


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(games, "GAMES", {"tictactoe_v3": {}, "open_spiel/othello": {}})
    monkeypatch.setattr(games, "in_processes", lambda function, work, jobs: [function(*each) for each in work])
    return games.measure(num_games=8)


def test_rules_that_agree_meet_the_bar_and_a_wrong_mask_does_not(small):
    assert small.runs[0].score == 1.0
    assert small.bar.met_by(small.runs)
    assert not small.bar.met_by(small.controls[0].runs)
    assert "which moves are legal differs" in small.controls[0].note


def test_what_was_played_is_counted_by_game(small):
    counted = small.extra["games"]
    assert list(counted) == ["tictactoe_v3", "open_spiel/othello", games.REPLAYED]
    assert [each["games"] for each in counted.values()] == [8, 8, 8]
    assert small.runs[0].figures["plies"] == sum(each["plies"] + each["clone_plies"] for each in counted.values())


def test_a_difference_is_in_the_result(monkeypatch):
    monkeypatch.setattr(games, "in_processes", lambda function, work, jobs: [function(*each) for each in work])
    monkeypatch.setattr(games, "GAMES", {"connect_four_v3": {}})
    monkeypatch.setattr(games, "make_game", lambda id: games.ForgetsFullColumns())
    measured = games.measure(num_games=8)
    assert measured.runs[0].score < 1.0
    assert len(measured.extra["games"]["connect_four_v3"]["differences"]) == 1
