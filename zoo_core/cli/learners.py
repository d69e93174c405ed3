"""SB3's algorithms for `zoo dream`: which spaces they take, and defaults that suit hundreds of dreams at once."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import stable_baselines3
from gymnasium import spaces
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.vec_env import VecEnv

from zoo_core.config import check_range, config_to_json
from zoo_core.config.settings import expand_dotted
from zoo_core.config.types import Mismatch, convert, describe
from zoo_core.errors import ConfigError, UnknownNameError, UnsupportedSpaceError, did_you_mean
from zoo_core.spaces import is_image

_DISCRETE = ("Discrete", "MultiDiscrete", "MultiBinary")
ACTION_SPACES = {
    "PPO": ("Box", *_DISCRETE),
    "A2C": ("Box", *_DISCRETE),
    "DQN": ("Discrete",),
    "SAC": ("Box",),
    "TD3": ("Box",),
    "DDPG": ("Box",),
}
_OWN = ("self", "env", "device", "seed", "tensorboard_log", "verbose", "_init_setup_model")  # options have these
# Bounds that SB3 does not check itself; (low, high, low is excluded).
_BOUNDS = {
    "learning_rate": (0.0, None, True),
    "n_steps": (1, None, False),
    "batch_size": (2, None, False),
    "n_epochs": (1, None, False),
    "buffer_size": (1, None, False),
    "learning_starts": (0, None, False),
    "gamma": (0.0, 1.0, False),
    "gae_lambda": (0.0, 1.0, False),
    "tau": (0.0, 1.0, True),
}

ROLLOUT = 8_192  # PPO: dream steps between two updates, about
MINIBATCHES = 16  # PPO: of a rollout
DREAM_STEPS_PER_UPDATE = 16  # off-policy: dream steps are cheap, updates are not
EXPLORATION_STD = 0.1  # TD3, DDPG: of the action's noise, in units of half its range (Fujimoto et al. 2018)


def find_algorithm(name: str) -> type[BaseAlgorithm]:
    """Returns the SB3 class of an algorithm, by its name in any case.

    Raises:
        UnknownNameError: There is none.
    """
    if name.upper() not in ACTION_SPACES:
        raise UnknownNameError(f"unknown algorithm {name!r}{did_you_mean(name, ACTION_SPACES)}")
    found: type[BaseAlgorithm] = getattr(stable_baselines3, name.upper())
    return found


def check_action_space(algorithm: type[BaseAlgorithm], space: spaces.Space[Any]) -> None:
    """Checks that an algorithm takes the actions of a model.

    Raises:
        UnsupportedSpaceError: It does not; the message says what it takes, and who takes this space.
    """
    name, kind = algorithm.__name__, type(space).__name__
    if kind not in ACTION_SPACES[name]:
        others = ", ".join(other for other, kinds in ACTION_SPACES.items() if kind in kinds)
        raise UnsupportedSpaceError(
            f"{name} takes {' or '.join(ACTION_SPACES[name])} action spaces, the model's is {space}; "
            f"algorithms that take it: {others or 'none'}"
        )


def check_settings(algorithm: type[BaseAlgorithm], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns settings as keyword arguments of an algorithm, dotted keys expanded (`policy_kwargs.net_arch`).

    Raises:
        ConfigError: A name that it does not take, a value of the wrong type or out of range.
    """
    name = algorithm.__name__
    parameters = inspect.signature(algorithm).parameters
    known = [parameter for parameter in parameters if parameter not in _OWN]
    for key in settings:
        head = key.partition(".")[0]
        if head not in known:
            raise ConfigError(f"{name}: unknown setting {key!r}{did_you_mean(head, known)}")
    checked = {}
    for key, value in expand_dotted(settings, dict.fromkeys(known)).items():
        accepted = parameters[key].annotation
        try:
            checked[key] = convert(value, accepted)
        except Mismatch:
            raise ConfigError(f"{name}: {key} must be {describe(accepted)}, got {value!r}") from None
        if key in _BOUNDS and isinstance(checked[key], int | float):
            low, high, low_open = _BOUNDS[key]
            try:
                check_range(key, checked[key], low, high, low_open=low_open)
            except ValueError as error:
                raise ConfigError(f"{name}: {error}") from None
    return checked


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
    """
    arguments = {"policy": _policy(env.observation_space), **_defaults(algorithm, env, settings, timesteps), **settings}
    try:
        learner = algorithm(env=env, seed=seed, device=device, verbose=verbose, **arguments)
    except (ValueError, TypeError, AssertionError) as error:
        raise ConfigError(f"{algorithm.__name__}: {error}") from error
    return learner, arguments


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


def _policy(space: spaces.Space[Any]) -> str:
    if isinstance(space, spaces.Dict):
        return "MultiInputPolicy"
    return "CnnPolicy" if is_image(space) else "MlpPolicy"


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
    size = np.zeros(env.action_space.shape or ())
    return {**defaults, "action_noise": NormalActionNoise(size, size + EXPLORATION_STD)}
