"""The baselines are Stable-Baselines3, to the bit."""

import copy
import random

import numpy as np
import pytest
import stable_baselines3 as sb3
import torch
from stable_baselines3 import HerReplayBuffer
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.envs import BitFlippingEnv
from stable_baselines3.common.noise import NormalActionNoise

import zoo_core
from zoo_core.config import parse_settings

OFF_POLICY = {"learning_starts": 40, "batch_size": 16, "policy_kwargs": {"net_arch": [16, 16]}}
CASES = {
    "ppo": ("CartPole-v1", {"n_steps": 64, "batch_size": 32, "n_epochs": 2}, 256),
    "a2c": ("CartPole-v1", {"ent_coef": 0.01}, 200),
    "dqn": ("CartPole-v1", {**OFF_POLICY, "target_update_interval": 50, "exploration_fraction": 0.5}, 300),
    "sac": ("Pendulum-v1", OFF_POLICY, 120),
    "td3": ("Pendulum-v1", OFF_POLICY, 120),
    "ddpg": ("Pendulum-v1", OFF_POLICY, 120),
}


def weights(algorithm):
    return {name: values.clone() for name, values in algorithm.policy.state_dict().items()}


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def sb3_alone(name, env, arguments, steps, seed=3, policy="MlpPolicy"):
    return weights(make_sb3(name, env, arguments, seed, policy).learn(steps))


def make_sb3(name, env, arguments, seed=3, policy="MlpPolicy"):
    arguments = copy.deepcopy(arguments)  # SB3 writes into policy_kwargs
    return getattr(sb3, name.upper())(policy, env, seed=seed, device="cpu", **arguments)


def make(name, env, arguments, seed=3):
    return zoo_core.make_agent(name, env, {name: arguments}, seed=seed, device="cpu")


@pytest.mark.parametrize("name", CASES)
def test_an_agent_learns_the_weights_that_sb3_learns(name):
    env, arguments, steps = CASES[name]
    agent = make(name, env, arguments)
    before = weights(agent.learner.algorithm)
    agent.learn(steps)
    learned = weights(agent.learner.algorithm)
    assert same(learned, sb3_alone(name, env, arguments, steps))
    assert not same(learned, before)
    assert not same(learned, sb3_alone(name, env, arguments, steps, seed=4))


@pytest.mark.parametrize(
    ("name", "env", "steps", "settings", "arguments"),
    [
        (
            "ppo",
            "CartPole-v1",
            64,
            [
                "ppo.n_steps=32",
                "ppo.batch_size=32",
                "ppo.policy_kwargs.net_arch=[8]",
                "ppo.policy_kwargs.activation_fn=ReLU",
            ],
            {"n_steps": 32, "batch_size": 32, "policy_kwargs": {"net_arch": [8], "activation_fn": torch.nn.ReLU}},
        ),
        (
            "td3",
            "Pendulum-v1",
            80,
            ["td3.action_noise=0.2", "td3.learning_starts=40", "td3.train_freq=[10, 'step']"],
            {
                "action_noise": NormalActionNoise(np.zeros(1), np.full(1, 0.2)),
                "learning_starts": 40,
                "train_freq": (10, "step"),
            },
        ),
        (
            "sac",
            "Pendulum-v1",
            80,
            ["sac.use_sde=true", "sac.learning_starts=40", "sac.ent_coef=0.1"],
            {"use_sde": True, "learning_starts": 40, "ent_coef": 0.1},
        ),
    ],
)
def test_every_argument_can_be_reached_by_a_setting(name, env, steps, settings, arguments):
    agent = zoo_core.make_agent(name, env, parse_settings(settings), seed=3, device="cpu").learn(steps)
    assert same(weights(agent.learner.algorithm), sb3_alone(name, env, arguments, steps))


