"""SB3's replay buffer as a recording: checkpoints write only the rows that are new."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import optree
import torch
from gymnasium import Space
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.buffers import DictReplayBuffer, NStepReplayBuffer, ReplayBuffer
from stable_baselines3.her.her_replay_buffer import HerReplayBuffer

from zoo_core import spaces
from zoo_core.errors import CheckpointError
from zoo_core.recording import Segment

_BYTES_OF_FLAGS = 12  # of a row: reward, done and timeout
_KNOWN = (ReplayBuffer, DictReplayBuffer, NStepReplayBuffer, HerReplayBuffer)
_ARRAYS = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts", "ep_start", "ep_length")


class BufferRecording:
    """The rows of a ring buffer `[buffer_size, n_envs, ...]`, in the order in which they were added.

    Args:
        buffer: of one of SB3's own classes.
        num_adds: returns how many rows were ever added, counted from anywhere.
    """

    def __init__(self, buffer: ReplayBuffer | DictReplayBuffer, num_adds: Callable[[], int]) -> None:
        self._buffer: Any = buffer
        self._num_adds = num_adds

    def cut(self) -> None:
        """Marks the last row as truncated where its episode goes on: no n-step return runs into the next episode."""
        buffer = self._buffer
        if buffer.size() == 0:
            return
        last = (buffer.pos - 1) % buffer.buffer_size
        if buffer.handle_timeout_termination:
            buffer.timeouts[last][buffer.dones[last] == 0] = 1
        buffer.dones[last] = 1

    def mark(self) -> int:
        """Returns how many rows were added so far."""
        return self._num_adds()

    def since(self, mark: int | None) -> Segment:
        """Returns the rows that were added after `mark`, as far as they are kept; all for None.

        Raises:
            CheckpointError: the buffer is of another class than SB3's own, which may hold more than is known here.
        """
        buffer, added = self._buffer, self._num_adds()
        if type(buffer) not in _KNOWN:
            known = ", ".join(each.__name__ for each in _KNOWN)
            raise CheckpointError(f"checkpoints store the replay buffers {known}, got {type(buffer).__name__}")
        num = buffer.size() if mark is None else min(buffer.size(), added - mark)
        rows = (buffer.pos - num + np.arange(num)) % buffer.buffer_size
        description = {"rows": num, "pos": buffer.pos, "full": buffer.full, "added": added}
        return description, {name: torch.from_numpy(array[rows]) for name, array in self._arrays().items()}

    def needs(self, description: dict[str, Any]) -> bool:
        """Says whether the last row of a segment has not been overwritten."""
        return int(description["added"]) > self._num_adds() - int(self._buffer.size())

    def restore(self, segments: Iterable[Segment]) -> None:
        """Puts the rows of the segments where they were."""
        buffer = self._buffer
        buffer.reset()
        for description, tensors in segments:
            num, pos = int(description["rows"]), int(description["pos"])
            if not (0 <= num <= buffer.buffer_size and 0 <= pos < buffer.buffer_size):
                raise CheckpointError(
                    f"the segment has {num} rows up to {pos}, the replay buffer has room for {buffer.buffer_size}"
                )
            rows = (pos - num + np.arange(num)) % buffer.buffer_size
            for name, array in self._arrays().items():
                stored = tensors[name].numpy() if name in tensors else None
                if stored is None or stored.shape != (num, *array.shape[1:]) or stored.dtype != array.dtype:
                    raise CheckpointError(f"the segment has no {name} that fits the replay buffer")
                array[rows] = stored
            buffer.pos, buffer.full = pos, bool(description["full"])

    def _arrays(self) -> dict[str, np.ndarray[Any, Any]]:
        """Returns the arrays by name; those of Dict observations by name and key."""
        found: dict[str, np.ndarray[Any, Any]] = {}
        for name in _ARRAYS:
            value = getattr(self._buffer, name, None)
            if isinstance(value, dict):
                found |= {f"{name}/{key}": array for key, array in value.items()}
            elif value is not None:
                found[name] = value
        return found


class HindsightRecording(BufferRecording):
    """The rows of a buffer that relabels goals: as it forgets whole episodes, old rows change, and all are written."""

    def cut(self) -> None:
        """Ends the running episodes, which are sampled from now on."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SB3 says that it truncates them
            self._buffer.truncate_last_trajectory()

    def since(self, mark: int | None) -> Segment:
        """Returns all rows.

        Raises:
            CheckpointError: the buffer holds the environments' `info`, which may be anything.
        """
        if self._buffer.copy_info_dict:
            raise CheckpointError("checkpoints store no info dictionaries: make HerReplayBuffer without copy_info_dict")
        description, tensors = super().since(None)
        return {**description, "episode_starts": self._buffer._current_ep_start.tolist()}, tensors

    def needs(self, description: dict[str, Any]) -> bool:
        """Returns False: the newest segment has everything."""
        return False

    def restore(self, segments: Iterable[Segment]) -> None:
        """Puts the rows where they were."""
        for segment in segments:
            self._buffer.ep_length[:] = 0
            super().restore([segment])
            self._buffer._current_ep_start = np.array(segment[0]["episode_starts"], dtype=np.int64)


def recording_of(buffer: ReplayBuffer | DictReplayBuffer, num_adds: Callable[[], int]) -> BufferRecording:
    """Returns the recording that fits a buffer; arguments as of `BufferRecording`."""
    return (HindsightRecording if isinstance(buffer, HerReplayBuffer) else BufferRecording)(buffer, num_adds)


def buffer_bytes(
    algorithm: type[BaseAlgorithm],
    arguments: Mapping[str, Any],
    observation_space: Space[Any],
    action_space: Space[Any],
    num_envs: int,
) -> int:
    """Returns the size of the replay buffer that an algorithm makes; 0 where it has none."""
    parameters = inspect.signature(algorithm).parameters
    if "buffer_size" not in parameters:
        return 0
    size = int(arguments.get("buffer_size", parameters["buffer_size"].default))
    obs, action = (sum(leaf.nbytes for leaf in optree.tree_leaves(spaces.zeros(space, 1)))
                   for space in (observation_space, action_space))  # fmt: skip
    copies = 1 if arguments.get("optimize_memory_usage") else 2  # of an observation
    return int(max(size // num_envs, 1) * num_envs * (copies * obs + action + _BYTES_OF_FLAGS))
