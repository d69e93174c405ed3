"""SB3's algorithms for `zoo dream`: defaults that suit hundreds of dreams at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.vec_env import VecEnv

from zoo_core.config import config_to_json
from zoo_core.errors import ConfigError
from zoo_core.sb3_arguments import check_action_space, check_arguments, find_algorithm, make_algorithm, policy_for

__all__ = [
    "check_action_space",
    "check_settings",
    "describe_arguments",
    "find_algorithm",
    "log_interval",
    "make_learner",
]

ROLLOUT = 8_192  # PPO: dream steps between two updates, about
MINIBATCHES = 16  # PPO: of a rollout
DREAM_STEPS_PER_UPDATE = 16  # off-policy: dream steps are cheap, updates are not
EXPLORATION_STD = 0.1  # TD3, DDPG: of the action's noise, in units of half its range (Fujimoto et al. 2018)


def check_settings(algorithm: type[BaseAlgorithm], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns `--set` as arguments of an algorithm.

    Raises:
        ConfigError: A name that it does not take, a value of the wrong type or out of range.
    """
    return check_arguments(algorithm, settings, prefix=f"{algorithm.__name__}: ")


def make_learner(
    algorithm: type[BaseAlgorithm],
    env: VecEnv,
    settings: Mapping[str, Any],
    *,
    timesteps: int,
    seed: int,
    device: str,
    verbose: int,
) -> tuple[BaseAlgorithm, dict[str, Any]]:
    """Makes an SB3 algorithm for an environment of many dreams.

    Args:
        algorithm: Its class.
        env: The dreams.
        settings: As `check_settings` returns them, over the defaults of this module.
        timesteps: Dream steps that it will learn for.
        seed: Of the algorithm.
        device: Of its networks.
        verbose: 1 to let SB3 print.

    Returns:
        The algorithm, and the arguments it was made with.

    Raises:
        ConfigError: SB3 rejects the settings.
        UnsupportedSpaceError: The algorithm does not take a space of the dreams.
    """
    defaults = {"policy": policy_for(env.observation_space), **_defaults(algorithm, env, settings, timesteps)}
    arguments = {**defaults, **settings}
    return make_algorithm(algorithm, env, arguments, seed=seed, device=device, verbose=verbose), arguments


def log_interval(learner: BaseAlgorithm) -> int:
    """Returns how often `learn` shall log: after every rollout, or after as many episodes as there are dreams."""
    return 1 if isinstance(learner, OnPolicyAlgorithm) else learner.n_envs


def describe_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the arguments of an algorithm as JSON data; objects are described by their text."""
    described = {}
    for name, value in arguments.items():
        try:
            described[name] = config_to_json({name: value})[name]
        except ConfigError:
            described[name] = str(value)
    return described


def _defaults(
    algorithm: type[BaseAlgorithm], env: VecEnv, settings: Mapping[str, Any], timesteps: int
) -> dict[str, Any]:
    name, num_envs = algorithm.__name__, env.num_envs
    if name == "A2C":
        return {}
    if name == "PPO":
        fitting = min(2_048, max(32, ROLLOUT // num_envs)) // MINIBATCHES * MINIBATCHES
        n_steps = settings.get("n_steps", fitting)
        return {"n_steps": n_steps, "batch_size": max(2, n_steps * num_envs // MINIBATCHES)}
    defaults = {
        "train_freq": 1,
        "gradient_steps": max(1, num_envs // DREAM_STEPS_PER_UPDATE),
        "learning_starts": min(max(100, 4 * num_envs), timesteps // 4),
        "buffer_size": max(num_envs, min(1_000_000, timesteps)),
    }
    if name == "SAC":
        return {**defaults, "learning_rate": 1e-3}
    if name == "DQN":
        return {**defaults, "target_update_interval": 10 * num_envs, "learning_rate": 1e-3}
    return {**defaults, "action_noise": EXPLORATION_STD}
