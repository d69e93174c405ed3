"""SB3's algorithms made from settings: what each takes, and errors that name the argument, its value and its range."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import A2C, DDPG, DQN, PPO, SAC, TD3, HerReplayBuffer
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.vec_env import VecEnv
from torch import nn

from zoo_core.config import check_range
from zoo_core.config.settings import expand_dotted
from zoo_core.config.types import Mismatch, convert, describe
from zoo_core.errors import ConfigError, UnknownNameError, UnsupportedSpaceError, did_you_mean

ALGORITHMS: dict[str, type[BaseAlgorithm]] = {
    "PPO": PPO, "A2C": A2C, "DQN": DQN, "SAC": SAC, "TD3": TD3, "DDPG": DDPG,
}  # fmt: skip
_ANY_ACTION = ("Box", "Discrete", "MultiDiscrete", "MultiBinary")
ACTION_SPACES = {
    "PPO": _ANY_ACTION,
    "A2C": _ANY_ACTION,
    "DQN": ("Discrete",),
    "SAC": ("Box",),
    "TD3": ("Box",),
    "DDPG": ("Box",),
}
REPLAY_BUFFERS = {"HerReplayBuffer": HerReplayBuffer}
_RESERVED = ("self", "env", "seed", "device", "verbose", "tensorboard_log", "_init_setup_model")

# Bounds that SB3 does not check, or without naming the value: (low, high, whether low is excluded).
_Bounds = tuple[float, float | None, bool]
_COUNT: _Bounds = (1, None, False)
_POSITIVE: _Bounds = (0.0, None, True)
_NOT_NEGATIVE: _Bounds = (0.0, None, False)
_FRACTION: _Bounds = (0.0, 1.0, False)
_BOUNDS: dict[str, _Bounds] = {
    **dict.fromkeys(("n_steps", "batch_size", "n_epochs", "buffer_size", "stats_window_size"), _COUNT),
    **dict.fromkeys(("train_freq", "target_update_interval", "policy_delay"), _COUNT),
    **dict.fromkeys(("learning_rate", "clip_range", "clip_range_vf", "max_grad_norm", "target_kl"), _POSITIVE),
    **dict.fromkeys(("action_noise", "target_policy_noise", "target_noise_clip", "vf_coef"), _NOT_NEGATIVE),
    **dict.fromkeys(("gamma", "gae_lambda", "exploration_fraction"), _FRACTION),
    **dict.fromkeys(("exploration_initial_eps", "exploration_final_eps"), _FRACTION),
    "tau": (0.0, 1.0, True),
    "learning_starts": (0, None, False),
    "gradient_steps": (-1, None, False),  # -1: as many as env steps
    "sde_sample_freq": (-1, None, False),  # -1: at the start of a rollout only
}
_MIN_NORMALIZED = 2  # samples whose advantages SB3 can normalise: their deviation divides by one less


def find_algorithm(name: str) -> type[BaseAlgorithm]:
    """Returns the SB3 class of an algorithm, by its name in any case.

    Raises:
        UnknownNameError: There is none.
    """
    if name.upper() not in ALGORITHMS:
        raise UnknownNameError(f"unknown algorithm {name!r}{did_you_mean(name, ALGORITHMS)}")
    return ALGORITHMS[name.upper()]


def check_action_space(algorithm: type[BaseAlgorithm], space: spaces.Space[Any]) -> None:
    """Checks that an algorithm takes these actions.

    Raises:
        UnsupportedSpaceError: It does not; the message says what it takes, and who takes this space.
    """
    name, kind = algorithm.__name__, type(space).__name__
    if kind not in ACTION_SPACES[name]:
        others = ", ".join(other for other, kinds in ACTION_SPACES.items() if kind in kinds)
        raise UnsupportedSpaceError(
            f"{name} takes {' or '.join(ACTION_SPACES[name])} action spaces, got {space}; "
            f"algorithms that take it: {others or 'none'}"
        )
    _check_start(name, "action", space)


def check_arguments(algorithm: type[BaseAlgorithm], arguments: Mapping[str, Any], *, prefix: str) -> dict[str, Any]:
    """Returns settings as arguments of an algorithm: dotted keys expanded, values converted, names looked up.

    Beside what SB3 takes, `action_noise` may be the deviation of Gaussian noise, `replay_buffer_class` the text
    "HerReplayBuffer", `train_freq` a list, and `policy_kwargs.activation_fn` the name of a class in `torch.nn`.

    Args:
        algorithm: The class that they are for.
        arguments: By name; dotted keys reach into a mapping (`policy_kwargs.net_arch`).
        prefix: Stands before an argument's name in messages, such as "sac.".

    Raises:
        ConfigError: A name that the algorithm does not take, a value of the wrong type or out of range.
    """
    parameters = inspect.signature(algorithm).parameters
    known = [name for name in parameters if name not in _RESERVED]
    for key in arguments:
        head = key.partition(".")[0]
        if head in _RESERVED:
            raise ConfigError(f"{prefix}{key} is set for the algorithm; remove it")
        if head not in known:
            raise ConfigError(f"SB3's {algorithm.__name__} has no argument {key!r}{did_you_mean(head, known)}")
    expanded = expand_dotted(arguments, dict.fromkeys(known))
    checked = {key: _convert(key, value, parameters[key].annotation, prefix) for key, value in expanded.items()}
    for key, value in checked.items():
        _check_bounds(key, value, _BOUNDS.get(key), prefix)
    if algorithm is PPO and "batch_size" in checked and checked.get("normalize_advantage", True):
        _check_bounds("batch_size", checked["batch_size"], (_MIN_NORMALIZED, None, False), prefix)
    if checked.get("policy_kwargs") is not None:
        checked["policy_kwargs"] = _prepare_policy(checked["policy_kwargs"], prefix)
    return checked


def make_algorithm(
    algorithm: type[BaseAlgorithm],
    env: VecEnv,
    arguments: Mapping[str, Any],
    *,
    seed: int,
    device: str | torch.device,
    verbose: int = 0,
) -> Any:
    """Makes an SB3 algorithm; its policy goes with the observations unless `arguments` names one.

    Args:
        algorithm: Its class.
        env: To learn in, or to take the spaces from.
        arguments: As `check_arguments` returns them.
        seed: Of the algorithm.
        device: Of its networks.
        verbose: 1 to let SB3 print.

    Raises:
        ConfigError: SB3 rejects an argument.
        UnsupportedSpaceError: The algorithm does not take a space of the environment.
    """
    name, made = algorithm.__name__, {"policy": policy_for(env.observation_space), **arguments}
    check_action_space(algorithm, env.action_space)
    _check_start(name, "observation", env.observation_space)
    if isinstance(noise := made.get("action_noise"), float):
        shape = env.action_space.shape or ()
        made["action_noise"] = NormalActionNoise(np.zeros(shape), np.full(shape, noise))
    try:
        return algorithm(env=env, seed=seed, device=device, verbose=verbose, **made)
    except (TypeError, ValueError, AssertionError) as error:
        raise ConfigError(f"SB3's {name} rejects its arguments: {error}") from error


def policy_for(space: spaces.Space[Any]) -> str:
    """Returns the name of SB3's policy for observations of a space."""
    if isinstance(space, spaces.Dict):
        return "MultiInputPolicy"
    return "CnnPolicy" if is_image_space(space) else "MlpPolicy"


