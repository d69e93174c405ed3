"""Players by name, agents as players, and what is wrong with names."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

import zoo_core.agent
from zoo_core.errors import ConfigError, UnknownNameError, ZooError
from zoo_core.planner import Evaluation, Plan
from zoo_core.world_model import batch_size, stack
from zoo_mcts.games.lookup import make_game
from zoo_mcts.games.tic_tac_toe import TicTacToe
from zoo_mcts.players import PolicyPlayer, make_player
from zoo_mcts.players.search import MCTSPlayer


class Learned:
    """An agent that likes high columns, and finds by a search that low ones are better."""

    device = "cpu"

    def __init__(self, game):
        self.game = game
        self.asked = []

    def network_alone(self, state):
        num = batch_size(state)
        return Evaluation(torch.full((num,), 0.25), torch.arange(7.0).repeat(num, 1))

    def search(self, state, *, num_simulations=None, rng=None, deterministic=True):
        self.asked.append((num_simulations, deterministic))
        legal = torch.from_numpy(self.game.legal(state)).float()
        return Plan(legal.argmax(1), torch.zeros(len(legal)), weights=legal / legal.sum(1, keepdim=True))


@pytest.fixture
def agent(connect_four, monkeypatch, tmp_path):
    """An agent that is found in the run directory "run"."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    learned = Learned(connect_four)
    monkeypatch.setattr(zoo_core.agent, "load", lambda path, device: learned)
    return learned


def test_the_network_plays_its_likeliest_legal_move(connect_four, after, agent, rng):
    state = after(connect_four, "666666")
    choice = make_player("run:network", connect_four).choose(connect_four, state, rng=rng)
    assert choice.action.tolist() == [5]
    assert choice.value.tolist() == [0.25]
    assert choice.weights[0, 6] == 0.0
    assert choice.weights.sum() == pytest.approx(1.0)
    assert agent.asked == []


@pytest.mark.parametrize(("spec", "asked"), [("run", None), ("run:50", 50)])
def test_an_agent_searches_without_noise(connect_four, agent, rng, spec, asked):
    player = make_player(spec, connect_four)
    assert player.name == spec
    assert player.choose(connect_four, connect_four.initial(2), rng=rng).action.tolist() == [0, 0]
    assert agent.asked == [(asked, True)]


def test_an_agent_of_another_game_is_refused(agent):
    with pytest.raises(ZooError, match="run has learned connect_four_v3, and cannot play tictactoe_v3"):
        make_player("run", TicTacToe())


def test_an_agent_of_the_same_game_in_another_size_is_refused(agent):
    agent.game = make_game("go_v5", board_size=5)
    with pytest.raises(ZooError, match=r"learned go_v5 board_size=5.*, and cannot play go_v5 board_size=7"):
        make_player("run", make_game("go_v5", board_size=7))


def test_an_agent_of_no_board_game_is_refused(connect_four, agent, monkeypatch):
    monkeypatch.setattr(zoo_core.agent, "load", lambda path, device: SimpleNamespace())
    with pytest.raises(ZooError, match="run holds a SimpleNamespace, which plays no board games"):
        make_player("run", connect_four)


def test_what_comes_after_a_run_is_checked(connect_four, agent):
    with pytest.raises(ConfigError, match="after run: comes 'network' or a number of simulations, got 'net'"):
        make_player("run:net", connect_four)
    with pytest.raises(ConfigError, match=r"the number of simulations must be a whole number from 1 .* got '0'"):
        make_player("run:0", connect_four)


def test_a_file_that_is_no_agent_is_refused(connect_four, tmp_path):
    (tmp_path / "notes.zip").write_text("nothing")
    with pytest.raises(ZooError, match="damaged or was not written by the zoo"):
        make_player(str(tmp_path / "notes"), connect_four)


@pytest.mark.parametrize(
    ("spec", "error", "text"),
    [
        ("minmax:5", UnknownNameError, "unknown player 'minmax': did you mean 'minimax'?"),
        ("Random", UnknownNameError, "unknown player 'Random': did you mean 'random'?"),
        ("minimax", ConfigError, "player 'minimax' needs the number of moves that it looks ahead, such as 'minimax:5'"),
        ("mcts:", ConfigError, "player 'mcts' needs the number of simulations, such as 'mcts:1000'"),
        ("mcts:many", ConfigError, "the number of simulations must be a whole number from 1 to 10,000,000, got 'many'"),
        ("minimax:0", ConfigError, "must be a whole number from 1 to 100, got '0' in 'minimax:0'"),
        ("minimax:-1", ConfigError, "must be a whole number from 1 to 100, got '-1' in 'minimax:-1'"),
        ("minimax:2.5", ConfigError, "got '2.5'"),
        ("minimax:" + "9" * 5_000, ConfigError, "must be a whole number from 1 to 100"),
        ("random:3", ConfigError, "player 'random' takes nothing after it, got 'random:3'"),
        ("perfect:", ConfigError, "player 'perfect' takes nothing after it"),
        ("quux", UnknownNameError, "no player is called 'quux' and no agent is saved there"),
        ("runs/none:network", UnknownNameError, "no player is called 'runs/none' and no agent is saved there"),
        ("", UnknownNameError, "no player is called ''"),
    ],
)
def test_bad_names_are_explained(connect_four, monkeypatch, tmp_path, spec, error, text):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error) as caught:
        make_player(spec, connect_four)
    assert text in str(caught.value)


def test_the_nearest_run_is_named(connect_four, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "alphazero-1").mkdir(parents=True)
    with pytest.raises(UnknownNameError, match="did you mean 'alphazero-1'"):
        make_player("runs/alphazero-l", connect_four)


def test_mcts_takes_wins_and_blocks_them_in_a_batch(connect_four, after, rng):
    positions = [after(connect_four, moves) for moves in ("334455", "000112", "3344505", "061626")]
    choice = MCTSPlayer(200).choose(connect_four, stack(positions), rng=rng)
    assert choice.action[0] in (2, 6)
    assert choice.action[2] == 2
    np.testing.assert_allclose(choice.weights.sum(1), 1.0, rtol=1e-6)


def test_mcts_searches_few_trees_at_once_where_they_are_large(connect_four, monkeypatch, rng):
    monkeypatch.setattr("zoo_mcts.players.search._MAX_EDGES", 20 * 7 * 2)
    choice = MCTSPlayer(20).choose(connect_four, connect_four.initial(5), rng=rng)
    assert choice.action.shape == (5,)
    assert choice.weights.shape == (5, 7)


def test_a_policy_plays_by_predict_and_sees_legal_moves(connect_four, after, rng):
    class Policy:
        def predict(self, observation, state=None, episode_start=None, deterministic=False, action_masks=None):
            assert deterministic
            np.testing.assert_array_equal(observation["action_mask"], action_masks)
            return np.argmax(action_masks, 1), None

    state = after(connect_four, "000000")
    assert PolicyPlayer(Policy()).choose(connect_four, state, rng=rng).action.tolist() == [1]
