"""The gate: who wins often enough plays from then on, and nobody else."""

import pytest
import torch

import zoo_core
from zoo_alphazero.alphago_zero import AlphaGoZero
from zoo_alphazero.config import AlphaGoZeroConfig
from zoo_core.planner import Evaluation
from zoo_mcts.games import solved

GATE = {
    "updates_per_candidate": 2,
    "gate_games": 20,
    "gate_opening_moves": 2,
    "planner_config": {"num_simulations": 24},
}


def make(small, **options):
    return AlphaGoZero("tictactoe_v3", {**small, **GATE, **options}, seed=0)


def knows(sign):
    """Returns an evaluation that knows what positions are worth, or takes it for the opposite."""

    def evaluate(state, *, rng):
        value = sign * torch.from_numpy(solved.values(state))
        return Evaluation(value, torch.zeros(len(value), 9))

    return evaluate


def set_players(agent, monkeypatch, *, candidate, best):
    """Lets two oracles play in place of the networks, and learning go on as it does."""
    monkeypatch.setattr(agent, "_evaluate_candidate", lambda: candidate)
    monkeypatch.setattr(agent, "evaluate", best)
    with torch.no_grad():
        next(agent.learner.network.parameters()).add_(1.0)  # as if it had learned


def same_weights(agent):
    pairs = zip(agent.best.state_dict().values(), agent.learner.network.state_dict().values(), strict=True)
    return all(torch.equal(best, candidate) for best, candidate in pairs)


def test_a_candidate_that_wins_is_taken(small, monkeypatch):
    agent = make(small)
    set_players(agent, monkeypatch, candidate=knows(1.0), best=knows(-1.0))
    metrics = agent.challenge()
    assert metrics["gate/points"] > 0.8
    assert metrics["gate/taken"] == 1.0
    assert same_weights(agent)


def test_a_candidate_that_loses_is_not_taken(small, monkeypatch):
    agent = make(small)
    set_players(agent, monkeypatch, candidate=knows(-1.0), best=knows(1.0))
    metrics = agent.challenge()
    assert metrics["gate/points"] < 0.2
    assert metrics["gate/taken"] == 0.0
    assert not same_weights(agent)


def test_to_be_as_good_is_not_enough(small, monkeypatch):
    agent = make(small, gate_opening_moves=0)
    set_players(agent, monkeypatch, candidate=knows(1.0), best=knows(1.0))
    assert agent.challenge() == {"gate/points": 0.5, "gate/taken": 0.0}  # tic-tac-toe is drawn


def test_the_best_network_plays_and_the_other_one_learns(small):
    agent = make(small, updates_per_candidate=10**6).learn(96)
    assert agent.learner.updates > 0
    assert not same_weights(agent)
    state = agent.game.initial(1)
    with torch.no_grad():
        value, _ = agent.best(torch.from_numpy(agent.game.observe(state)))
    torch.testing.assert_close(agent.evaluate(state, rng=None).value, value)


def test_a_network_that_was_taken_plays(small, monkeypatch):
    agent = make(small)
    state = agent.game.initial(1)
    before = agent.evaluate(state, rng=None).value
    with torch.no_grad():
        agent.learner.network.value_head.bias.add_(0.5)
    monkeypatch.setattr(agent, "config", agent.config.__class__(**{**small, **GATE, "win_rate": 0.0}))
    agent.challenge()
    assert agent.evaluate(state, rng=None).value > before


def test_a_challenge_follows_so_many_updates(small, monkeypatch):
    agent = make(small, updates_per_candidate=6)
    made = []
    monkeypatch.setattr(
        agent,
        "challenge",
        lambda: (made.append(agent.learner.updates), setattr(agent, "_challenged_at", made[-1]), {})[2],
    )
    agent.learn(320)
    assert len(made) > 2
    assert all(later - sooner >= 6 for sooner, later in zip([0, *made], made, strict=False))


def test_both_networks_are_saved(tmp_path, small):
    agent = make(small, updates_per_candidate=10**6).learn(96)
    loaded = zoo_core.load(agent.save(tmp_path / "agent"))
    assert not same_weights(loaded)
    for name in ("best", "learner"):
        mine, its = (getattr(each, name) for each in (agent, loaded))
        mine, its = (getattr(each, "network", each) for each in (mine, its))
        assert all(
            torch.equal(a, b) for a, b in zip(mine.state_dict().values(), its.state_dict().values(), strict=True)
        )


def test_the_defaults_are_the_papers():
    config = AlphaGoZeroConfig()
    assert (config.gate_games, config.win_rate, config.updates_per_candidate) == (400, 0.55, 1_000)
    assert (config.planner_config["num_simulations"], config.batch_size, config.temperature_moves) == (1_600, 2_048, 30)


def test_games_of_the_gate_come_in_pairs(small):
    with pytest.raises(ValueError, match="gate_games must be even, got 21"):
        make(small, gate_games=21)
