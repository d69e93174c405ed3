"""The agent: what every agent promises, where noise is, what it learns from, and what it refuses."""

import numpy as np
import pytest
import torch

import zoo_core
from zoo_alphazero.agent import AlphaZero
from zoo_alphazero.alphago_zero import AlphaGoZero
from zoo_core.checkpoint import Checkpoints
from zoo_core.errors import CheckpointError, UnsupportedSpaceError, ZooError
from zoo_core.plugins import make_env
from zoo_core.testing import check_agent
from zoo_core.testing.checks.resume import saved
from zoo_mcts.games.connect_four import ConnectFour
from zoo_mcts.games.tic_tac_toe import TicTacToe

GAME = "tictactoe_v3"


def after(*moves):
    game = TicTacToe()
    state = game.initial(1)
    for move in moves:
        state = game.play(state, np.array([move])).state
    return state


def make(small, **options):
    return AlphaZero(GAME, {**small, **options}, seed=0)


# -- what every agent promises -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("agent_class", "options"),
    [(AlphaZero, {}), (AlphaGoZero, {"updates_per_candidate": 2, "gate_games": 2})],
    ids=["alphazero", "alphago-zero"],
)
def test_it_keeps_the_contract_of_agents(agent_class, options, small):
    check_agent(agent_class, GAME, {**small, "planner_config": {"num_simulations": 2}, **options}, steps=40)


def test_the_registry_makes_it_by_name_and_preset():
    agent = zoo_core.make_agent("alphazero", GAME, preset="tic-tac-toe", seed=0)
    assert (agent.config.network, agent.planner.config.num_simulations) == ("mlp", 25)
    assert agent.world_model is agent.rules


def test_a_resumed_run_of_connect_four_ends_with_the_same_bytes(tmp_path, small):
    options = {**small, "num_games": 2, "network": "residual", "channels": 4, "random_openings": 20}

    def run(folder, stop_at=10**9, resume=False):
        agent = AlphaZero("connect_four_v3", options, seed=0)
        checkpoints = Checkpoints(tmp_path / folder, every=64, resume=resume)
        return agent.learn(192, callback=lambda *_: agent.num_timesteps < stop_at, checkpoints=checkpoints)

    whole = run("whole")
    run("stopped", stop_at=150)
    resumed = run("stopped", resume=True)
    assert whole.learner.updates > 4
    assert saved(whole) == saved(resumed)


def test_a_loaded_agent_plays_and_searches_alike(tmp_path, small):
    agent = make(small).learn(64)
    loaded = zoo_core.load(agent.save(tmp_path / "agent"))
    state = after(4, 0)
    for each in (agent.evaluate, loaded.evaluate):
        torch.testing.assert_close(each(state, rng=None).logits, agent.evaluate(state, rng=None).logits)
    plans = [each.search(state, rng=zoo_core.rng(0)) for each in (agent, loaded)]
    torch.testing.assert_close(plans[0].weights, plans[1].weights)
    assert len(loaded.replay) == len(agent.replay) > 0


# -- self-play and learning --------------------------------------------------------------------------------------------


def test_updates_are_as_many_as_positions_are_worth(small):
    agent = make(small, samples_per_position=2.0, batch_size=8).learn(320)
    assert agent.learner.updates == int(agent.replay.num_added * 2.0 / 8)


def test_nothing_is_learned_before_there_is_a_batch(small):
    agent = make(small, replay_size=10_000, batch_size=5_000, samples_per_position=1e6).learn(64)
    assert len(agent.replay) > 0
    assert agent.learner.updates == 0


def test_the_log_tells_of_games_losses_and_the_search(small):
    agent = make(small)
    agent.total_timesteps = 10**6
    agent.on_learn_start()
    agent.iterate()
    metrics = agent.iterate()
    assert {"policy_loss", "value_loss", "updates", "self_play/games", "self_play/plies_per_second"} < set(metrics)
    assert 0.0 < metrics["self_play/policy_entropy"] <= np.log(9)
    assert 0.0 <= metrics["self_play/value_error"] <= 4.0


def test_noise_is_in_self_play_and_not_in_play(small):
    agent = make(small, planner_config={"num_simulations": 16, "noise_alpha": 1.0, "noise_fraction": 1.0})
    state = after()
    quiet = [agent.search(state, rng=zoo_core.rng(seed)).weights for seed in range(2)]
    noisy = [agent.planner.plan(agent.rules, state, rng=zoo_core.rng(seed)).weights for seed in range(2)]
    torch.testing.assert_close(quiet[0], quiet[1])
    assert (noisy[0] - noisy[1]).abs().max() > 0.1


