"""Rules agree with environments ply by ply, and where they do not, the proof finds it."""

import numpy as np
import pytest

from zoo_mcts.games.connect_four import ConnectFour
from zoo_mcts.games.lookup import make_game
from zoo_mcts.games.open_spiel import OpenSpielGame
from zoo_mcts.games.proof import Disagreement, prove
from zoo_mcts.games.reality import environment_of

GAMES = {
    "tictactoe_v3": {},
    "connect_four_v3": {},
    "go_v5": {"board_size": 9},
    "chess_v6": {},
    "open_spiel/tic_tac_toe": {},
    "open_spiel/connect_four": {},
    "open_spiel/othello": {},
    "open_spiel/mancala": {},  # a player may move again, and what is seen is a vector
    "dots_and_boxes:env": {},  # replayed; likewise
}


@pytest.mark.parametrize("id", GAMES)
def test_rules_are_those_of_the_environment(id):
    num_games = 8 if id == "chess_v6" else 20  # random games of chess have some 300 moves, and its environment is slow
    proof = prove(make_game(id, **GAMES[id]), num_games=num_games)
    assert (proof.games, proof.clones) == (num_games, num_games)
    assert proof.illegal > 0
    assert proof.plies > 100
    assert proof.clone_plies > 0


@pytest.mark.parametrize("id", ["chess", "hex", "dots_and_boxes", "ultimate_tic_tac_toe", "gomoku"])
def test_further_games_of_open_spiel_are_those_of_shimmy(id):
    assert prove(make_game(f"open_spiel/{id}"), num_games=2, seed=1).games == 2


def test_the_proof_is_the_same_for_the_same_seed():
    game = make_game("connect_four_v3")
    first, again, other = (prove(game, num_games=3, seed=seed) for seed in (0, 0, 1))
    assert (first.plies, first.clone_plies) == (again.plies, again.clone_plies)
    assert first.plies != other.plies


class ForgetsFullColumns(ConnectFour):
    def legal(self, state):
        return np.repeat(~state.over[:, None], self.num_actions, axis=1)


class SwapsPlanes(ConnectFour):
    def observe(self, state):
        return super().observe(state)[..., ::-1]


class SeesTheEndWrongly(ConnectFour):
    def observe(self, state):
        return super().observe(state) * ~state.over[:, None, None, None]


class WritesIntoThePast(ConnectFour):
    def play(self, state, action):
        played = super().play(state, action)
        state.cells[:] = played.state.cells
        return played


class LetsRowsMeet(ConnectFour):
    def play(self, state, action):
        played = super().play(state, action)
        cells = played.state.cells.copy()
        cells[1::2] |= cells[::2][: len(cells[1::2])]
        return played._replace(state=played.state._replace(cells=cells))


class PaysTheLoser(ConnectFour):
    def play(self, state, action):
        played = super().play(state, action)
        return played._replace(reward=-played.reward)


class ForgivesIllegalMoves(ConnectFour):
    def play(self, state, action):
        played = super().play(state, action)
        return played._replace(reward=np.maximum(played.reward, 0.0))


class NeverEnds(ConnectFour):
    def play(self, state, action):
        played = super().play(state, action)
        going_on = np.zeros_like(played.over)
        return played._replace(over=going_on, state=played.state._replace(over=going_on))


class MixesUpPlayers(ConnectFour):
    def player(self, state):
        return 1 - super().player(state)


class KeepsTheSign(ConnectFour):
    def play(self, state, action):
        played = super().play(state, action)
        return played._replace(sign=-played.sign)


class DoesNotClone(OpenSpielGame):
    def __init__(self):
        super().__init__("connect_four")

    def move(self, position, action):
        player = position.state.current_player()
        position.state.apply_action(action)
        return position, position.state.player_reward(player)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (ForgetsFullColumns, "which moves are legal differs: [1-6] entries, the first"),
        (SwapsPlanes, "ply 1: what the player sees differs: 2 entries, the first"),
        (SeesTheEndWrongly, "what the player sees differs"),
        (WritesIntoThePast, "ply 1: a position differs: a move wrote into the arrays of the position before it"),
        (LetsRowsMeet, "what the player sees differs"),
        (PaysTheLoser, "the reward differs: 1.0 in the environment, -1.0 by the rules"),
        (ForgivesIllegalMoves, "game [048], ply .*: the reward differs: -1.0 in the environment, 0.0 by the rules"),
        (NeverEnds, "whether a move ended the game differs: True in the environment, False by the rules"),
        (MixesUpPlayers, "ply 0: whose turn it is differs: 0 in the environment, 1 by the rules"),
        (KeepsTheSign, "ply 1: the sign differs: -1.0 in the environment, 1.0 by the rules"),
        (DoesNotClone, "open_spiel/connect_four, seed 0, game .*, ply .*: what.*differs|which moves are legal differs"),
    ],
)
def test_a_broken_game_is_found(broken, message):
    game = broken()
    with pytest.raises(Disagreement, match=message) as caught:
        prove(game, environment_of(game), num_games=20)
    assert f"{game.id}, seed 0, game" in str(caught.value)
    assert isinstance(caught.value, AssertionError)


def test_the_environment_of_an_unknown_game_is_asked_for():
    class Own(ConnectFour):
        id = "own"

    with pytest.raises(ValueError, match="the environment of own is not known"):
        prove(Own())
