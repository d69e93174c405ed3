"""An unmodified SB3 algorithm with random streams of its own, and with safe files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.type_aliases import MaybeCallback
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor

from zoo_core.packing import add_prefix, check_optimizer, pack, unpack, with_prefix
from zoo_core.sb3_arguments import check_arguments, find_algorithm, make_algorithm
from zoo_core.seeding import GlobalStreams, set_space_streams, space_streams
from zoo_sb3.buffer import BufferRecording, recording_of

_SCHEDULE = ("_total_timesteps", "_num_timesteps_at_start", "_current_progress_remaining")
_COUNTERS = ("num_timesteps", "_n_updates", "_episode_num", "_n_calls", "exploration_rate")  # where there are such


class Learner:
    """An SB3 algorithm that draws from random streams of its own, wherever SB3 would use the global ones.

    Args:
        name: of the algorithm, lower case.
        env: to learn in, or to take the spaces from.
        arguments: of the SB3 class, as `zoo_core.sb3_arguments.check_arguments` takes them.
        seed: of everything the algorithm draws; the same as SB3's `seed`.
        device: of the networks.

    Raises:
        ConfigError: an argument is unknown, of the wrong type or out of range, or SB3 rejects it.
        UnsupportedSpaceError: the algorithm does not take a space of `env`.
    """

    def __init__(
        self, name: str, env: VecEnv, arguments: Mapping[str, Any], *, seed: int, device: torch.device
    ) -> None:
        self.name = name
        self.streams = GlobalStreams(seed)
        algorithm = find_algorithm(name)
        checked = check_arguments(algorithm, arguments, prefix=f"{name}.")
        with self.streams:
            self.algorithm: Any = make_algorithm(algorithm, env, checked, seed=seed % 2**32, device=device)

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

    def iterate(self, more: Callable[[], bool]) -> None:
        """Makes one rollout and its updates, the body of the loop in SB3's `learn`; an off-policy algorithm, whose
        rollouts are of a step or so, goes on while `more()` says so.
        """
        with self.streams:
            if isinstance(self.algorithm, OnPolicyAlgorithm):
                self._iterate_on_policy(self.algorithm)
            else:
                while more():
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
        return self._metrics()

    def train(self, num_updates: int) -> dict[str, float]:
        """Makes gradient steps of an off-policy algorithm on what its buffer holds; returns their metrics."""
        with self.streams:
            self.algorithm.set_logger(Logger(None, []))
            self.algorithm.train(gradient_steps=num_updates, batch_size=self.algorithm.batch_size)
        return self._metrics()

    def _metrics(self) -> dict[str, float]:
        metrics = {
            name: value for name, value in self.algorithm.logger.name_to_value.items() if name.startswith("train/")
        }
        return {name: float(value) for name, value in metrics.items() if isinstance(value, int | float | np.number)}

    def begin_episodes(self) -> None:
        """Resets the environment and forgets the running episodes, as SB3 does when its `learn` begins."""
        algorithm = self.algorithm
        with self.streams:
            if getattr(algorithm, "action_noise", None) is not None:
                algorithm.action_noise.reset()
            algorithm._last_obs = algorithm.env.reset()
            algorithm._last_episode_starts = np.ones(algorithm.env.num_envs, dtype=bool)
            if algorithm._vec_normalize_env is not None:
                algorithm._last_original_obs = algorithm._vec_normalize_env.get_original_obs()

    # -- files ---------------------------------------------------------------------------------------------------------

    @property
    def recordings(self) -> dict[str, BufferRecording]:
        """The replay buffer, where the algorithm has one."""
        if not isinstance(self.algorithm, OffPolicyAlgorithm):
            return {}
        assert self.algorithm.replay_buffer is not None
        return {"replay_buffer": recording_of(self.algorithm.replay_buffer, self._num_adds)}

    def _num_adds(self) -> int:
        return int(self.algorithm.num_timesteps) // int(self.algorithm.n_envs)

    def to_checkpoint(self) -> Any:
        """Returns where random streams and schedules stand, JSON-able values and arrays in a dict."""
        return {
            "streams": self.streams.to_checkpoint(),
            "action_space": space_streams(self.algorithm.action_space),
            "schedule": {name: getattr(self.algorithm, name) for name in _SCHEDULE},
        }

    def load_checkpoint(self, state: Any) -> None:
        """Restores what `to_checkpoint` returned."""
        self.streams.load_checkpoint(state["streams"])
        set_space_streams(self.algorithm.action_space, state["action_space"])
        for name in _SCHEDULE:
            setattr(self.algorithm, name, state["schedule"][name])

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
        for name in state["parameters"]:
            if isinstance(part := _attribute(self.algorithm, name), torch.optim.Optimizer):
                check_optimizer(part)
        for name in self.algorithm._get_torch_save_params()[1]:
            _attribute(self.algorithm, name).data.copy_(state["variables"][name])
        for name in _COUNTERS:
            if hasattr(self.algorithm, name):
                setattr(self.algorithm, name, type(getattr(self.algorithm, name))(data["counters"][name]))


class Acting:
    """Acts with a learner's policy from a random stream of its own, so that acting changes no training byte; it has
    SB3's `predict`.
    """

    def __init__(self, learner: Learner, seed: int) -> None:
        self._learner = learner
        self._streams = GlobalStreams(seed)
        self._space_state = np.random.default_rng(seed).bit_generator.state

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = False
    ) -> tuple[Any, Any]:
        """Returns SB3's actions for one observation or a batch, and the unchanged state."""
        if deterministic:
            return self._learner.algorithm.predict(observation, deterministic=True)[0], state
        with self._streams, self._own_space_stream():
            return self._learner.algorithm.predict(observation, deterministic=False)[0], state

    def to_checkpoint(self) -> Any:
        """Returns where the streams stand, JSON-able values and arrays in a dict."""
        return {"streams": self._streams.to_checkpoint(), "action_space": self._space_state}

    def load_checkpoint(self, state: Any) -> None:
        """Restores what `to_checkpoint` returned."""
        self._streams.load_checkpoint(state["streams"])
        self._space_state = state["action_space"]

    @contextmanager
    def _own_space_stream(self) -> Iterator[None]:
        """Swaps the stream of the algorithm's action space, from which DQN explores."""
        generator = self._learner.algorithm.action_space.np_random.bit_generator
        learning, generator.state = generator.state, self._space_state
        try:
            yield
        finally:
            self._space_state, generator.state = generator.state, learning


def _attribute(algorithm: Any, dotted: str) -> Any:
    for part in dotted.split("."):
        algorithm = getattr(algorithm, part)
    return algorithm