def test_self_play_is_by_the_planner_that_has_the_noise(small, monkeypatch):
    agent = make(small)
    searched = []
    plan = agent.planner.plan
    monkeypatch.setattr(agent.planner, "plan", lambda *args, **kwargs: (searched.append(1), plan(*args, **kwargs))[1])
    agent.learn(32)
    assert len(searched) == 8  # 32 moves in 4 games


def test_gumbels_noise_is_left_out_of_play_too(small):
    agent = make(small, planner="gumbel-mcts", planner_config={"num_simulations": 8, "gumbel_scale": 5.0})
    quiet = {int(agent.search(after(), rng=zoo_core.rng(seed)).action) for seed in range(12)}
    noisy = {int(agent.planner.plan(agent.rules, after(), rng=zoo_core.rng(seed)).action) for seed in range(12)}
    assert len(quiet) == 1
    assert len(noisy) > 3


def test_play_may_search_more_than_self_play(small):
    agent = make(small)
    weights = agent.search(after(), num_simulations=50).weights
    torch.testing.assert_close(weights * 50, (weights * 50).round())
    assert (weights * 50).sum() == 50


def test_illegal_moves_are_never_made(small):
    agent = make(small)
    state = after(0, 1, 2, 4, 3)
    legal = agent.game.legal(state)[0]
    observation = {"observation": agent.game.observe(state)[0], "action_mask": legal.astype(np.int8)}
    moves = {int(agent.predict(observation)[0]) for _ in range(50)}
    assert moves == set(np.flatnonzero(legal))
    assert (agent.search(state).weights[0].numpy()[~legal] == 0.0).all()


def test_bfloat16_says_nearly_the_same(small):
    options = {**small, "network": "residual", "num_blocks": 2, "channels": 16}
    exact, rough = (
        AlphaZero("connect_four_v3", {**options, "inference": each}, seed=0) for each in ("float32", "bfloat16")
    )
    state = exact.game.play(ConnectFour().initial(4), np.array([0, 2, 3, 6])).state
    first, second = (each.evaluate(state, rng=None) for each in (exact, rough))
    assert second.value.dtype == torch.float32
    torch.testing.assert_close(first.value, second.value, atol=0.02, rtol=0.0)
    torch.testing.assert_close(first.logits, second.logits, atol=0.05, rtol=0.0)
    assert not torch.equal(first.logits, second.logits)


# -- what it refuses ---------------------------------------------------------------------------------------------------


def test_an_environment_for_one_is_refused(small):
    with pytest.raises(UnsupportedSpaceError, match="agent 'alphazero' takes Dict observation spaces"):
        zoo_core.make_agent("alphazero", "CartPole-v1", small)
    with pytest.raises(ValueError, match="CartPole-v1 has a single agent: a board game of two players is needed"):
        AlphaZero(make_env("CartPole-v1"), small)


def test_a_checkpoint_of_another_game_is_refused(tmp_path, small):
    path = make(small).save(tmp_path / "agent")
    with pytest.raises(ValueError, match="the agent plays tictactoe_v3, the environment is connect_four_v3"):
        AlphaZero.load(path, env="connect_four_v3")


def test_a_run_of_another_game_does_not_go_on(tmp_path, small):
    make(small).learn(96, checkpoints=Checkpoints(tmp_path, every=40))
    (tmp_path / "finished.json").unlink()
    other = AlphaZero("connect_four_v3", small, seed=0)
    with pytest.raises(CheckpointError, match="cannot go on with other options"):
        other.learn(96, checkpoints=Checkpoints(tmp_path, every=40, resume=True))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"network": "transformer"}, "network has no choice 'transformer'"),
        ({"optimizer": "adamw"}, "optimizer has no choice 'adamw': did you mean 'adam'"),
        ({"inference": "int8"}, "inference has no choice 'int8'"),
        ({"batch_size": 1}, r"batch_size must be in \[2, inf\), got 1"),
        ({"batch_size": 300}, "batch_size must be at most replay_size=200, got 300"),
        ({"temperature_moves": -1}, r"temperature_moves must be in \[0, inf\), got -1"),
        ({"samples_per_position": -1.0}, r"samples_per_position must be in \[0.0, inf\), got -1.0"),
        ({"momentum": 1.5}, r"momentum must be in \[0"),
        ({"learning_rate_drops": ((9, 0.1), (3, 0.01))}, "learning_rate_drops must be pairs of a number of updates"),
        ({"num_games": 0}, r"num_games must be in \[1, inf\), got 0"),
        ({"planner": "mcst"}, "did you mean 'mcts'"),
    ],
)
def test_options_out_of_range_are_named(small, options, message):
    with pytest.raises(ZooError, match=message):
        make(small, **options)