def _check_start(name: str, what: str, space: spaces.Space[Any]) -> None:
    if np.any(getattr(space, "start", 0)):  # SB3 takes 0 for granted
        raise UnsupportedSpaceError(
            f"SB3's {name} takes {what} spaces that count from 0, got {space}; "
            f"shift it with gymnasium.wrappers.Transform{what.capitalize()}"
        )


def _convert(key: str, value: object, accepted: Any, prefix: str) -> Any:
    if key == "replay_buffer_class" and isinstance(value, str):
        if value not in REPLAY_BUFFERS:
            raise ConfigError(
                f"{prefix}{key} must be a class or the name of one, got {value!r}{did_you_mean(value, REPLAY_BUFFERS)}"
            )
        return REPLAY_BUFFERS[value]
    if key == "action_noise":
        accepted = float | accepted
    try:
        return convert(value, accepted)
    except Mismatch:
        raise ConfigError(f"{prefix}{key} must be {describe(accepted)}, got {value!r}") from None


def _check_bounds(key: str, value: object, bounds: _Bounds | None, prefix: str) -> None:
    number = value[0] if isinstance(value, tuple) else value  # train_freq=(4, "episode")
    if bounds is None or not isinstance(number, int | float):
        return
    low, high, low_open = bounds
    try:
        check_range(f"{prefix}{key}", number, low, high, low_open=low_open)
    except ValueError as error:
        raise ConfigError(str(error)) from None


def _prepare_policy(policy_kwargs: dict[str, Any], prefix: str) -> dict[str, Any]:
    prepared = dict(policy_kwargs)
    if isinstance(activation := prepared.get("activation_fn"), str):
        found = getattr(nn, activation, None)
        if not (inspect.isclass(found) and issubclass(found, nn.Module)):
            raise ConfigError(
                f"{prefix}policy_kwargs.activation_fn must name a class of torch.nn such as 'ReLU', got {activation!r}"
            )
        prepared["activation_fn"] = found
    if isinstance(net_arch := prepared.get("net_arch"), tuple):
        prepared["net_arch"] = list(net_arch)
    return prepared
