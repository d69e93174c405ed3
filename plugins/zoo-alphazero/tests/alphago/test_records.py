"""Games as data: what is replayed from them, and what is refused."""

import numpy as np
import pytest
import torch

from zoo_alphazero.alphago.records import KIND, RecordError, Records, check, positions_at, replay
from zoo_core import archive
from zoo_core.errors import CheckpointError
from zoo_mcts.games.lookup import make_game


def test_every_move_is_replayed_with_the_result_of_the_player_who_made_it(game, games):
    steps = replay(game, games)
    assert len(steps.action) == 5 + 6 + 9
    for number, z_of_first in enumerate((1.0, -1.0, 0.0)):
        mine = steps.game == number
        np.testing.assert_array_equal(steps.outcome[mine & (steps.player == 0)], z_of_first)
        np.testing.assert_array_equal(steps.outcome[mine & (steps.player == 1)], -z_of_first)


def test_what_was_seen_is_seen_before_the_move(game, games):
    steps = replay(game, games)
    assert steps.legal[np.arange(len(steps.action)), steps.action].all()
    begins = steps.planes.reshape(20, -1).sum(1) == 0
    np.testing.assert_array_equal(steps.action[begins], [0, 0, 0])


def test_the_position_after_so_many_moves_is_worth_the_result_of_who_is_to_move(game, games):
    planes, outcome = positions_at(game, games, np.array([1, 2, 0]))
    np.testing.assert_array_equal(outcome, [-1.0, -1.0, 0.0])  # o is to move, x is, x is
    np.testing.assert_array_equal(planes.reshape(3, -1).sum(1), [1, 2, 0])


def test_a_result_is_of_the_player_to_move_where_one_moves_twice(twice):
    records = Records.of(twice, [[0, 0, 0, 1]], [1.0])
    values = [positions_at(twice, records, np.array([ply]))[1][0] for ply in range(4)]
    assert values == [1.0, -1.0, -1.0, 1.0]


def test_a_file_gives_back_the_games(games, tmp_path):
    path = games.save(tmp_path / "games")
    again = Records.load(path)
    assert (again.game, len(again)) == ("tictactoe_v3", 3)
    for name in ("moves", "lengths", "results"):
        np.testing.assert_array_equal(getattr(again, name), getattr(games, name))


def test_chosen_games_keep_their_moves(games):
    chosen = games[np.array([2, 0])]
    assert chosen.moves.tolist() == [0, 1, 2, 4, 3, 5, 7, 6, 8, 0, 3, 1, 4, 2]
    assert (chosen.lengths.tolist(), chosen.results.tolist()) == ([9, 5], [0.0, 1.0])


@pytest.mark.parametrize(
    ("moves", "message"),
    [
        ([0, 3, 0], r"games.zip, game 2, move 3: 0 is not legal"),
        ([0, 3, 9], r"games.zip, game 2, move 3: 9 is not legal"),
        ([0, 3, -1], r"games.zip, game 2, move 3: -1 is not legal"),
        ([0, 3, 1, 4, 2, 5], r"games.zip, game 2, move 6: 5 is made after the game is over"),
    ],
)
def test_an_illegal_move_is_named_with_file_and_game(game, tmp_path, moves, message):
    path = Records.of(game, [[0], moves], [1.0, 1.0]).save(tmp_path / "games")
    with pytest.raises(RecordError, match=message):
        Records.load(path)


def test_what_comes_after_the_end_can_be_cut_off(game):
    records = check(game, Records.of(game, [[0, 3, 1, 4, 2, 5, 6], [4]], [1.0, 0.0]), "here", longer=True)
    assert records.moves.tolist() == [0, 3, 1, 4, 2, 4]
    assert records.lengths.tolist() == [5, 1]


def test_a_file_that_was_cut_off_is_damaged(games, tmp_path):
    path = games.save(tmp_path / "games")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(CheckpointError, match=r"games.zip is damaged"):
        Records.load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lengths": torch.tensor([5, 6, 8])}, "the games have 19 moves together, the file has 20"),
        ({"lengths": torch.tensor([5, 15, 0])}, "the games have 20 moves"),
        ({"results": torch.tensor([1.0, 2.0, 0.0])}, "a result is not 1, 0 or -1"),
        ({"moves": torch.zeros(20)}, "moves, lengths and results are float32"),
        ({"results": torch.zeros(0)}, "3 lengths and 0 results"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(games, tmp_path, change, message):
    arrays = {name: torch.from_numpy(getattr(games, name)) for name in ("moves", "lengths", "results")}
    header = {"kind": KIND, "game": games.game, "game_kwargs": {}}
    path = archive.write_archive(tmp_path / "games", header, arrays | change)
    with pytest.raises(CheckpointError, match=message):
        Records.load(path)


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = archive.write_archive(tmp_path / "model", {"kind": "world_model"}, {})
    with pytest.raises(CheckpointError, match="expected 'game-records'"):
        Records.load(path)


def test_games_of_connect_four_are_replayed_side_by_side_as_one_by_one():
    game = make_game("connect_four_v3")
    lists = [[3, 3, 3], [0, 1, 0, 1, 0, 1, 0], [6]]
    together = replay(game, Records.of(game, lists, [0.0, 1.0, -1.0]))
    for number, moves in enumerate(lists):
        alone = replay(game, Records.of(game, [moves], [[0.0, 1.0, -1.0][number]]))
        mine = together.game == number
        np.testing.assert_array_equal(together.planes[mine], alone.planes)
        np.testing.assert_array_equal(together.action[mine], moves)
