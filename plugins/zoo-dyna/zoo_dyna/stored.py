"""Arrays read from files, checked before compiled code sees them."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from zoo_core.errors import CheckpointError

Array = np.ndarray[Any, Any]


def stored_array(tensor: Tensor, like: Array, name: str, low: float = -np.inf, high: float = np.inf) -> Array:
    """Returns a tensor of a file as an array of the shape and dtype of `like`, with finite values in [low, high].

    Compiled code reads where a file's numbers point: those outside would be read out of the memory of others.

    Raises:
        CheckpointError: it is of another shape or dtype, or holds another value.
    """
    array: Array = np.array(tensor.cpu().numpy())
    if array.shape != like.shape or array.dtype != like.dtype:
        raise CheckpointError(f"{name} is {array.dtype} {array.shape}, expected {like.dtype} {like.shape}")
    if not (np.isfinite(array).all() and (array >= low).all() and (array <= high).all()):
        raise CheckpointError(f"{name} holds numbers that are not in [{low}, {high}]")
    return array
