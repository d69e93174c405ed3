"""The agent: algorithm 2 around SB3's SAC, its files, and learning from data alone."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from stable_baselines3.common.vec_env import VecNormalize

import zoo_core
from zoo_core import ConfigError, UnsupportedSpaceError
from zoo_core.acting import SpacesOnly, as_vec_env
from zoo_core.cli import main
from zoo_core.config import build_config
from zoo_core.plugins import agent_spec
from zoo_core.testing import check_resume
from zoo_mbpo.agent import MBPOAgent
from zoo_mbpo.config import MBPOConfig

SMALL = {
    "initial_steps": 20,
    "model_interval": 20,
    "epoch_steps": 40,
    "rollouts_per_step": 5,
    "rollout_schedule": (0, 2, 1, 3),
    "updates_per_step": 1,
    "offline_steps": 50,
    "model_config": {"num_members": 3, "num_elites": 2, "hidden": 8, "num_layers": 1, "max_epochs": 2},
    "sac": {"batch_size": 16, "policy_kwargs": {"net_arch": [8]}},
}


def make(env="Pendulum-v1", **changes):
    return MBPOAgent(env, {**SMALL, **changes}, seed=0, device="cpu")


def weights(agent):
    return {name: value.clone() for name, value in agent.learner.algorithm.policy.state_dict().items()}


def test_it_learns_a_model_and_dreams_in_it():
    agent = make().learn(70)
    assert len(agent.replay) == agent.num_timesteps == 70
    assert (agent.dreaming.round, agent.dreaming.fitted_at) == (3, 60)
    assert len(agent.buffer.dreams) == 100 + 100 + 200
    assert agent.world_model.replay_steps == 60
    assert agent.world_model.env_id == "Pendulum-v1"


def test_what_it_stores_is_what_the_environment_did():
    agent = make().learn(70)
    steps = agent.replay.transitions()
    env = gym.make("Pendulum-v1").unwrapped
    for obs, action, next_obs in zip(steps.obs[::10], steps.action[::10], steps.next_obs[::10], strict=True):
        env.reset()
        env.state = np.array([np.arctan2(obs[1], obs[0]), obs[2]])
        np.testing.assert_allclose(env.step(action)[0], next_obs, atol=1e-5)


def test_a_stopped_run_goes_on_byte_for_byte_while_the_ring_grows_and_overflows():
    check_resume(lambda env, config, seed: MBPOAgent(env, config, seed=seed), "Pendulum-v1", SMALL, steps=50)


def test_a_file_has_the_real_steps_and_dreams_only_if_asked_for(tmp_path):
    agent = make().learn(70)
    for options, num_dreams in (({}, 0), ({"include": ["dreams"]}, 400)):
        loaded = zoo_core.load(agent.save(tmp_path / f"agent-{num_dreams}", **options), env="Pendulum-v1")
        assert (len(loaded.replay), len(loaded.buffer.dreams)) == (70, num_dreams)
        assert loaded.dreaming.round == 3


def test_a_loaded_agent_dreams_at_once_when_it_learns_on(tmp_path):
    loaded = zoo_core.load(make().learn(70).save(tmp_path / "agent"), env="Pendulum-v1")
    loaded.learn(5, reset_num_timesteps=False)
    assert (loaded.dreaming.round, loaded.dreaming.fitted_at) == (4, 71)
    assert len(loaded.replay) == 75


def test_no_step_leads_from_one_learn_to_the_next():
    agent = make().learn(30)
    agent.learn(30, reset_num_timesteps=False)
    assert agent.replay.transitions().truncated.nonzero()[0].tolist() == [29]


def test_four_environments_share_the_work():
    agent = make(as_vec_env("Pendulum-v1", num_envs=4)).learn(80)
    assert len(agent.replay) == 80
    assert agent.learner.algorithm.gradient_steps == 4


# -- from data alone ---------------------------------------------------------------------------------------------------


def test_it_learns_from_data_without_a_step(pendulum_replay):
    agent = make()
    before = weights(agent)
    metrics = agent.learn_offline(pendulum_replay)
    assert agent.num_timesteps == 0
    assert metrics["replay/steps"] == len(agent.replay) == 300
    assert {"model/holdout_loss", "dream/reward_mean", "train/critic_loss"} <= metrics.keys()
    assert agent.learner.algorithm._n_updates == 50
    assert agent.dreaming.round == 3  # batches of dreams for 50 steps, of 20 each
    assert not torch.equal(before["actor.mu.weight"], weights(agent)["actor.mu.weight"])


def test_the_penalty_makes_dreams_of_data_worse(pendulum_replay):
    free, wary = (
        make(uncertainty_penalty=penalty, offline_steps=1).learn_offline(pendulum_replay) for penalty in (0.0, 5.0)
    )
    assert free["model/holdout_loss"] == wary["model/holdout_loss"]
    assert wary["dream/reward_mean"] < free["dream/reward_mean"] - 0.1


def test_the_same_seed_learns_the_same_from_data(pendulum_replay):
    first, second = make(), make()
    for agent in (first, second):
        agent.learn_offline(pendulum_replay)
        torch.rand(7)  # what else the process draws
    assert all(torch.equal(value, weights(second)[name]) for name, value in weights(first).items())


def test_it_may_go_on_in_the_environment(pendulum_replay, tmp_path):
    agent = make()
    agent.learn_offline(zoo_core.Replay.collect("Pendulum-v1", 100, seed=1))
    agent.learn(30)
    assert len(agent.replay) == 130
    assert len(zoo_core.load(agent.save(tmp_path / "agent")).replay) == 130


def test_data_of_another_environment_is_refused():
    with pytest.raises(ValueError, match="observation_space of the replay is"):
        make().learn_offline(zoo_core.Replay.collect("MountainCarContinuous-v0", 20, seed=0))


# -- bad input ---------------------------------------------------------------------------------------------------------


def test_discrete_actions_are_refused():
    with pytest.raises(UnsupportedSpaceError, match="MBPO takes Box action spaces, got Discrete"):
        make("CartPole-v1")


@pytest.mark.parametrize(
    ("observations", "actions", "message"),
    [
        (Box(0, 255, (8, 8, 3), np.uint8), Box(-1.0, 1.0, (1,)), "MBPO takes observations of floating point type"),
        (Box(-1.0, 1.0, (2,)), Box(-np.inf, 1.0, (1,)), r"MBPO takes actions with finite bounds, .*TransformAction"),
    ],
)
def test_spaces_that_no_dream_is_made_of_are_refused(observations, actions, message):
    with pytest.raises(UnsupportedSpaceError, match=message):
        make(SpacesOnly(observations, actions, num_envs=1))


def test_a_normalised_environment_is_refused():
    with pytest.raises(ValueError, match="take it out of VecNormalize"):
        make(VecNormalize(as_vec_env("Pendulum-v1")))


def test_a_normalised_environment_is_refused_later_too():
    with pytest.raises(ValueError, match="take it out of VecNormalize"):
        make().set_env(VecNormalize(as_vec_env("Pendulum-v1")))


def not_a_number_a_row(obs, action, next_obs):
    return next_obs > 0


def test_a_termination_function_of_the_wrong_shape_is_refused_before_any_step():
    with pytest.raises(ValueError, match="termination_fn must return a tensor of shape"):
        make(model_config={"termination_fn": not_a_number_a_row})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"initial_steps": 1}, r"initial_steps must be in \[2, inf\), got 1"),
        ({"rollout_schedule": (150, 20, 1, 15)}, "first_epoch < last_epoch"),
        ({"rollout_schedule": (20, 150, 1)}, "rollout_schedule must be a list of"),
        ({"real_ratio": 1.1}, r"real_ratio must be in \[0.0, 1.0\], got 1.1"),
        ({"real_ratio": -0.1}, "real_ratio must be in"),
        ({"uncertainty_penalty": -1.0}, "uncertainty_penalty must be in"),
        ({"updates_per_step": 0}, "updates_per_step must be in"),
        ({"offline_steps": 0}, "offline_steps must be in"),
        ({"sac.gradient_steps": 4}, "sac.gradient_steps is not for you to set: remove it; set updates_per_step"),
        ({"sac.replay_buffer_kwargs.real_ratio": 1}, "remove it; set real_ratio"),
        ({"sac.replay_buffer_class": None}, "remove it; MBPO has its own, MixedReplayBuffer"),
        ({"uncertainty_penalty": 1.0, "model": "mlp", "model_config": None}, "'mlp' reports no epistemic uncertainty"),
        ({"model": "ensembel"}, "did you mean 'ensemble'"),
        ({"sac": {"learning_rat": 1}}, "did you mean 'learning_rate'"),
    ],
)
def test_impossible_settings_are_refused(changes, message):
    with pytest.raises((ConfigError, LookupError), match=message):
        make(**changes)


def test_a_run_that_ends_before_its_first_update_is_told_so():
    with pytest.warns(UserWarning, match=r"nothing will be learned in 20 steps: the first 20 are random") as caught:
        make().learn(20)
    assert caught[0].filename == __file__
    make().learn(21)  # no warning, which would be an error


@pytest.mark.parametrize("preset", [None, "paper", "cpu"])
def test_the_command_learns_for_longer_than_the_random_steps(preset):
    assert agent_spec("mbpo").train_steps >= build_config(MBPOConfig, {}, preset=preset).initial_steps + 1_000


@pytest.mark.parametrize("preset", [None, "paper", "cpu"])
def test_presets_are_whole(preset):
    config = build_config(MBPOConfig, {}, preset=preset)
    assert config.model_config["num_members"] == 7
    assert config.model_config["propagation"] == "ts1"
    assert config.model_config.get("batch_size") == (None if preset == "cpu" else 256)
    agent = MBPOAgent("InvertedPendulum-v5", config, seed=0, device="cpu")
    assert len(agent.world_model.elites) == 5


def test_the_paper_preset_is_hoppers():
    config = build_config(MBPOConfig, {}, preset="paper")
    assert (config.rollout_schedule, config.sac["target_entropy"]) == ((20, 150, 1, 15), -1.0)
    assert (config.rollouts_per_step * config.model_interval, config.updates_per_step) == (100_000, 20)


def test_a_known_termination_function_is_named_on_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    settings = ["initial_steps=20", "rollouts_per_step=1", "updates_per_step=1", "model.hidden=8", "model.max_epochs=1"]
    known = "model.termination_fn=zoo_envs.known_functions:inverted_pendulum_termination"
    command = ["train", "mbpo", "--preset", "cpu", "--env", "InvertedPendulum-v5", "--steps", "25", "-q"]
    options = [f"--set={setting}" for setting in (*settings, known)]
    assert main([*command, *options, "--eval-episodes", "0", "--out", "run"]) == 0, capsys.readouterr().err
    config = zoo_core.load("run").world_model.config
    assert config.termination_fn == "zoo_envs.known_functions:inverted_pendulum_termination"
