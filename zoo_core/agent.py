"""The agent interface: SB3's own signatures around one method that holds the algorithm."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Collection
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from gymnasium import Space
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import VecEnv, VecNormalize, unwrap_vec_normalize
from torch import Tensor

from zoo_core import archive, packing, spaces
from zoo_core.acting import SpacesOnly, as_vec_env, env_id_of
from zoo_core.checkpoint import Checkpoints
from zoo_core.config import build_config, check_range, config_from_json, config_to_json
from zoo_core.errors import CheckpointError, ZooError
from zoo_core.model_card import make_card
from zoo_core.recording import Recording
from zoo_core.replay import Replay
from zoo_core.restoring import restoring
from zoo_core.seeding import fresh_seed
from zoo_core.training import TrainingEnv, record_progress, run_training
from zoo_core.world_model import WorldModel, resolve_device


class Agent(ABC):
    """A learner that acts, with the interface of an SB3 algorithm.

    A subclass implements `iterate`, `begin_episodes`, `predict`, `to_file` and `load_file`. It steps `self.env`
    (callbacks and counters hang on it), and keeps to `self.remaining_timesteps`. What a run must remember beyond that,
    to go on byte for byte after it was stopped, it names in `recordings` and `to_checkpoint`.

    Args:
        env: an id, a Gymnasium environment or an SB3 VecEnv.
        config: an instance of `config_class`, a mapping of its fields, or None for the defaults.
        seed: of every random choice; None draws one (kept in `self.seed`).
        device: of the networks; "auto" takes a GPU if there is one.
        verbose: 0 is silent, 1 prints the log.
        tensorboard_log: directory of TensorBoard events.
    """

    config_class: ClassVar[type | None] = None
    left_out: ClassVar[frozenset[str]] = frozenset()  # recordings that `save` does not write unless told to
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
        self._bind(self.vec_env_of(env, self.config, seed=self.seed))
        self.observation_space = self.env.observation_space
        self.action_space = self.env.action_space

    @abstractmethod
    def iterate(self) -> dict[str, float]:
        """Does one unit of work, such as a rollout and its updates, and returns its metrics."""

    @abstractmethod
    def begin_episodes(self) -> None:
        """Resets `self.env` before the next step, and forgets what was remembered of running episodes.

        Called when `learn` begins (an evaluation may have used the environment) and after every checkpoint.
        """

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

    def to_checkpoint(self) -> Any:
        """Returns what learning goes on from beside `to_file` and `recordings`: above all its random streams.

        JSON-able values, tensors and arrays, nested in dicts and lists.
        """
        return {}

    def load_checkpoint(self, state: Any) -> None:  # noqa: B027 - beside to_checkpoint, which some agents leave alone
        """Restores what `to_checkpoint` returned."""

    @property
    def recordings(self) -> dict[str, Recording]:
        """What mostly grows, such as a replay: checkpoints write only what is new in it."""
        return {}

    @property
    def world_model(self) -> WorldModel | None:
        """The world model that the agent learns, if it has one."""
        return None

    @property
    def latent_policy(self) -> Any:
        """What acts on the features of `world_model`, with SB3's `predict`, where the policy sees those; else None."""
        return None

    def on_learn_start(self) -> None:
        """Called when `learn` begins, after the counters were set."""
        self.begin_episodes()

    # -- learning ------------------------------------------------------------------------------------------------------

    def learn(
        self,
        total_timesteps: int,
        callback: Any = None,
        log_interval: int = 100,
        tb_log_name: str = "run",
        reset_num_timesteps: bool = True,
        progress_bar: bool = False,
        *,
        checkpoints: Checkpoints | None = None,
    ) -> Self:
        """Learns for `total_timesteps` env steps.

        Args:
            total_timesteps: decisions to make in the real environment.
            callback: SB3 callbacks, a list of them, or a function; they are called after every env step.
            log_interval: env steps between two lines of the log.
            tb_log_name: name of the run in TensorBoard.
            reset_num_timesteps: count from 0; False goes on counting.
            progress_bar: show one.
            checkpoints: where to leave checkpoints, how often, and whether to go on from the newest.

        Raises:
            CheckpointError: there is no going on from the checkpoints, or none can be written.
        """
        run_training(
            self,
            total_timesteps,
            callback,
            log_interval=log_interval,
            tb_log_name=tb_log_name,
            reset_num_timesteps=reset_num_timesteps,
            progress_bar=progress_bar,
            checkpoints=checkpoints,
        )
        return self

    def learn_offline(self, replay: Replay) -> dict[str, float]:
        """Learns from stored experience alone, without a step in the environment; `learn` may go on from there.

        Args:
            replay: of the agent's spaces and number of environments.

        Returns:
            Metrics.

        Raises:
            ZooError: the agent learns in its environment only.
        """
        raise ZooError(
            f"{type(self).__name__} learns in its environment only; agents that learn from data have a world model, "
            "such as dream-sac"
        )

    @classmethod
    def replay_bytes(
        cls,
        observation_space: Space[Any],
        action_space: Space[Any],
        config: Any,
        *,
        num_envs: int,
        total_timesteps: int,
    ) -> int:
        """Returns about how much the replay takes in so many env steps: known before an agent is made."""
        return 0

    @property
    def remaining_timesteps(self) -> int:
        """Env steps left of the running `learn`."""
        return max(0, self.total_timesteps - self.num_timesteps)

    # -- environment and logger, as in SB3 -----------------------------------------------------------------------------

    @classmethod
    def vec_env_of(cls, env: Any, config: Any, *, seed: int | None = None) -> VecEnv:
        """Returns the VecEnv in which an agent with this config acts, of what it was given.

        Args:
            env: an id, a Gymnasium environment or an SB3 VecEnv; subclasses may take more.
            config: of the agent.
            seed: seeds the next reset; None leaves it open.
        """
        return as_vec_env(env, seed=seed)

    def get_env(self) -> VecEnv:
        """Returns the VecEnv as it was given."""
        return self.env.venv

    def set_env(self, env: Any, force_reset: bool = True) -> None:
        """Replaces the environment; its spaces must be the same.

        Raises:
            ValueError: the spaces differ.
        """
        vec_env = self.vec_env_of(env, self.config)
        previous, self.env = self.env, TrainingEnv(vec_env, self)
        try:
            _check_same_spaces(self.env, self.observation_space, self.action_space)
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

    def save(
        self, path: str | Path, exclude: Collection[str] | None = None, include: Collection[str] | None = None
    ) -> Path:
        """Writes everything that acts and can go on learning, at any time; opening it runs no code from the file.

        Args:
            path: ".zip" is added if it has no suffix.
            exclude: recordings to leave out of the file, such as "replay".
            include: recordings to write although `left_out` names them.

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
        tensors = packing.add_prefix(tensors, "agent/")
        if self.world_model is not None:
            header["world_model"], weights = self.world_model.to_file()
            tensors |= packing.add_prefix(weights, "world_model/")
        left_out = self.left_out.difference(include or ()).union(exclude or ())
        header["recordings"] = {}
        for name, recording in self.recordings.items():
            if name not in left_out:
                header["recordings"][name], stored = recording.since(None)
                tensors |= packing.add_prefix(stored, f"recordings/{name}/")
        return archive.write_archive(path, header, tensors, readme=make_card(header))

    @classmethod
    def load(cls, path: str | Path, env: Any = None, device: str | torch.device = "auto", **overrides: Any) -> Self:
        """Reads an agent of this class.

        Args:
            path: as given to `save`, a run directory, or `hf://owner/name` (see `zoo_core.hub`).
            env: to go on learning in; without it the agent acts only. With another number of environments than before
                recordings, such as the replay, begin empty.
            device: "auto" takes a GPU if there is one.
            **overrides: config fields to replace, dotted or not (a function that the file could not hold, say).

        Raises:
            CheckpointError: the file is damaged, is no agent, or was written by another class.
        """
        header, tensors = archive.read_archive(path, kind="agent")
        return cls._from_archive(path, header, tensors, env, device, overrides)

    @classmethod
    def _from_archive(
        cls,
        path: str | Path,
        header: dict[str, Any],
        tensors: dict[str, Tensor],
        env: Any,
        device: str | torch.device,
        overrides: dict[str, Any],
    ) -> Self:
        device = resolve_device(device)
        with restoring(path, tensors):
            description = header["agent"]
            if (written_by := archive.class_of(description)) != f"{cls.__module__}:{cls.__qualname__}":
                raise CheckpointError(f"the file holds a {written_by}, not a {cls.__module__}:{cls.__qualname__}")
            observation_space, action_space = (
                spaces.space_from_json(description[name]) for name in ("observation_space", "action_space")
            )
            config: Any = None
            if cls.config_class:
                config = config_from_json(cls.config_class, description["config"], overrides=overrides)
            num_envs = operator.index(description["num_envs"])
            stand_in = SpacesOnly(observation_space, action_space, num_envs)
        vec_env = stand_in if env is None else cls.vec_env_of(env, config)
        _check_same_spaces(vec_env, observation_space, action_space)
        with restoring(path, tensors):
            agent = cls(vec_env, config, seed=operator.index(description["seed"]), device=device)
            agent.num_timesteps = operator.index(description["num_timesteps"])
            agent.env_id = archive.env_id_of(description)
            if agent.world_model is not None:
                agent.world_model.load_file(header["world_model"], packing.with_prefix(tensors, "world_model/"))
            agent.load_file(description["data"], packing.with_prefix(tensors, "agent/"))
            if agent.env.num_envs == num_envs:
                for name, recording in agent.recordings.items():
                    if name in header["recordings"]:
                        stored = packing.with_prefix(tensors, f"recordings/{name}/")
                        recording.restore([(header["recordings"][name], stored)])
        return agent

    def _bind(self, vec_env: VecEnv) -> None:
        self.env = TrainingEnv(vec_env, self)
        if not isinstance(vec_env, SpacesOnly):
            self.env_id = env_id_of(vec_env)


def load(path: str | Path, env: Any = None, device: str | torch.device = "auto", **overrides: Any) -> Agent:
    """Reads an agent of any installed plugin, as `Agent.load` does; its class is looked up in the registry.

    `load("hf://owner/name")` reads one from the Hugging Face Hub.

    Raises:
        CheckpointError: the file is damaged or holds no agent.
        UnknownNameError: no installed plugin provides the class.
    """
    from zoo_core.plugins import find_class

    header, tensors = archive.read_archive(path, kind="agent")
    with restoring(path, tensors):
        agent_class: type[Agent] = find_class("agent", archive.class_of(header["agent"]))
    return agent_class._from_archive(path, header, tensors, env, device, overrides)


def _check_same_spaces(env: VecEnv, observation_space: Any, action_space: Any) -> None:
    for name, expected in (("observation_space", observation_space), ("action_space", action_space)):
        if getattr(env, name) != expected:
            raise ValueError(f"{name} of the env is {getattr(env, name)}, the agent's is {expected}")