@pytest.mark.parametrize("name", ["ppo", "sac"])
def test_a_learning_rate_follows_its_schedule(name):
    env, arguments, steps = CASES[name]
    arguments = {**arguments, "learning_rate": lambda progress: 0.01 * progress}
    agent = make(name, env, arguments).learn(steps)
    assert same(weights(agent.learner.algorithm), sb3_alone(name, env, arguments, steps))


@pytest.mark.parametrize(("name", "continuous"), [("sac", True), ("dqn", False)])
def test_hindsight_experience_replay_is_sb3s(name, continuous):
    arguments = {
        "replay_buffer_class": HerReplayBuffer,
        "replay_buffer_kwargs": {"n_sampled_goal": 2, "goal_selection_strategy": "future"},
        "learning_starts": 30,
        "batch_size": 16,
        "buffer_size": 1_000,
        "policy_kwargs": {"net_arch": [16]},
    }
    settings = [f"{name}.{key}={value!r}" for key, value in arguments.items() if key != "replay_buffer_class"]
    agent = zoo_core.make_agent(
        name,
        BitFlippingEnv(n_bits=4, continuous=continuous, max_steps=4),
        parse_settings([f"{name}.replay_buffer_class=HerReplayBuffer", *settings]),
        seed=3,
        device="cpu",
    ).learn(100)
    assert isinstance(agent.learner.algorithm.replay_buffer, HerReplayBuffer)
    env = BitFlippingEnv(n_bits=4, continuous=continuous, max_steps=4)
    assert same(weights(agent.learner.algorithm), sb3_alone(name, env, arguments, 100, policy="MultiInputPolicy"))


@pytest.mark.parametrize("name", ["ppo", "dqn"])
def test_several_environments_are_stepped_as_sb3_steps_them(name):
    env, arguments, steps = CASES[name]
    agent = make(name, make_vec_env(env, 3), arguments).learn(steps)
    assert same(weights(agent.learner.algorithm), sb3_alone(name, make_vec_env(env, 3), arguments, steps))


@pytest.mark.parametrize("name", ["ppo", "sac", "dqn"])
def test_learning_in_parts_is_learning_in_parts_in_sb3(name):
    env, arguments, steps = CASES[name]
    agent = make(name, env, arguments).learn(steps).learn(steps // 2, reset_num_timesteps=False)
    algorithm = make_sb3(name, env, arguments)
    algorithm.learn(steps).learn(steps // 2, reset_num_timesteps=False)
    assert same(weights(agent.learner.algorithm), weights(algorithm))
    assert agent.num_timesteps == algorithm.num_timesteps


def global_streams():
    return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002


@pytest.mark.parametrize("name", ["ppo", "sac"])
def test_global_random_streams_are_left_alone(name):
    env, arguments, steps = CASES[name]
    before = global_streams()
    agent = make(name, env, arguments).learn(steps)
    agent.predict(agent.get_env().reset())
    assert global_streams() == before


def test_agents_that_take_turns_do_not_disturb_each_other():
    def learn(*names):
        agents = {name: make(name, *CASES[name][:2]) for name in names}
        for part in range(4):
            for agent in agents.values():
                agent.learn(64, reset_num_timesteps=part == 0)
                torch.rand(part + 1)  # what else goes on in the process does not either
        return {name: weights(agent.learner.algorithm) for name, agent in agents.items()}

    together = learn("ppo", "sac")
    assert same(together["ppo"], learn("ppo")["ppo"])
    assert same(together["sac"], learn("sac")["sac"])


def test_a_callback_that_says_no_ends_learning_where_it_ends_in_sb3():
    def stop_at_70(seen, _):
        return seen["self"].num_timesteps < 70

    env, arguments, steps = CASES["ppo"]
    agent = make("ppo", env, arguments).learn(steps, callback=stop_at_70)
    algorithm = make_sb3("ppo", env, arguments).learn(steps, callback=stop_at_70)
    assert agent.num_timesteps == algorithm.num_timesteps == 70
    assert same(weights(agent.learner.algorithm), weights(algorithm))
