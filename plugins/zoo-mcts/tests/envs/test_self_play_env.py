"""A game against an opponent, as a Gymnasium environment."""

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_env_of_sb3

from zoo_mcts.games.envs import SelfPlayEnv


class Column:
    """Always plays one column; as a policy with `predict`, and as a player with `choose`."""

    def __init__(self, column):
        self.column = column

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        return np.full(len(observation["action_mask"]), self.column), state


def make(opponent="random", game="connect_four_v3", **kwargs):
    return SelfPlayEnv(game, opponent, **kwargs)


@pytest.mark.parametrize("opponent", ["random", None])
@pytest.mark.parametrize("game", ["tictactoe_v3", "connect_four_v3"])
def test_it_is_an_environment_as_gymnasium_and_sb3_want_it(game, opponent):
    check_env(make(opponent, game), skip_render_check=True)
    check_env_of_sb3(make(opponent, game))


def test_who_begins_is_drawn_unless_it_is_said():
    env = make()
    seats = [env.reset(seed=seed)[1]["seat"] for seed in range(20)]
    assert set(seats) == {0, 1}
    assert {make(seat=1).reset(seed=seed)[1]["seat"] for seed in range(20)} == {1}


def test_the_opponent_moves_first_where_it_begins():
    obs, _ = make(Column(3), seat=1).reset(seed=0)
    assert obs["observation"][5, 3].tolist() == [0, 1]
    assert not make(Column(3), seat=0).reset(seed=0)[0]["observation"].any()


def test_a_win_pays_one_and_a_loss_minus_one():
    env = make(Column(3), seat=0)
    env.reset(seed=0)
    paid = [env.step(0)[1:3] for _ in range(4)]
    assert paid == [(0.0, False)] * 3 + [(1.0, True)]
    env.reset(seed=0)
    paid = [env.step(column)[1:3] for column in (0, 1, 0, 1)]
    assert paid == [(0.0, False)] * 3 + [(-1.0, True)]


def test_an_illegal_move_loses():
    env = make(Column(3), "connect_four_v3", seat=0)
    env.reset(seed=0)
    results = [env.step(3)[1:3] for _ in range(4)]
    assert results[-1] == (-1.0, True)


def test_an_illegal_move_of_the_opponent_wins():
    env = make(Column(0), seat=0)
    env.reset(seed=0)
    results = [env.step(column)[1:3] for column in (0, 0, 0, 1, 3)]
    assert results[-1] == (0.0, False) or results[-1][1]
    assert env.game.over(env.state)[0] == results[-1][1]


def test_without_an_opponent_every_step_is_a_move_of_whose_turn_it_is():
    env = make(None)
    env.reset(seed=0)
    paid = [env.step(column)[1:3] for column in (0, 1, 0, 1, 0, 1, 0)]
    assert paid == [(0.0, False)] * 6 + [(1.0, True)]


def test_the_same_seed_gives_the_same_game():
    def game(seed):
        env = make()
        obs, _ = env.reset(seed=seed)
        seen = [obs["observation"]]
        for _ in range(3):
            seen.append(env.step(int(np.flatnonzero(env.action_masks())[0]))[0]["observation"])
        return np.array(seen)

    np.testing.assert_array_equal(game(3), game(3))
    assert (game(3) != game(4)).any()


def test_legal_moves_are_those_of_the_mask():
    env = make("random", "tictactoe_v3")
    obs, _ = env.reset(seed=0)
    np.testing.assert_array_equal(env.action_masks(), obs["action_mask"].astype(bool))


def test_it_is_drawn_as_text_and_as_a_picture_of_it():
    env = make(None, "tictactoe_v3", render_mode="ansi")
    env.reset(seed=0)
    env.step(4)
    assert env.render() == ". . .\n. x .\n. . ."
    env.render_mode = "rgb_array"
    picture = env.render()
    assert picture.ndim == 3
    assert picture.dtype == np.uint8
    assert picture.std() > 0


def test_a_seat_that_is_none_is_refused():
    with pytest.raises(ValueError, match="seat must be 0, 1 or None, got 2"):
        make(seat=2)


def test_an_opponent_that_cannot_play_is_refused():
    with pytest.raises(TypeError, match=r"opponent must be a player's name, a Player or a policy with predict\(\)"):
        make(opponent=3).reset()
