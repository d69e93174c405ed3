"""An unmodified SB3 algorithm with random streams of its own, and with safe files."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import A2C, DDPG, DQN, PPO, SAC, TD3, HerReplayBuffer
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.type_aliases import MaybeCallback
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor, nn

from zoo_core.checkpoint import add_prefix, pack, unpack, with_prefix
from zoo_core.errors import ConfigError, UnsupportedSpaceError, did_you_mean
from zoo_core.seeding import GlobalStreams

ALGORITHMS: dict[str, type[BaseAlgorithm]] = {
    "ppo": PPO, "a2c": A2C, "dqn": DQN, "sac": SAC, "td3": TD3, "ddpg": DDPG,
}  # fmt: skip
_OURS = {"self", "env", "seed", "device", "verbose", "tensorboard_log", "_init_setup_model"}  # set by the agent
_COUNTERS = ("num_timesteps", "_n_updates", "_episode_num", "_n_calls", "exploration_rate")  # where there are such


class Learner:
    """An SB3 algorithm that draws from random streams of its own, wherever SB3 would use the global ones.

    Args:
        name: of the algorithm, lower case.
        env: to learn in, or to take the spaces from.
        arguments: of the SB3 class. Beside what it takes: `policy` is chosen by the observations if it is left out,
            `action_noise` may be the deviation of Gaussian noise, `replay_buffer_class` may be "HerReplayBuffer", and
            `policy_kwargs.activation_fn` the name of a class in `torch.nn`.
        seed: of everything the algorithm draws; the same as SB3's `seed`.
        device: of the networks.

    Raises:
        ConfigError: an argument is unknown or SB3 rejects it.
        UnsupportedSpaceError: a space does not count from 0, which SB3 takes for granted.
    """

    def __init__(
        self, name: str, env: VecEnv, arguments: Mapping[str, Any], *, seed: int, device: torch.device
    ) -> None:
        self.name = name
        self.streams = GlobalStreams(seed)
        _check_start(name, env)
        kwargs = _prepare(name, arguments, env)
        with self.streams:
            try:
                self.algorithm: Any = ALGORITHMS[name](env=env, seed=seed % 2**32, device=device, **kwargs)
            except (TypeError, ValueError, AssertionError) as error:
                raise ConfigError(f"SB3's {name.upper()} rejects its arguments {dict(arguments)}: {error}") from error

    def begin(self, total_timesteps: int, num_timesteps: int, callback: MaybeCallback = None) -> None:
        """Prepares for `iterate`: what SB3 does at the start of `learn`.

        Args:
            total_timesteps: env steps to come.
            num_timesteps: env steps made before; 0 begins anew.
            callback: where it returns False, the rollout is broken off and nothing is learned from it.
        """
        self.algorithm.num_timesteps = num_timesteps
        with self.streams:
            _, self._callback = self.algorithm._setup_learn(
                total_timesteps, callback=callback, reset_num_timesteps=num_timesteps == 0
            )
            self._callback.on_training_start(locals(), globals())

    def iterate(self) -> None:
        """Makes one rollout and its updates: the body of the loop in SB3's `learn`."""
        with self.streams:
            if isinstance(self.algorithm, OnPolicyAlgorithm):
                self._iterate_on_policy(self.algorithm)
            else:
                self._iterate_off_policy(self.algorithm)

    def _iterate_on_policy(self, algorithm: Any) -> None:
        rollout = algorithm.env, self._callback, algorithm.rollout_buffer, algorithm.n_steps
        if not algorithm.collect_rollouts(*rollout):
            return
        algorithm._update_current_progress_remaining(algorithm.num_timesteps, algorithm._total_timesteps)
        algorithm.train()

    def _iterate_off_policy(self, algorithm: Any) -> None:
        rollout = algorithm.collect_rollouts(
            algorithm.env,
            train_freq=algorithm.train_freq,
            action_noise=algorithm.action_noise,
            callback=self._callback,
            learning_starts=algorithm.learning_starts,
            replay_buffer=algorithm.replay_buffer,
        )
        if not rollout.continue_training or algorithm.num_timesteps <= algorithm.learning_starts:
            return
        gradient_steps = algorithm.gradient_steps if algorithm.gradient_steps >= 0 else rollout.episode_timesteps
        if gradient_steps > 0:
            algorithm.train(batch_size=algorithm.batch_size, gradient_steps=gradient_steps)

    def learn(self, env: VecEnv, total_timesteps: int, callback: BaseCallback | None = None) -> dict[str, float]:
        """Trains in `env` from the present networks, with an empty buffer; returns the metrics of the last updates."""
        with self.streams:
            self.algorithm.set_env(env)
            if isinstance(self.algorithm, OffPolicyAlgorithm):
                assert self.algorithm.replay_buffer is not None
                self.algorithm.replay_buffer.reset()
            self.algorithm.learn(total_timesteps, callback=callback)
        metrics = {
            name: value for name, value in self.algorithm.logger.name_to_value.items() if name.startswith("train/")
        }
        return {name: float(value) for name, value in metrics.items() if np.isscalar(value)}

    # -- files ---------------------------------------------------------------------------------------------------------

    def to_file(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Returns JSON and tensors that hold networks, optimisers and counters."""
        _, variables = self.algorithm._get_torch_save_params()
        parameters = dict(self.algorithm.get_parameters())
        values = {name: _attribute(self.algorithm, name) for name in variables}
        facts, tensors = pack({"parameters": parameters, "variables": values})
        counters = {name: getattr(self.algorithm, name) for name in _COUNTERS if hasattr(self.algorithm, name)}
        return {"state": facts, "counters": counters}, add_prefix(tensors, "sb3")

    def load_file(self, data: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """Restores what `to_file` returned."""
        state = unpack(data["state"], with_prefix(tensors, "sb3"))
        self.algorithm.set_parameters(state["parameters"], exact_match=True, device=self.algorithm.device)
        for name, value in state["variables"].items():
            _attribute(self.algorithm, name).data.copy_(value)
        for name, value in data["counters"].items():
            setattr(self.algorithm, name, value)


class Acting:
    """Acts with a learner's policy from a random stream of its own, so that acting changes no training byte."""

    def __init__(self, learner: Learner, seed: int) -> None:
        self._learner = learner
        self._streams = GlobalStreams(seed)
        self._space_state = np.random.default_rng(seed).bit_generator.state

    def predict(self, observation: Any, deterministic: bool = False) -> Any:
        """Returns SB3's actions for one observation or a batch."""
        if deterministic:
            return self._learner.algorithm.predict(observation, deterministic=True)[0]
        with self._streams, self._own_space_stream():
            return self._learner.algorithm.predict(observation, deterministic=False)[0]

    @contextmanager
    def _own_space_stream(self) -> Iterator[None]:
        """Swaps the stream of the algorithm's action space, from which DQN explores."""
        generator = self._learner.algorithm.action_space.np_random.bit_generator
        learning, generator.state = generator.state, self._space_state
        try:
            yield
        finally:
            self._space_state, generator.state = generator.state, learning


def _check_start(name: str, env: VecEnv) -> None:
    for what, space in (("observation", env.observation_space), ("action", env.action_space)):
        if np.any(getattr(space, "start", 0)):
            raise UnsupportedSpaceError(
                f"SB3's {name.upper()} takes {what} spaces that count from 0, got {space}; "
                f"shift it with gymnasium.wrappers.Transform{what.capitalize()}"
            )


def _prepare(name: str, arguments: Mapping[str, Any], env: VecEnv) -> dict[str, Any]:
    known = set(inspect.signature(ALGORITHMS[name].__init__).parameters) - _OURS
    for key in arguments:
        if key in _OURS:
            raise ConfigError(f"{name}.{key} is set by the agent; remove it")
        if key not in known:
            raise ConfigError(f"SB3's {name.upper()} has no argument {key!r}{did_you_mean(key, sorted(known))}")
    kwargs = dict(arguments)
    kwargs.setdefault("policy", _policy_for(env.observation_space))
    if isinstance(noise := kwargs.get("action_noise"), int | float):
        shape = env.action_space.shape
        kwargs["action_noise"] = NormalActionNoise(np.zeros(shape), np.full(shape, float(noise)))
    if kwargs.get("replay_buffer_class") == "HerReplayBuffer":
        kwargs["replay_buffer_class"] = HerReplayBuffer
    if isinstance(frequency := kwargs.get("train_freq"), list):
        kwargs["train_freq"] = tuple(frequency)
    if isinstance(policy_kwargs := kwargs.get("policy_kwargs"), Mapping):
        kwargs["policy_kwargs"] = _prepare_policy(dict(policy_kwargs))
    return kwargs


def _prepare_policy(policy_kwargs: dict[str, Any]) -> dict[str, Any]:
    if isinstance(activation := policy_kwargs.get("activation_fn"), str):
        if not (inspect.isclass(found := getattr(nn, activation, None)) and issubclass(found, nn.Module)):
            raise ConfigError(
                f"policy_kwargs.activation_fn must name a class of torch.nn such as 'ReLU', got {activation!r}"
            )
        policy_kwargs["activation_fn"] = found
    if isinstance(net_arch := policy_kwargs.get("net_arch"), tuple):
        policy_kwargs["net_arch"] = list(net_arch)
    return policy_kwargs


def _policy_for(space: spaces.Space[Any]) -> str:
    if isinstance(space, spaces.Dict):
        return "MultiInputPolicy"
    return "CnnPolicy" if is_image_space(space) else "MlpPolicy"


def _attribute(algorithm: Any, dotted: str) -> Any:
    for part in dotted.split("."):
        algorithm = getattr(algorithm, part)
    return algorithm
