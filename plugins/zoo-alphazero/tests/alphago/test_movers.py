"""Who moves in the games from which AlphaGo learns."""

from collections import Counter

import numpy as np
import pytest
import torch

from zoo_alphazero.alphago.movers import PoolPlay, Recorder, RunningGames, ValuePlay
from zoo_alphazero.alphago.pool import Pool
from zoo_core.seeding import rng as make_rng
from zoo_mcts.games.vec_env import GameVecEnv


def likes(*moves):
    """Returns logits that rank the moves in this order, and all others below."""

    def logits(planes):
        scores = torch.full((len(planes), 9), -100.0)
        for rank, move in enumerate(moves):
            scores[:, move] = 1_000.0 - 100.0 * rank
        return scores

    return logits


def play(game, mover, num, steps):
    """Returns the games that end in so many steps of `num` games."""
    env = GameVecEnv(game, num)
    running, ended = RunningGames(num, mover), []
    for _ in range(steps):
        ended += running.step(env, env.state)
    return ended


class Scripted:
    """Makes the moves of one list a row, again and again."""

    def __init__(self, scripts):
        self.scripts, self.tag = scripts, np.arange(len(scripts))
        self.begun = []

    def begin(self, rows):
        self.begun.append(rows.tolist())

    def choose(self, state, ply):
        return np.array([script[i] for script, i in zip(self.scripts, ply, strict=True)])


def test_games_have_their_moves_and_the_result_of_who_began_and_then_new_ones_begin(game):
    mover = Scripted([[0, 3, 1, 4, 2], [0, 3, 1, 4, 8, 5]])  # x wins with the fifth move, o with the sixth
    ended = play(game, mover, 2, 10)
    assert [(each.moves, each.result, each.tag) for each in ended] == [
        (mover.scripts[0], 1.0, 0),
        (mover.scripts[1], -1.0, 1),
        (mover.scripts[0], 1.0, 0),
    ]
    assert mover.begun == [[0, 1], [0], [1], [0]]


def test_bots_make_all_moves_but_the_random_ones(game, favourite):
    bot = favourite(4)
    recorder = Recorder(game, [bot], 64, opening=2, random_prob=0.25, rng=np.random.default_rng(0))
    play(game, recorder, 64, 40)
    made = 64 * 40
    assert 0.55 * made < bot.asked < 0.75 * made


def test_openings_are_random_and_of_every_length(game, favourite):
    recorder = Recorder(game, [favourite(8)], 256, opening=3, random_prob=0.0, rng=np.random.default_rng(0))
    recorder.begin(np.arange(256))
    first = recorder.choose(game.initial(256), np.zeros(256, np.int64))
    assert 0.15 < np.mean(first == 8) < 0.5  # a quarter has no random move, and 1 of 9 is 8 by chance
    later = recorder.choose(game.initial(256), np.full(256, 3))
    assert (later == 8).all()


def test_both_seats_are_drawn_from_all_bots(game, favourite):
    bots = [favourite(0), favourite(8)]
    recorder = Recorder(game, bots, 400, opening=0, random_prob=0.0, rng=np.random.default_rng(0))
    recorder.begin(np.arange(400))
    first = recorder.choose(game.initial(400), np.zeros(400, np.int64))
    assert 0.4 < np.mean(first == 0) < 0.6


def test_the_recorder_moves_legally(game):
    from zoo_mcts.players import make_player

    bots = [make_player(spec, game) for spec in ("random", "minimax:1")]
    recorder = Recorder(game, bots, 16, opening=4, random_prob=0.5, rng=np.random.default_rng(0))
    for ended in play(game, recorder, 16, 60):
        assert len(set(ended.moves)) == len(ended.moves)  # a cell is taken once


def test_the_learner_moves_in_its_seat_and_the_earlier_self_in_the_other(game):
    mover = PoolPlay(game, likes(0, 1, 2, 3), 32, rng=make_rng(0))
    mover.opponent = 5, likes(8, 7, 6, 5)
    for ended in play(game, mover, 32, 12):
        mine, theirs = ended.moves[ended.tag :: 2], ended.moves[1 - ended.tag :: 2]
        assert mine == [0, 1, 2][: len(mine)]
        assert theirs == [8, 7, 6][: len(theirs)]
    assert set(mover.tag.tolist()) == {0, 1}


def test_games_keep_the_opponent_that_they_began_with(game):
    mover = PoolPlay(game, likes(0), 4, rng=make_rng(0))
    mover.opponent = 0, likes(8)
    mover.begin(np.arange(4))
    mover.opponent = 1, likes(7)
    mover.begin(np.array([2]))
    state = game.initial(4)
    mover.tag[:] = 1  # the opponent begins
    assert mover.choose(state, np.zeros(4, np.int64)).tolist() == [8, 8, 7, 8]


def test_every_earlier_self_is_as_likely():
    pool, network = Pool(torch.nn.Linear(2, 2)), torch.nn.Linear(2, 2)
    for _ in range(4):
        pool.add(network)
    drawn = Counter(pool.draw(rng) for rng in [make_rng(0)] for _ in range(4_000))
    assert sorted(drawn) == [0, 1, 2, 3]
    assert all(900 < count < 1_100 for count in drawn.values())


def test_an_earlier_self_does_not_learn_on():
    pool, network = Pool(torch.nn.Linear(2, 2)), torch.nn.Linear(2, 2)
    pool.add(network)
    before = pool.selves[0].weight.clone()
    with torch.no_grad():
        network.weight += 1.0
    torch.testing.assert_close(pool.selves[0].weight, before)


def test_a_pool_comes_back_from_its_tensors():
    pool = Pool(torch.nn.Linear(2, 2))
    for _ in range(11):
        pool.add(torch.nn.Linear(2, 2))
    again = Pool(torch.nn.Linear(2, 2))
    again.load_file(pool.to_file())
    assert len(again) == 11
    for first, second in zip(pool.selves, again.selves, strict=True):
        torch.testing.assert_close(first.weight, second.weight)


@pytest.mark.parametrize("u", [1, 2, 4])
def test_the_moves_before_the_u_th_are_of_one_policy_the_u_th_is_random_and_the_others_of_the_other(game, u):
    mover = ValuePlay(game, likes(0, 1, 3, 2), likes(8, 7, 5, 6, 4), 300, lengths=np.array([9]), rng=make_rng(0))
    mover.begin(np.arange(300))
    mover.tag[:] = u
    env, order = GameVecEnv(game, 300), [0, 1, 3, 2]
    for ply in range(u + 1):
        moves = mover.choose(env.state, np.full(300, ply))
        if ply + 1 < u:
            assert (moves == order[ply]).all()
        elif ply + 1 == u:
            counts = np.bincount(moves, minlength=9)
            free = [move for move in range(9) if move not in order[: u - 1]]
            assert counts[free].min() > 0.5 * 300 / len(free)
            assert counts.sum() == counts[free].sum()
        else:
            assert set(moves.tolist()) <= {8, 7, 5}
        env.step(moves)


def test_u_is_drawn_from_one_to_the_length_of_a_recorded_game(game):
    mover = ValuePlay(game, likes(0), likes(1), 6_000, lengths=np.array([2, 4]), rng=make_rng(0))
    mover.begin(np.arange(6_000))
    shares = np.bincount(mover.tag, minlength=6) / 6_000
    np.testing.assert_allclose(shares, [0, 3 / 8, 3 / 8, 1 / 8, 1 / 8, 0], atol=0.03)
