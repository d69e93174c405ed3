"""Self-play: what is drawn, what is noted, and what is learned from a game."""

import numpy as np
import pytest
import torch

import zoo_core
from zoo_alphazero.learner import turn
from zoo_alphazero.replay import Positions
from zoo_alphazero.self_play import SelfPlay, positions_of
from zoo_core.planner import Plan, Planner
from zoo_core.world_model import batch_size
from zoo_mcts.games.connect_four import ConnectFour
from zoo_mcts.games.rules import RulesModel
from zoo_mcts.games.tic_tac_toe import TicTacToe
from zoo_mcts.games.vec_env import GameVecEnv


class Said(Planner):
    """Always plans the last legal move, with equal weights for all legal ones."""

    def plan(self, model, state, *, rng, previous=None):
        legal = model.legal_actions(state)
        last = legal.shape[1] - 1 - legal.flip(1).float().argmax(1)
        return Plan(last, torch.zeros(batch_size(state)), weights=legal / legal.sum(1, keepdim=True))


def play(game, num_moves, *, num_games=8, temperature_moves=0, random_openings=0, planner=None, seed=0):
    """Returns the games that ended, and the moves made at each ply."""
    env = GameVecEnv(game, num_games)
    moves = []
    env_step = env.step
    env.step = lambda action: (moves.append(action.copy()), env_step(action))[1]
    model = _Rules(game) if game.id == "twice" else RulesModel.of(game)
    self_play = SelfPlay(
        game,
        model,
        num_games=num_games,
        temperature_moves=temperature_moves,
        random_openings=random_openings,
        seed=seed,
    )
    self_play.begin()
    games = []
    for _ in range(num_moves):
        games += self_play.move(env, env.state, planner or Said())
    return games, np.array(moves)


class _Rules:
    def __init__(self, game):
        self.game = game

    def legal_actions(self, state):
        return torch.from_numpy(self.game.legal(state))


def test_without_temperature_the_search_decides():
    _, moves = play(TicTacToe(), 3)
    assert moves.tolist() == [[8] * 8, [7] * 8, [6] * 8]


def test_early_moves_are_drawn_by_the_weights_of_the_search():
    _, moves = play(TicTacToe(), 2, num_games=900, temperature_moves=1)
    np.testing.assert_allclose(np.bincount(moves[0], minlength=9) / 900, 1 / 9, atol=0.04)
    assert set(moves[1]) <= {8, 7}  # the last that is free


def test_a_hand_game_is_noted_with_the_outcome_of_each_player():
    games, _ = play(TicTacToe(), 7, num_games=1)  # 8 7 6 5 4 3 2: o . x over x o x ...
    positions = positions_of(games[0])
    assert positions.outcome.tolist() == [1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0]  # 2 4 6 is a line of x
    assert positions.planes[1].sum(axis=(0, 1)).tolist() == [0, 1]  # o sees the stone of x as the other's
    assert positions.legal.sum(1).tolist() == [9, 8, 7, 6, 5, 4, 3]
    np.testing.assert_allclose(positions.policy.sum(1), 1.0, rtol=1e-6)


def test_who_moves_twice_is_noted_by_the_player_not_by_the_ply(twice):
    games, _ = play(twice, 4, num_games=1)
    assert positions_of(games[0]).outcome.tolist() == [1.0, -1.0, -1.0, 1.0]


def test_random_openings_are_not_learned_from():
    games, moves = play(TicTacToe(), 40, num_games=32, random_openings=4)
    later = [game for game in games[32:] if game]  # not the first of its row
    stones = [game[0].planes.sum() for game in later]
    assert set(stones) == {0, 1, 2, 3, 4}
    for game in games:
        sizes = [int(moment.planes.sum()) for moment in game]
        assert sizes == list(range(sizes[0], sizes[0] + len(sizes))) if sizes else True
    assert set(moves[0]) - {8}  # a first move that the search would not have made


def test_games_begin_anew_side_by_side():
    games, _ = play(TicTacToe(), 14, num_games=3)
    assert [len(game) for game in games] == [7] * 6


def test_self_play_needs_a_planner_with_weights():
    class Mute(Said):
        def plan(self, model, state, **kwargs):
            return super().plan(model, state, **kwargs)._replace(weights=None)

    with pytest.raises(ValueError, match="the planner recommends no weights"):
        play(TicTacToe(), 1, planner=Mute())


@pytest.mark.parametrize("game", [TicTacToe(), ConnectFour()], ids=lambda game: game.id)
def test_a_symmetry_of_a_move_leads_to_the_symmetry_of_the_position(game):
    rng = np.random.default_rng(0)
    state = game.initial(64)
    for _ in range(4):
        legal = game.legal(state)
        state = game.play(state, np.where(legal, rng.random(legal.shape), -1.0).argmax(1)).state
    moves = np.where(game.legal(state), rng.random((64, game.num_actions)), -1.0).argmax(1)
    one_hot = np.eye(game.num_actions)[moves]
    after = game.play(state, moves)
    seen, led_to = (game.symmetries(game.observe(each), one_hot) for each in (state, after.state))
    assert len(seen) > 1
    for (planes, turned), (expected, _) in zip(seen, led_to, strict=True):
        mirrored = _position_of(game, planes)
        assert game.legal(mirrored)[np.arange(64), turned.argmax(1)].all()
        reached = game.play(mirrored, turned.argmax(1))
        np.testing.assert_array_equal(game.observe(reached.state), expected)
        np.testing.assert_array_equal(reached.over, after.over)


def _position_of(game, planes):
    stones = planes.astype(np.int8).reshape(len(planes), -1, 2)
    state = game.initial(len(planes))
    return state._replace(cells=stones[..., 0] - stones[..., 1])


@pytest.mark.parametrize("game", [TicTacToe(), ConnectFour()], ids=lambda game: game.id)
def test_a_batch_is_turned_row_by_row_all_of_it_alike(game):
    num, rng = 64, np.random.default_rng(0)
    planes = rng.integers(0, 2, (num, *game.view.shape), np.int8)
    policy = rng.random((num, game.num_actions), np.float32)
    legal = policy > 0.5
    turned = turn(game, Positions(planes, legal, policy, np.arange(num)), rng=zoo_core.rng(0))
    ways, plain = game.symmetries(planes, policy), 0
    for row in range(num):
        fits = [
            np.array_equal(turned.planes[row], way[row]) and np.array_equal(turned.policy[row], moves[row])
            for way, moves in ways
        ]
        assert any(fits)
        plain += fits[0]
    np.testing.assert_array_equal(turned.legal, turned.policy > 0.5)
    np.testing.assert_array_equal(turned.outcome, np.arange(num))
    assert 0 < plain < num * 0.75


def test_a_game_without_symmetries_is_shown_as_it_is(twice):
    positions = Positions(np.eye(5)[:2], np.ones((2, 2), bool), np.ones((2, 2)) / 2, np.zeros(2))
    assert turn(twice, positions, rng=zoo_core.rng(0)) is positions
