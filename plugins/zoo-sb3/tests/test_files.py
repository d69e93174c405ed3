"""What is saved acts the same, learns on, and holds no code."""

import json
import zipfile

import numpy as np
import pytest
import torch
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.envs import BitFlippingEnv

import zoo_core
from zoo_core.errors import ConfigError

SMALL = {"policy_kwargs": {"net_arch": [16]}}
OFF_POLICY = {**SMALL, "learning_starts": 20, "batch_size": 16, "buffer_size": 1_000}
MODEL = {"hidden": 16, "num_layers": 1, "max_epochs": 2}
TINY = {
    "initial_steps": 50,
    "round_steps": 30,
    "dream_steps": 256,
    "num_dreams": 8,
    "horizon": 20,
    "model_config": MODEL,
}
CASES = {
    "ppo": ("CartPole-v1", {"ppo": {**SMALL, "n_steps": 32, "batch_size": 32}}),
    "a2c": ("CartPole-v1", {"a2c": SMALL}),
    "dqn": ("CartPole-v1", {"dqn": OFF_POLICY}),
    "sac": ("Pendulum-v1", {"sac": OFF_POLICY}),
    "td3": ("Pendulum-v1", {"td3": {**OFF_POLICY, "action_noise": 0.1}}),
    "ddpg": ("Pendulum-v1", {"ddpg": OFF_POLICY}),
    "dream-ppo": ("CartPole-v1", {**TINY, "ppo": {**SMALL, "n_steps": 16, "batch_size": 64}}),
    "dream-sac": ("Pendulum-v1", {**TINY, "sac": OFF_POLICY, "observation": "latent"}),
}


def learned(name, **kwargs):
    env, config = CASES[name]
    return zoo_core.make_agent(name, env, config, seed=0, device="cpu", **kwargs).learn(64)


@pytest.mark.parametrize("name", CASES)
def test_a_loaded_agent_acts_the_same_and_learns_on(tmp_path, name):
    agent = learned(name)
    path = agent.save(tmp_path / "agent")
    obs = np.array([agent.observation_space.sample() for _ in range(20)])
    acting = zoo_core.load(path, device="cpu")
    assert type(acting) is type(agent)
    np.testing.assert_array_equal(acting.predict(obs, deterministic=True)[0], agent.predict(obs, deterministic=True)[0])
    assert acting.num_timesteps == agent.num_timesteps
    learning = type(agent).load(path, env=CASES[name][0], device="cpu")
    steps = agent.num_timesteps
    learning.learn(32, reset_num_timesteps=False)
    assert steps + 32 <= learning.num_timesteps < steps + 32 + 5  # A2C makes rollouts of 5 steps


@pytest.mark.parametrize("name", ["ppo", "dqn", "sac"])
def test_optimisers_and_counters_are_part_of_the_file(tmp_path, name):
    agent = learned(name)
    algorithm = agent.learner.algorithm
    loaded = zoo_core.load(agent.save(tmp_path / "agent"), device="cpu").learner.algorithm
    assert loaded._n_updates == algorithm._n_updates > 0
    assert getattr(loaded, "_n_calls", 64) == 64  # of DQN: when its target network is due
    before, after = (each.get_parameters() for each in (algorithm, loaded))
    optimizers = [key for key in before if "optimizer" in key]
    assert optimizers
    for key in optimizers:
        moments = [values["exp_avg"] for values in before[key]["state"].values()]
        assert moments
        for saved, read in zip(moments, after[key]["state"].values(), strict=True):
            assert torch.equal(saved, read["exp_avg"])


@pytest.mark.parametrize("name", ["sac", "dream-sac"])
def test_the_file_holds_no_code(tmp_path, name):
    path = learned(name).save(tmp_path / "agent")
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["zoo.json", "README.md", "tensors.safetensors"]
        json.loads(archive.read("zoo.json"))


def test_the_replay_of_a_dream_agent_is_kept_by_one_that_only_acts(tmp_path):
    """And by a file written from it: without an environment nothing says that their number is another."""
    agent = zoo_core.make_agent("dream-sac", make_vec_env("Pendulum-v1", 2), CASES["dream-sac"][1], seed=0).learn(50)
    loaded = zoo_core.load(agent.save(tmp_path / "agent"))
    again = zoo_core.load(loaded.save(tmp_path / "again"), env=make_vec_env("Pendulum-v1", 2))
    for replay in (loaded.replay, again.replay):
        for stored, kept in zip(agent.replay.transitions()[:4], replay.transitions()[:4], strict=True):
            np.testing.assert_array_equal(stored, kept)
    assert len(again.learn(30, reset_num_timesteps=False).replay) == 80


def test_a_world_model_is_read_from_the_file_of_its_agent(tmp_path):
    agent = learned("dream-sac")
    model = zoo_core.load_model(agent.save(tmp_path / "agent"))
    assert all(torch.equal(values, model.state_dict()[name]) for name, values in agent.model.state_dict().items())


def slower(progress):
    return 1e-3 * progress


def test_a_function_in_the_config_is_passed_again(tmp_path):
    config = {"ppo": {**CASES["ppo"][1]["ppo"], "learning_rate": slower}}
    agent = zoo_core.make_agent("ppo", "CartPole-v1", config, seed=0).learn(32)
    path = agent.save(tmp_path / "agent")
    with pytest.raises(ConfigError, match=r"ppo\.learning_rate is the function .*slower.*pass it as an override"):
        zoo_core.load(path)
    loaded = zoo_core.load(path, env="CartPole-v1", **{"ppo.learning_rate": slower})
    assert loaded.learn(32, reset_num_timesteps=False).num_timesteps == 64


def test_a_class_of_torch_in_the_config_is_found_again(tmp_path):
    config = {"ppo.policy_kwargs": {"activation_fn": torch.nn.ELU, "net_arch": [8]}}
    agent = zoo_core.make_agent("ppo", "CartPole-v1", config, seed=0)
    loaded = zoo_core.load(agent.save(tmp_path / "agent"))
    assert torch.nn.ELU in {type(module) for module in loaded.learner.algorithm.policy.modules()}


def test_an_agent_that_replays_in_hindsight_is_loaded_without_its_environment(tmp_path):
    config = {"dqn": {**OFF_POLICY, "replay_buffer_class": "HerReplayBuffer"}}
    agent = zoo_core.make_agent("dqn", BitFlippingEnv(4), config, seed=0).learn(40)
    loaded = zoo_core.load(agent.save(tmp_path / "agent"))
    obs = agent.get_env().reset()
    assert loaded.predict(obs, deterministic=True)[0] == agent.predict(obs, deterministic=True)[0]


def test_without_an_environment_learning_says_what_is_missing(tmp_path):
    for name in ("ppo", "dream-sac"):
        loaded = zoo_core.load(learned(name).save(tmp_path / name))
        with pytest.raises(ValueError, match=r"no environment: pass one to load\(path, env=...\) or call set_env"):
            loaded.learn(32)
