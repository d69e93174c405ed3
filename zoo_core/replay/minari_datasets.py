"""Replays from and to Minari, the format of offline datasets of the makers of Gymnasium (https://minari.farama.org).

Datasets are looked up where Minari looks: in `$MINARI_DATASETS_PATH`, else `~/.minari/datasets`. Nothing is downloaded,
and nothing in a dataset is run.
"""

from __future__ import annotations

import re
import shutil
import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np
from gymnasium import Space

from zoo_core import spaces
from zoo_core.errors import PluginLoadError, UnknownNameError, ZooError, did_you_mean
from zoo_core.plugins.environments import import_env_namespace
from zoo_core.replay.replay import Replay

if TYPE_CHECKING:
    from minari import MinariDataset
    from minari.data_collector.episode_buffer import EpisodeBuffer

PREFIX = "minari:"  # of a reference on the command line
_ID = re.compile(r"(?:[-\w]+/)*[-\w]+-v\d+")
# What a damaged dataset makes minari and h5py raise.
_DAMAGED = (OSError, ValueError, KeyError, TypeError, AssertionError, IndexError, RuntimeError, MemoryError)


def load(reference: str, observation_space: Space[Any], action_space: Space[Any]) -> Replay:
    """Reads the dataset that a command was given, for an environment of these spaces.

    Args:
        reference: "minari:" and the id of a local dataset.
        observation_space: of the environment.
        action_space: of the environment.

    Raises:
        ZooError: the reference names no dataset, or one that is damaged or of other spaces.
    """
    if not reference.startswith(PREFIX):
        raise ZooError(f"data must be given as {PREFIX}ID, such as {PREFIX}cartpole/random-v0, got {reference!r}")
    dataset_id = reference.removeprefix(PREFIX)
    return read(dataset_id, observation_space=observation_space, action_space=action_space)


def read(
    dataset: str | MinariDataset,
    *,
    observation_space: Space[Any] | None = None,
    action_space: Space[Any] | None = None,
) -> Replay:
    """Reads the episodes of a dataset: a replay of one environment.

    An episode whose last step neither terminates nor truncates counts as truncated. Where a step in the midst of an
    episode ends it, what follows is an episode of its own.

    Args:
        dataset: the id of a local dataset, or one that Minari has loaded.
        observation_space: what its observations must be; None takes any.
        action_space: what its actions must be; None takes any.

    Raises:
        UnknownNameError: there is no such dataset here.
        ZooError: the dataset is damaged, holds no steps, or is of other spaces; or Minari is not installed.
        NonFiniteError: an observation, action or reward is NaN or infinite.
    """
    if isinstance(dataset, str):
        dataset = _open(dataset)
    for what, expected, got in (
        ("observations", observation_space, dataset.observation_space),
        ("actions", action_space, dataset.action_space),
    ):
        if expected is not None and expected != got:
            raise ZooError(f"Minari dataset {dataset.id!r} holds {what} of {got}, expected {expected}")
    env_id = None if dataset.env_spec is None else dataset.env_spec.id
    replay = Replay(dataset.observation_space, dataset.action_space, env_id=env_id)
    try:
        for episode in dataset.iterate_episodes():
            _add(replay, episode)
    except _DAMAGED as error:
        raise ZooError(f"Minari dataset {dataset.id!r} cannot be read: {error}") from error
    if not len(replay):
        raise ZooError(f"Minari dataset {dataset.id!r} holds no steps")
    return replay


