"""Games between players: both colours, openings, chance, and what is recorded."""

import numpy as np
import pytest

from zoo_core.world_model import batch_size
from zoo_mcts.arena import OPENING_MOVES, draw_openings, play_games
from zoo_mcts.players import Choice, make_player


class Leftmost:
    """Plays the first legal move, and counts how often it was asked."""

    deterministic = True

    def __init__(self, name="leftmost"):
        self.name, self.asked, self.positions = name, 0, 0

    def choose(self, game, state, *, rng):
        self.asked += 1
        self.positions += batch_size(state)
        return Choice(game.legal(state).argmax(1))


class Wrong(Leftmost):
    """Plays a column that may be full."""

    def choose(self, game, state, *, rng):
        return Choice(np.zeros(batch_size(state), np.int64))


def play(game, *players, num_games=40, seed=0, **options):
    made = [make_player(player, game) if isinstance(player, str) else player for player in players]
    return play_games(game, *made, num_games, seed=seed, **options)


def test_each_player_begins_half_of_the_games(connect_four):
    games = play(connect_four, "random", "minimax:2")
    assert games.began.sum() == 20
    assert games.record(0, 0).games == games.record(0, 1).games == games.record(1, 0).games == 20


def test_records_are_replayed_by_the_rules(connect_four):
    games = play(connect_four, "random", "minimax:1", num_games=60, opening_moves=3)
    for game in range(60):
        state, points = connect_four.initial(1), 0.0
        for number, move in enumerate(games.moves[game, : games.length[game]].tolist()):
            assert connect_four.legal(state)[0, move]
            played = connect_four.play(state, np.array([move]))
            first = (number % 2 == 0) == games.began[game]
            points += float(played.reward[0]) * (1 if first else -1)
            assert played.over[0] == (number + 1 == games.length[game])
            state = played.state
        assert games.result[game] == points
        assert (games.moves[game, games.length[game] :] == -1).all()


def test_what_one_wins_the_other_loses(connect_four):
    games = play(connect_four, "random", "minimax:1", num_games=60)
    for seat in (0, 1, None):
        mine, theirs = games.record(0, seat), games.record(1, None if seat is None else 1 - seat)
        assert mine == theirs[::-1]
        assert mine.score + theirs.score == mine.games


def test_random_against_random_comes_to_what_is_known_of_tic_tac_toe(tic_tac_toe):
    games = play(tic_tac_toe, "random", "random", num_games=8_000)
    record = np.array(games.record(0, 0)) + np.array(games.record(1, 0))  # of whoever began
    np.testing.assert_allclose(record / 8_000, [0.585, 0.127, 0.288], atol=0.02)


def test_perfect_against_random_comes_to_what_is_known_of_tic_tac_toe(tic_tac_toe):
    games = play(tic_tac_toe, "perfect", "random", num_games=4_000)
    np.testing.assert_allclose(np.array(games.record(0, 0)) / 2_000, [0.968, 0.032, 0.0], atol=0.02)
    np.testing.assert_allclose(np.array(games.record(0, 1)) / 2_000, [0.778, 0.222, 0.0], atol=0.03)


def test_perfect_players_draw_tic_tac_toe_and_the_first_wins_connect_four(tic_tac_toe, connect_four):
    assert play(tic_tac_toe, "perfect", "perfect").record(0) == (0, 40, 0)
    games = play(connect_four, "perfect", "perfect", num_games=2)
    assert games.record(0, 0) == (1, 0, 0)
    assert games.record(0, 1) == (0, 0, 1)
    assert (games.length == 41).all()


def test_the_seed_decides_all(connect_four):
    same = [play(connect_four, "random", "mcts:10", seed=3).moves for _ in range(2)]
    np.testing.assert_array_equal(*same)
    assert not np.array_equal(same[0][:, :5], play(connect_four, "random", "mcts:10", seed=4).moves[:, :5])


def test_players_who_never_vary_are_given_openings_of_both_colours(connect_four):
    games = play(connect_four, Leftmost("a"), Leftmost("b"))
    assert games.opening_moves == OPENING_MOVES == 4
    np.testing.assert_array_equal(games.moves[::2, :4], games.moves[1::2, :4])
    assert len(np.unique(games.moves, axis=0)) > 10
    assert games.record(0) == games.record(1)  # the same play from both sides of the same openings


def test_a_player_who_varies_needs_no_openings(connect_four):
    assert play(connect_four, Leftmost(), "random").opening_moves == 0
    assert play(connect_four, Leftmost(), Leftmost(), opening_moves=0).opening_moves == 0


def test_no_opening_ends_a_game(tic_tac_toe):
    state, moves = draw_openings(tic_tac_toe, 300, 7, np.random.default_rng(0))
    assert not state.over.any()
    assert moves.shape == (300, 7)
    assert len(np.unique(moves, axis=0)) > 250


def test_openings_that_must_end_the_game_are_refused(tic_tac_toe):
    with pytest.raises(ValueError, match="9 random moves end a game of tictactoe_v3: take a shorter opening"):
        play(tic_tac_toe, "random", "random", opening_moves=9)


@pytest.mark.parametrize("num_games", [0, 1, 7])
def test_games_are_even_in_number(tic_tac_toe, num_games):
    with pytest.raises(ValueError, match=f"must be even, so that each player begins half of them, got {num_games}"):
        play(tic_tac_toe, "random", "random", num_games=num_games)


def test_all_games_are_asked_for_at_once(connect_four):
    counting = Leftmost()
    games = play(connect_four, counting, "random", num_games=100)
    assert counting.positions > 500
    assert counting.asked <= games.length.max()


def test_an_illegal_move_loses(connect_four):
    games = play(connect_four, Wrong(), Wrong("other"), num_games=2, opening_moves=0)
    # Both fill the first column, six high; whoever is to move then has no room.
    assert games.length.tolist() == [7, 7]
    assert games.result.tolist() == [-1, 1]


def test_a_game_that_never_ends_is_drawn(connect_four, monkeypatch):
    monkeypatch.setattr("zoo_mcts.arena.MAX_MOVES", 5)
    games = play(connect_four, "random", "random", num_games=10)
    assert games.record(0) == (0, 10, 0)
    assert (games.length == 5).all()


def test_progress_counts_games_that_are_over(tic_tac_toe):
    counts = []
    play(tic_tac_toe, "random", "random", num_games=20, on_progress=counts.append)
    assert counts == sorted(counts)
    assert counts[-1] == 20
