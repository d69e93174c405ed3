"""The agent interface: SB3's own signatures around one method that holds the algorithm."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import VecEnv, VecNormalize, unwrap_vec_normalize
from torch import Tensor

from zoo_core import archive, spaces
from zoo_core.acting import SpacesOnly, as_vec_env, env_id_of
from zoo_core.config import build_config, check_range, config_from_json, config_to_json
from zoo_core.errors import CheckpointError
from zoo_core.seeding import fresh_seed
from zoo_core.training import TrainingEnv, record_progress, run_training
from zoo_core.world_model import WorldModel, resolve_device


class Agent(ABC):
    """A learner that acts, with the interface of an SB3 algorithm.

    A subclass implements `iterate`, `predict`, `to_file` and `load_file`. It steps `self.env` (callbacks and counters
    hang on it), and keeps to `self.remaining_timesteps`.

    Args:
        env: an id, a Gymnasium environment or an SB3 VecEnv.
        config: an instance of `config_class`, a mapping of its fields, or None for the defaults.
        seed: of every random choice; None draws one (kept in `self.seed`).
        device: of the networks; "auto" takes a GPU if there is one.
        verbose: 0 is silent, 1 prints the log.
        tensorboard_log: directory of TensorBoard events.
    """

    config_class: ClassVar[type | None] = None
    env: TrainingEnv
    env_id: str | None

    def __init__(
        self,
        env: Any,
        config: Any = None,
        *,
        seed: int | None = None,
        device: str | torch.device = "auto",
        verbose: int = 0,
        tensorboard_log: str | None = None,
    ) -> None:
        self.config: Any = build_config(self.config_class, config) if self.config_class else config
        self.seed = fresh_seed() if seed is None else int(seed)
        check_range("seed", self.seed, 0)
        self.device = resolve_device(device)
        self.verbose = verbose
        self.tensorboard_log = tensorboard_log
        self.num_timesteps = 0  # env steps (decisions) made in learning
        self.total_timesteps = 0  # env steps that the running `learn` goes to
        self.progress_bar = False
        self.custom_logger = False
        self._logger: Logger | None = None
        self._bind(as_vec_env(env, seed=self.seed))
        self.observation_space = self.env.observation_space
        self.action_space = self.env.action_space

    @abstractmethod
    def iterate(self) -> dict[str, float]:
        """Does one unit of work, such as a rollout and its updates, and returns its metrics."""

    @abstractmethod
    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: np.ndarray[Any, Any] | None = None,
        deterministic: bool = False,
    ) -> tuple[Any, Any]:
        """Chooses actions, as SB3's `predict` does; what acting must remember travels in `state`.

        Acting never changes what learning does next: it draws from a random stream of its own.

        Args:
            observation: one observation or a batch `[B, ...]`.
            state: what the call before returned, None at first.
            episode_start: `[B]` true where an episode begins.
            deterministic: take the best action rather than a sample.

        Returns:
            Actions in the layout of the action space, and the next `state`.
        """

    @abstractmethod
    def to_file(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Returns JSON-able facts and tensors that, with the config, restore what acts and can go on learning."""

    @abstractmethod
    def load_file(self, data: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """Restores what `to_file` returned."""

    @property
    def world_model(self) -> WorldModel | None:
        """The world model that the agent learns, if it has one."""
        return None

    def on_learn_start(self) -> None:  # noqa: B027 - a hook that most agents leave alone
        """Called when `learn` begins, after the counters were set."""

    # -- learning ------------------------------------------------------------------------------------------------------

    def learn(
        self,
        total_timesteps: int,
        callback: Any = None,
        log_interval: int = 100,
        tb_log_name: str = "run",
        reset_num_timesteps: bool = True,
        progress_bar: bool = False,
    ) -> Self:
        """Learns for `total_timesteps` env steps.

        Args:
            total_timesteps: decisions to make in the real environment.
            callback: SB3 callbacks, a list of them, or a function; they are called after every env step.
            log_interval: env steps between two lines of the log.
            tb_log_name: name of the run in TensorBoard.
            reset_num_timesteps: count from 0; False goes on counting.
            progress_bar: show one.
        """
        run_training(self, total_timesteps, callback, log_interval, tb_log_name, reset_num_timesteps, progress_bar)
        return self

    @property
    def remaining_timesteps(self) -> int:
        """Env steps left of the running `learn`."""
        return max(0, self.total_timesteps - self.num_timesteps)

    # -- environment and logger, as in SB3 -----------------------------------------------------------------------------

    def get_env(self) -> VecEnv:
        """Returns the VecEnv as it was given."""
        return self.env.venv

    def set_env(self, env: Any, force_reset: bool = True) -> None:
        """Replaces the environment; its spaces must be the same.

        Raises:
            ValueError: the spaces differ.
        """
        vec_env = as_vec_env(env)
        previous, self.env = self.env, TrainingEnv(vec_env, self)
        try:
            self._check_same_spaces(self.observation_space, self.action_space)
        except ValueError:
            self.env = previous
            raise
        self._bind(vec_env)

    def get_vec_normalize_env(self) -> VecNormalize | None:
        """Returns the VecNormalize around the environment, if there is one."""
        return unwrap_vec_normalize(self.env)

    @property
    def logger(self) -> Logger:
        """The SB3 logger; there is one once `learn` was called or `set_logger`."""
        assert self._logger is not None, "the logger is made by learn() or set_logger()"
        return self._logger

    def set_logger(self, logger: Logger) -> None:
        """Makes `learn` log to `logger`."""
        self._logger, self.custom_logger = logger, True

    def dump_logs(self, iteration: int = 0) -> None:
        """Writes what was recorded since the last time, with progress and timing."""
        record_progress(self)
        self.logger.dump(self.num_timesteps)

    # -- files ---------------------------------------------------------------------------------------------------------

    def save(self, path: str | Path, exclude: Any = None, include: Any = None) -> Path:
        """Writes everything that acts and can go on learning, at any time; opening it runs no code from the file.

        Args:
            path: ".zip" is added if it has no suffix.
            exclude: accepted for SB3's callbacks, unused.
            include: accepted for SB3's callbacks, unused.

        Returns:
            The path of the file.
        """
        data, tensors = self.to_file()
        header: dict[str, Any] = {
            "kind": "agent",
            "agent": {
                "class": f"{type(self).__module__}:{type(self).__qualname__}",
                "config": config_to_json(self.config) if self.config_class else None,
                "observation_space": spaces.space_to_json(self.observation_space),
                "action_space": spaces.space_to_json(self.action_space),
                "seed": self.seed,
                "num_envs": self.env.num_envs,
                "num_timesteps": self.num_timesteps,
                "env_id": self.env_id,
                "data": data,
            },
        }
        tensors = archive.add_prefix(tensors, "agent/")
        if self.world_model is not None:
            header["world_model"], weights = self.world_model.to_file()
            tensors |= archive.add_prefix(weights, "world_model/")
        return archive.write_archive(path, header, tensors)

    @classmethod
    def load(cls, path: str | Path, env: Any = None, device: str | torch.device = "auto", **overrides: Any) -> Self:
        """Reads an agent of this class.

        Args:
            path: as given to `save`, or a run directory.
            env: to go on learning in; without it the agent acts only.
            device: "auto" takes a GPU if there is one.
            **overrides: config fields to replace, dotted or not (a function that the file could not hold, say).

        Raises:
            CheckpointError: the file is damaged, is no agent, or was written by another class.
        """
        header, tensors = archive.read_archive(path, kind="agent")
        return cls._from_archive(header, tensors, env, device, overrides)

    @classmethod
    def _from_archive(
        cls,
        header: dict[str, Any],
        tensors: dict[str, Tensor],
        env: Any,
        device: str | torch.device,
        overrides: dict[str, Any],
    ) -> Self:
        description = header["agent"]
        if description["class"] != f"{cls.__module__}:{cls.__qualname__}":
            raise CheckpointError(f"the file holds a {description['class']}, not a {cls.__module__}:{cls.__qualname__}")
        observation_space, action_space = (
            spaces.space_from_json(description[name]) for name in ("observation_space", "action_space")
        )
        config: Any = None
        if cls.config_class:
            config = config_from_json(cls.config_class, description["config"], overrides=overrides)
        agent = cls(
            SpacesOnly(observation_space, action_space, description["num_envs"]) if env is None else env,
            config,
            seed=description["seed"],
            device=device,
        )
        agent._check_same_spaces(observation_space, action_space)
        agent.num_timesteps, agent.env_id = description["num_timesteps"], description["env_id"]
        if agent.world_model is not None:
            agent.world_model.load_file(header["world_model"], archive.with_prefix(tensors, "world_model/"))
        agent.load_file(description["data"], archive.with_prefix(tensors, "agent/"))
        return agent

    def _check_same_spaces(self, observation_space: Any, action_space: Any) -> None:
        for name, expected in (("observation_space", observation_space), ("action_space", action_space)):
            if getattr(self.env, name) != expected:
                raise ValueError(f"{name} of the env is {getattr(self.env, name)}, the agent's is {expected}")

    def _bind(self, vec_env: VecEnv) -> None:
        self.env = TrainingEnv(vec_env, self)
        if not isinstance(vec_env, SpacesOnly):
            self.env_id = env_id_of(vec_env)


def load(path: str | Path, env: Any = None, device: str | torch.device = "auto", **overrides: Any) -> Agent:
    """Reads an agent of any installed plugin, as `Agent.load` does; its class is looked up in the registry.

    Raises:
        CheckpointError: the file is damaged or holds no agent.
        UnknownNameError: no installed plugin provides the class.
    """
    from zoo_core.plugins import find_class

    header, tensors = archive.read_archive(path, kind="agent")
    agent_class: type[Agent] = find_class("agent", header["agent"]["class"])
    return agent_class._from_archive(header, tensors, env, device, overrides)
