"""What is read from a replay: steps, stretches of steps, episodes; and how NumPy batches of them become tensors."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium import Space, spaces as gym_spaces
from torch import Tensor

from zoo_core import spaces

Array = np.ndarray[Any, Any]


class Transitions(NamedTuple):
    """Single steps: `[N, ...]` each; observations in the layout of the space. NumPy arrays or tensors."""

    obs: Any
    action: Any
    reward: Any
    next_obs: Any
    terminated: Any
    truncated: Any


class Sequences(NamedTuple):
    """Stretches of T steps: `obs` and `is_first` `[B, T + 1, ...]`, all else `[B, T, ...]`, as tensors.

    Where `is_first[:, t + 1]` is true, an episode ended at step t and row t + 1 begins the next; row t then holds the
    final observation, and its action, reward and flags are zero.
    """

    obs: Any
    is_first: Tensor
    action: Tensor
    reward: Tensor
    terminated: Tensor
    truncated: Tensor


class Episode(NamedTuple):
    """T steps from the first on: `obs` `[T + 1, ...]`, all else `[T, ...]`, NumPy arrays in the layout of the spaces.

    Only the last step can terminate or be truncated; where it is neither, the episode is still running.
    """

    obs: Any
    action: Any
    reward: Array
    terminated: Array
    truncated: Array


def transitions_to_tensors(
    observation_space: Space[Any], action_space: Space[Any], steps: Transitions, device: torch.device | str
) -> Transitions:
    """Returns the same steps as tensors; see `to_tensors`."""
    return Transitions(
        to_tensors(observation_space, steps.obs, device),
        to_tensors(action_space, steps.action, device),
        torch.from_numpy(steps.reward).to(device),
        to_tensors(observation_space, steps.next_obs, device),
        torch.from_numpy(steps.terminated).to(device),
        torch.from_numpy(steps.truncated).to(device),
    )


def to_tensors(space: Space[Any], value: Any, device: torch.device | str) -> Any:
    """Does what `spaces.to_tensor` does, but takes the memory of `value` over, which nobody else may use."""

    def convert(leaf: Space[Any], array: Array) -> Tensor:
        if isinstance(leaf, gym_spaces.Discrete):
            array -= leaf.start
        elif isinstance(leaf, gym_spaces.MultiDiscrete):
            array = array.astype(np.int64, copy=False)
        return torch.from_numpy(array).to(device)

    return spaces.map_space(space, convert, value)
