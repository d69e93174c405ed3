"""Looking ahead: against brute force, and the compiled search against the one for any game."""

import numpy as np
import pytest

from zoo_core.errors import ZooError
from zoo_core.world_model import batch_size, index
from zoo_mcts.games import solved
from zoo_mcts.games.game import Game, Played
from zoo_mcts.players import make_player
from zoo_mcts.players.bitboards import WIN, search_all
from zoo_mcts.players.minimax import MinimaxPlayer, best_moves, search_any


def brute_force(game, state, depth):
    """Returns what each legal move of one position is worth, by looking at everything."""
    worth = {}
    for action in np.flatnonzero(game.legal(state)[0]).tolist():
        played = game.play(state, np.array([action]))
        worth[action] = float(played.reward[0]) * depth
        if depth > 1 and not played.over[0]:
            worth[action] += float(played.sign[0]) * max(brute_force(game, played.state, depth - 1).values())
    return worth


def assert_equals_brute_force(game, state, depth):
    best, score = best_moves(game, state, depth)
    for row in range(batch_size(state)):
        if game.over(state)[row]:
            assert not best[row].any()
            continue
        worth = brute_force(game, index(state, slice(row, row + 1)), depth)
        assert score[row] == max(worth.values())
        assert np.flatnonzero(best[row]).tolist() == [a for a, value in worth.items() if value == score[row]]


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_tic_tac_toe_equals_brute_force(tic_tac_toe, at_random, depth):
    assert_equals_brute_force(tic_tac_toe, at_random(tic_tac_toe, 4, 15), depth)


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("num_moves", [6, 20, 34])
def test_connect_four_equals_brute_force(connect_four, at_random, num_moves, depth):
    assert_equals_brute_force(connect_four, at_random(connect_four, num_moves, 6), depth)


@pytest.mark.parametrize("num_moves", [0, 5, 12, 20, 28, 35, 40])
def test_the_compiled_search_equals_that_for_any_game(connect_four, at_random, num_moves):
    state = at_random(connect_four, num_moves, 12, seed=num_moves)
    for depth in (1, 2, 4, 5):
        for compiled, plain in zip(
            best_moves(connect_four, state, depth), search_any(connect_four, state, depth), strict=True
        ):
            np.testing.assert_array_equal(compiled, plain)


def test_looking_to_the_end_solves_tic_tac_toe(tic_tac_toe):
    states = index(solved.decision_states(), slice(0, None, 60))
    best, score = best_moves(tic_tac_toe, states, 9)
    np.testing.assert_array_equal(np.sign(score), solved.values(states))
    assert (solved.optimal_moves(states) | ~best).all()


class TwiceEach(Game):
    """Players make two moves in turn; each pays the player who makes it, or costs something."""

    id, num_actions = "twice_each", 5

    def initial(self, num):
        return (np.zeros(num, np.int64), np.zeros(num, np.int64))  # moves made, and a number that they make up

    def play(self, state, action):
        made, number = state
        reward = ((number * 7 + action * 5) % 11 - 5).astype(np.float32)
        after = made + 1, number * 5 + action
        sign = np.where(after[0] % 2 == 0, -1.0, 1.0).astype(np.float32)
        return Played(after, reward, after[0] >= 6, sign)

    def legal(self, state):
        return np.repeat((state[0] < 6)[:, None], 5, 1)

    def observe(self, state):
        raise NotImplementedError

    def player(self, state):
        return state[0] // 2 % 2

    def over(self, state):
        return state[0] >= 6


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_a_player_may_move_twice_and_be_paid_on_the_way(at_random, depth):
    assert_equals_brute_force(TwiceEach(), at_random(TwiceEach(), 2, 12), depth)


def test_a_win_in_one_is_never_missed(connect_four, at_random, rng):
    state = at_random(connect_four, 18, 600)
    wins = np.zeros((600, 7), bool)
    for column in range(7):
        played = connect_four.play(state, np.full(600, column))
        wins[:, column] = connect_four.legal(state)[:, column] & (played.reward == 1.0)
    winning = wins.any(1)
    assert winning.sum() > 50
    for depth in (1, 2, 5):
        choice = MinimaxPlayer(depth).choose(connect_four, state, rng=rng)
        assert wins[np.arange(600), choice.action][winning].all()
        assert (choice.value[winning] == 1.0).all()


