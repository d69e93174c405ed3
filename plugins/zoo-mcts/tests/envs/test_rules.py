"""Rules of games as a world model, and what random moves come to."""

import numpy as np
import pytest
import torch

import zoo_core
import zoo_mcts.leaves
from zoo_core.testing import check_dream_faces, check_world_model
from zoo_core.testing.fakes import random_opponent
from zoo_core.world_model import index
from zoo_mcts.games.game import Game
from zoo_mcts.games.lookup import make_game
from zoo_mcts.games.rules import RulesModel

GAMES = ("tictactoe_v3", "connect_four_v3")


def model(game="tictactoe_v3"):
    return RulesModel(config={"game": game})


def walk(game, num, plies, seed=0):
    """Returns positions after so many random moves."""
    rng, state = np.random.default_rng(seed), game.initial(num)
    for _ in range(plies):
        legal = game.legal(state)
        state = game.play(state, np.where(legal, rng.random(legal.shape), -1.0).argmax(1)).state
    return state


@pytest.mark.parametrize("game", GAMES)
def test_rules_keep_the_contract_of_world_models(game):
    check_world_model(lambda: model(game), None)


@pytest.mark.parametrize("game", GAMES)
def test_a_game_is_dreamt_against_an_opponent(game):
    check_dream_faces(model(game), opponent=random_opponent)


def test_a_dream_shows_what_the_environment_shows():
    dream = zoo_core.DreamEnv(model("connect_four_v3"), opponent=random_opponent, seed=0)
    obs, _ = dream.reset()
    assert dream.observation_space == make_game("connect_four_v3").observation_space
    assert obs["action_mask"].all()


def test_a_step_is_a_move_and_the_other_player_is_next():
    rules = model()
    step = rules.step(rules.game.initial(2), torch.tensor([4, 0]), rng=None)
    assert (step.reward.tolist(), step.continues.tolist(), step.sign.tolist()) == ([0, 0], [1, 1], [-1, -1])
    assert rules.legal_actions(step.state)[0].tolist() == [True] * 4 + [False] + [True] * 4


def test_a_game_that_is_over_pays_nothing_and_stays_as_it_is():
    rules = model()
    state = rules.game.initial(1)
    for cell in (0, 3, 1, 4, 2):
        step = rules.step(state, torch.tensor([cell]), rng=None)
        state = step.state
    assert (step.reward.item(), step.continues.item()) == (1.0, 0.0)
    again = rules.step(state, torch.tensor([8]), rng=None)
    assert (again.reward.item(), again.continues.item()) == (0.0, 0.0)
    np.testing.assert_array_equal(again.state.cells, state.cells)


def test_what_is_seen_is_ignored_and_the_move_is_made():
    rules = model()
    seen = rules.decode(rules.game.initial(2))
    state = rules.observe(None, None, seen, None, rng=None)
    state = rules.observe(state, torch.tensor([4, 4]), seen, torch.tensor([False, True]), rng=None)
    assert (state.cells != 0).sum(1).tolist() == [1, 0]


def test_it_is_saved_as_the_name_of_its_game(tmp_path):
    model("connect_four_v3").save(tmp_path / "rules")
    assert zoo_core.load_model(tmp_path / "rules").game.id == "connect_four_v3"


def test_spaces_of_another_game_are_refused():
    with pytest.raises(ValueError, match=r"observation_space of tictactoe_v3 is Dict.*, got Dict"):
        RulesModel(make_game("connect_four_v3").observation_space, config={"game": "tictactoe_v3"})


# -- random moves ------------------------------------------------------------------------------------------------------


def seeds(num):
    return np.random.default_rng(0).integers(2**63, size=num, dtype=np.uint64)


def test_random_games_of_tic_tac_toe_end_as_they_are_known_to():
    game = make_game("tictactoe_v3")
    returns = game.random_returns(game.initial(40_000), depth=9, gamma=1.0, seeds=seeds(40_000))
    shares = [(returns == result).mean() for result in (1, 0, -1)]
    np.testing.assert_allclose(shares, [0.585, 0.127, 0.288], atol=0.01)  # known by enumeration


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize(("depth", "gamma"), [(99, 1.0), (99, 0.9), (5, 1.0), (0, 1.0)])
def test_compiled_games_are_those_of_step_by_step(game, depth, gamma):
    game = make_game(game)
    state = walk(game, 200, 5)
    compiled = game.random_returns(state, depth=depth, gamma=gamma, seeds=seeds(200))
    plain = Game.random_returns(game, state, depth=depth, gamma=gamma, seeds=seeds(200))
    np.testing.assert_allclose(compiled, plain, rtol=1e-5)


def test_random_games_do_not_touch_each_other():
    game = make_game("connect_four_v3")
    state = walk(game, 50, 8)
    whole = game.random_returns(state, depth=99, gamma=1.0, seeds=seeds(50))
    part = game.random_returns(index(state, slice(10, 20)), depth=99, gamma=1.0, seeds=seeds(50)[10:20])
    np.testing.assert_array_equal(whole[10:20], part)


def test_a_search_by_random_games_is_as_good_either_way(monkeypatch):
    """Rollouts inside of the rules, and step by step as in any other model."""
    planner = zoo_core.make_planner("mcts-uct", {"num_simulations": 60, "gamma": 1.0, "tree": "deterministic"})
    rules = model()
    state = walk(rules.game, 30, 4)
    fast = planner.plan(rules, state, rng=zoo_core.rng(0))
    monkeypatch.setattr(zoo_mcts.leaves, "PlaysAtRandom", int)  # which no model is
    slow = planner.plan(rules, state, rng=zoo_core.rng(0))
    assert (fast.value - slow.value).abs().mean() < 0.15
    assert (fast.value - slow.value).abs().max() > 0.0
