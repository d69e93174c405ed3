"""Games side by side, both sides of which are played by whoever steps."""

import numpy as np
import pytest

from zoo_mcts.games.lookup import make_game
from zoo_mcts.games.vec_env import GameVecEnv

WIN = [0, 1, 0, 1, 0, 1, 0]  # Connect Four: four in the first column, by the player who begins
ANSWER = [0, 1, 0, 1, 0, 1, 2, 1]  # four in the second column, by the other


@pytest.fixture
def games():
    return GameVecEnv(make_game("connect_four_v3"), 3)


def play(games, *lines):
    """Plays a line of moves in each game, and returns what every step returned."""
    games.reset()
    return [games.step(np.array(moves)) for moves in zip(*lines, strict=True)]


def test_every_game_begins_at_the_beginning(games):
    obs = games.reset()
    assert {name: value.shape for name, value in obs.items()} == {"observation": (3, 6, 7, 2), "action_mask": (3, 7)}
    assert not obs["observation"].any()
    assert obs["action_mask"].all()


def test_the_player_to_move_sees_its_own_stones_first(games):
    obs, *_ = play(games, [3], [0], [6])[0]
    assert obs["observation"][..., 0].sum() == 0
    assert obs["observation"][0, 5, 3].tolist() == [0, 1]


def test_the_player_who_moved_is_paid(games):
    steps = play(games, WIN, WIN, ANSWER[:7])
    assert [step[1].tolist() for step in steps[:-1]] == [[0.0, 0.0, 0.0]] * 6
    assert steps[-1][1].tolist() == [1.0, 1.0, 0.0]
    _, reward, done, infos = games.step(np.array([3, 3, 1]))
    assert (reward[2], done.tolist(), infos[2]["episode"]) == (1.0, [False, False, True], {"r": -1.0, "l": 8})


def test_a_game_that_is_over_begins_anew_and_says_what_was_seen_last(games):
    obs, _, done, infos = play(games, WIN, [0, 1, 2, 3, 4, 5, 6], WIN)[-1]
    assert done.tolist() == [True, False, True]
    assert not obs["observation"][[0, 2]].any()
    assert obs["observation"][1].any()
    last = infos[0]["terminal_observation"]
    assert last["observation"].sum() == 7
    assert not last["action_mask"].any()
    assert infos[0]["episode"] == {"r": 1.0, "l": 7}
    assert infos[0]["TimeLimit.truncated"] is False
    assert infos[1] == {}


def test_an_illegal_move_loses(games):
    full = [0] * 7
    _, reward, done, infos = play(games, full, full, full)[-1]
    assert reward.tolist() == [-1.0] * 3
    assert done.all()
    assert infos[0]["episode"]["r"] == -1.0


def test_what_is_seen_does_not_change_when_the_game_goes_on(games):
    obs = games.reset()
    before = {name: value.copy() for name, value in obs.items()}
    games.step(np.zeros(3, int))
    assert all((obs[name] == before[name]).all() for name in obs)


def test_it_answers_as_a_vec_env(games):
    games.reset()
    assert games.get_attr("game") == [games.game] * 3
    assert games.get_attr("spec")[0].id == "connect_four_v3"
    assert games.get_attr("render_mode") == [None] * 3
    assert np.array(games.env_method("action_masks")).all()
    assert games.env_is_wrapped(object) == [False] * 3
    with pytest.raises(AttributeError, match="has no method 'fly'"):
        games.env_method("fly")
    with pytest.raises(AttributeError, match="komi of connect_four_v3 cannot be set"):
        games.set_attr("komi", 1)
    with pytest.raises(AttributeError, match="komi"):
        games.get_attr("komi")