def write(replay: Replay, dataset_id: str, **metadata: Any) -> MinariDataset:
    """Writes whole episodes as a local dataset; images are stored as they are, not as JPEG.

    An episode that is still running is written as truncated. One whose beginning a capacity has dropped is left out.

    Args:
        replay: what to write.
        dataset_id: its new name, such as "pendulum/random-v0".
        **metadata: `author`, `algorithm_name`, `description` and what else `minari.create_dataset_from_buffers` takes.
            The specification of the replay's environment is added, where Gymnasium knows it.

    Returns:
        The dataset.

    Raises:
        ValueError: the id is malformed, or the replay holds no whole episode.
        ZooError: there is a dataset of that name already, it cannot be written, or Minari is not installed.
    """
    minari = _import("minari")
    if not _ID.fullmatch(dataset_id):
        raise ValueError(f"dataset_id must be like pendulum/random-v0, with a version at its end, got {dataset_id!r}")
    path = _path(dataset_id)
    if path.exists():
        raise ZooError(f"there is a Minari dataset {dataset_id!r} already, in {path}: name another version")
    replay.first_observations()  # raises where no episode has a beginning
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=UserWarning, module="minari")  # on metadata that are not given
            dataset: MinariDataset = minari.create_dataset_from_buffers(
                dataset_id,
                _buffers(replay, _import("minari.data_collector.episode_buffer").EpisodeBuffer),
                observation_space=replay.observation_space,
                action_space=replay.action_space,
                **{"jpeg_encoding": False, **metadata},
            )
        spec = _spec_of(replay.env_id)
        if spec is not None and dataset.env_spec is None:  # given to Minari above, it would make the environment
            dataset.storage.update_metadata({"env_spec": spec})
            dataset = minari.load_dataset(dataset_id)
    except BaseException as error:
        shutil.rmtree(path, ignore_errors=True)
        if isinstance(error, OSError):
            raise ZooError(f"Minari dataset {dataset_id!r} cannot be written to {path}: {error}") from error
        raise
    return dataset


def _open(dataset_id: str) -> MinariDataset:
    root = _path()
    data_path = root / dataset_id / "data"
    if not _ID.fullmatch(dataset_id) or not data_path.is_dir():
        local = {path.parent.relative_to(root).as_posix() for path in root.glob("**/data")}
        raise UnknownNameError(f"no Minari dataset {dataset_id!r} in {root}{did_you_mean(dataset_id, local)}")
    try:
        stored = _import("minari.dataset.minari_storage").MinariStorage.read_raw_metadata(data_path)
        if not {"observation_space", "action_space"} <= stored.keys():  # Minari would make the environment it names
            raise ValueError("its metadata lack the spaces")
        dataset: MinariDataset = _import("minari").load_dataset(dataset_id)
    except _DAMAGED as error:
        raise ZooError(f"Minari dataset {dataset_id!r} in {root} cannot be read: {error}") from error
    return dataset


def _add(replay: Replay, episode: Any) -> None:
    """Adds an episode of a dataset: several where it goes on after an end."""
    terminated, truncated = (np.asarray(flags, bool) for flags in (episode.terminations, episode.truncations))
    begin = 0
    for end in [*(np.flatnonzero((terminated | truncated)[:-1]) + 1), len(terminated)]:
        if begin < end:
            replay.add_episode(
                spaces.index(replay.observation_space, episode.observations, slice(begin, end + 1)),
                spaces.index(replay.action_space, episode.actions, slice(begin, end)),
                episode.rewards[begin:end],
                terminated=bool(terminated[end - 1]),
            )
        begin = end


def _buffers(replay: Replay, buffer: type[EpisodeBuffer]) -> Iterator[EpisodeBuffer]:
    """Yields the episodes of a replay as Minari takes them, one by one; the last step of a running one is truncated."""
    for obs, action, reward, terminated, truncated in replay.episodes():
        truncated[-1] |= not terminated[-1]
        yield buffer(observations=obs, actions=action, rewards=reward, terminations=terminated, truncations=truncated)


def _path(dataset_id: str = "") -> Path:
    """Returns where a dataset lies, or all of them."""
    try:
        path: Path = _import("minari.storage").get_dataset_path(dataset_id)
    except OSError as error:
        raise ZooError(f"the directory of Minari's datasets cannot be made: {error}") from error
    return path


def _spec_of(env_id: str | None) -> str | None:
    """Returns Gymnasium's specification of an environment as JSON, if it knows it and can write it."""
    if env_id is None or env_id == "Dream-v0":  # an id does not say of which model
        return None
    try:
        import_env_namespace(env_id)
        return gym.spec(env_id).to_json()
    except (gym.error.Error, PluginLoadError, TypeError, ValueError):  # the latter two: made from objects
        return None


def _import(module: str) -> Any:
    try:
        for needed in ("minari", "h5py"):  # the latter stores the data
            import_module(needed)
        return import_module(module)
    except ImportError as error:
        raise ZooError(
            f'Minari datasets need the extra "minari" of zoo-core ({error}): pip install "minari[hdf5]"'
        ) from error
