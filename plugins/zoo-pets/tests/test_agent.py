"""When PETS collects, fits and plans, and by which numbers."""

import numpy as np
import pytest
import torch

import zoo_core
from zoo_core.acting import RandomPolicy
from zoo_core.config import build_config
from zoo_core.testing import check_plugin
from zoo_pets.config import PETSConfig

TINY = {
    "initial_steps": 40,
    "trial_steps": 20,
    "model_config": {"hidden": 16, "num_layers": 1, "max_epochs": 3},
    "planner_config": {"horizon": 3, "num_candidates": 16, "num_elites": 4, "iterations": 2, "num_particles": 5},
}


def make(env="Pendulum-v1", config=TINY, *, seed=0, **kwargs):
    return zoo_core.make_agent("pets", env, config, seed=seed, device="cpu", **kwargs)


def actions(agent):
    return agent.replay.tensors().action


def test_the_plugin_keeps_the_rules():
    """Those of agents and checkpoints among them, with Box and with Discrete actions."""
    check_plugin("pets")


def test_the_defaults_are_the_papers_for_half_cheetah():
    for config in (PETSConfig(), build_config(PETSConfig, None, preset="paper")):
        assert config == PETSConfig()
        assert (config.model, config.planner) == ("ensemble", "cem")
        model, planner = config.model_config, config.planner_config
        names = ("num_members", "num_layers", "hidden", "learning_rate", "batch_size", "max_epochs", "propagation")
        assert [model[name] for name in names] == [5, 4, 200, 1e-3, 32, 5, "ts-infinity"]
        names = ("num_candidates", "num_elites", "iterations", "alpha", "horizon", "num_particles")
        assert [planner[name] for name in names] == [500, 50, 5, 0.1, 30, 20]
        assert config.trial_steps == 1_000


@pytest.mark.parametrize("preset", ["paper", "cpu"])
def test_every_preset_builds_an_agent(preset):
    agent = make(config={"model.hidden": 8}, preset=preset)
    assert agent.model.config.hidden == 8
    assert agent.model.config.num_members == agent.model.config.num_elites == 5
    assert agent.planner.config.num_particles % 5 == 0  # as many through each member
    assert agent.planner.config.num_elites == agent.planner.config.num_candidates / 10


def test_the_first_trial_is_random_and_every_trial_ends_with_a_fit_to_all_data():
    agent = make().learn(40)
    random, _ = RandomPolicy(agent.action_space, seed=0).predict(None)
    np.testing.assert_array_equal(actions(agent)[0], random[0])
    assert (agent.round, agent.model.replay_steps) == (1, 40)
    agent.learn(40, reset_num_timesteps=False)
    assert (agent.round, agent.model.replay_steps, len(agent.replay)) == (3, 80, 80)


def test_every_step_after_the_first_trial_is_planned(monkeypatch):
    agent, plans = make(), []
    plan = agent.planner.plan

    def counted(model, state, **kwargs):
        plans.append((len(agent.replay), plan(model, state, **kwargs)))
        return plans[-1][1]

    monkeypatch.setattr(agent.planner, "plan", counted)
    agent.learn(60)
    assert [step for step, _ in plans] == list(range(40, 60))
    assert torch.equal(actions(agent)[40:], torch.cat([found.action for _, found in plans]))


def test_told_to_stop_it_does_not_fit():
    agent = make()
    agent.learn(80, callback=lambda *_: agent.num_timesteps < 50)
    assert (agent.num_timesteps, agent.round, agent.model.replay_steps) == (50, 1, 40)


def test_a_known_reward_is_planned_by():
    agent = make(config={**TINY, "model.reward_fn": "zoo_envs.known_functions:pendulum_reward"}).learn(40)
    seen = agent.replay.tensors()
    state = agent.model.observe(None, None, seen.obs, None, rng=zoo_core.rng(0))
    with torch.no_grad():
        reward = agent.model.step(state, seen.action, rng=zoo_core.rng(0)).reward
    torch.testing.assert_close(reward, seen.reward, atol=1e-4, rtol=1e-4)


def test_the_seed_decides_everything():
    first, second, other = (make(seed=seed).learn(60) for seed in (1, 1, 2))
    assert torch.equal(actions(first), actions(second))
    assert not torch.equal(actions(first), actions(other))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"trial_steps": 0}, "trial_steps must be"),
        ({"initial_steps": 1}, r"initial_steps must be in \[2, inf\), got 1"),
        ({"planner.num_elites": 17, "planner.num_candidates": 16}, r"num_elites must be in \[1, 16\], got 17"),
        ({"planner.horizon": 0}, "horizon must be"),
        ({"model.propagation": "ts2"}, "propagation has no choice 'ts2'"),
    ],
)
def test_what_cannot_be_is_refused_before_the_first_step(config, message):
    with pytest.raises(zoo_core.ConfigError, match=message):
        make(config=config)