@pytest.mark.parametrize(
    ("moves", "best"),
    [
        ("334455", [2, 6]),  # wins at once, rather than later
        ("3344505", [2]),  # blocks the only end that is open
        ("33445", [2, 6]),  # cannot hold both ends: a loss in two, whatever is played, but for these as late as others
    ],
)
def test_threats_are_seen(connect_four, after, moves, best):
    found, _ = best_moves(connect_four, after(connect_four, moves), 5)
    assert set(best) <= set(np.flatnonzero(found[0]).tolist())


def test_ties_are_drawn_evenly(connect_four, rng):
    state = connect_four.initial(7_000)
    choice = MinimaxPlayer(2).choose(connect_four, state, rng=rng)
    assert (np.bincount(choice.action) > 850).all()
    np.testing.assert_allclose(choice.weights, 1 / 7)


@pytest.mark.parametrize("spec", ["minimax:3", "random", "perfect"])
def test_a_batch_is_its_rows(connect_four, at_random, spec):
    state = at_random(connect_four, 15, 20, seed=3)
    state = index(state, ~state.over)
    player = make_player(spec, connect_four)
    whole = player.choose(connect_four, state, rng=np.random.default_rng(1))
    rng = np.random.default_rng(1)
    rows = [player.choose(connect_four, index(state, slice(row, row + 1)), rng=rng) for row in range(batch_size(state))]
    assert whole.action.tolist() == [int(row.action[0]) for row in rows]
    np.testing.assert_array_equal(whole.weights, np.concatenate([row.weights for row in rows]))


def test_depth_five_takes_well_under_a_millisecond(connect_four, at_random):
    import time

    state = at_random(connect_four, 10, 1_000)
    best_moves(connect_four, state, 5)
    begun = time.perf_counter()
    best_moves(connect_four, state, 5)
    assert time.perf_counter() - begun < 0.2  # 0.2 ms a move


def count_lines(board):
    """Returns what `minimax-lines` thinks of a board [6, 7], 1 for the player to move and -1 for the other."""
    worth = 0
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        for y in range(6):
            for x in range(7):
                if 0 <= y + 3 * down < 6 and 0 <= x + 3 * right < 7:
                    line = [board[y + i * down, x + i * right] for i in range(4)]
                    worth += (-1 not in line) * 10 ** line.count(1) - (1 not in line) * 10 ** line.count(-1)
    return worth


@pytest.mark.parametrize("num_moves", [0, 7, 16, 25, 33])
def test_open_lines_are_counted_where_the_search_ends(connect_four, at_random, num_moves):
    state = at_random(connect_four, num_moves, 15)
    best, score = search_all(state.cells, state.over, 1, lines=True)
    for row in np.flatnonzero(~state.over).tolist():
        worth = {}
        for column in np.flatnonzero(connect_four.legal(state)[row]).tolist():
            played = connect_four.play(index(state, slice(row, row + 1)), np.array([column]))
            lines = 0 if played.over[0] else -count_lines(played.state.cells[0].reshape(6, 7))
            worth[column] = lines + WIN * float(played.reward[0])
        assert score[row] == max(worth.values())
        assert np.flatnonzero(best[row]).tolist() == [a for a, value in worth.items() if value == score[row]]


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_lines_change_no_forced_result(connect_four, at_random, depth):
    state = at_random(connect_four, 14, 300)
    _, plain = search_all(state.cells, state.over, depth)
    _, score = search_all(state.cells, state.over, depth, lines=True)
    np.testing.assert_array_equal(np.rint(score / WIN), plain)


def test_lines_are_searched_as_by_brute_force(connect_four, at_random):
    def worth(state, depth):
        if state.over[0]:
            return 0.0
        if depth == 0:
            return count_lines(state.cells[0].reshape(6, 7))
        values = []
        for column in np.flatnonzero(connect_four.legal(state)[0]).tolist():
            played = connect_four.play(state, np.array([column]))
            values.append(depth * WIN * float(played.reward[0]) - worth(played.state, depth - 1))
        return max(values)

    state = at_random(connect_four, 12, 6)
    _, score = search_all(state.cells, state.over, 3, lines=True)
    assert score.tolist() == [worth(index(state, slice(row, row + 1)), 3) for row in range(6)]


def test_minimax_lines_knows_connect_four_alone(tic_tac_toe):
    with pytest.raises(ZooError, match="minimax-lines knows the lines of connect_four_v3 alone, not tictactoe_v3"):
        make_player("minimax-lines:3", tic_tac_toe)
