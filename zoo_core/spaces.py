"""Gymnasium spaces on both sides of the boundary between NumPy (environments) and torch (models).

Outside, observations and actions are what Gymnasium says they are. Inside, they are (dicts or tuples of) tensors with a
leading batch dimension: Box keeps its dtype, Discrete is int64 counted from 0 whatever the space's `start` is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor
from torch.nn.functional import one_hot

from zoo_core.errors import UnsupportedSpaceError

MAX_SIZE = 2**24  # numbers in a space that is written to a file: an image of 4,096 by 4,096
MAX_DIMENSIONS = 32
_DTYPES = (
    "bool", "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
)  # fmt: skip

Nest = Any  # a tensor or array, or a dict or tuple of them


def check_space(space: spaces.Space[Any], supported: Iterable[type], *, what: str, who: str) -> None:
    """Raises UnsupportedSpaceError unless `space` is one of the `supported` classes (Box: at least one dimension)."""
    supported = tuple(supported)
    if not isinstance(space, supported):
        names = " or ".join(kind.__name__ for kind in supported)
        raise UnsupportedSpaceError(f"{who} takes {names} {what} spaces, got {space}")


def map_space(space: spaces.Space[Any], function: Any, *values: Nest) -> Nest:
    """Applies `function(leaf_space, *leaf_values)` to every leaf of a nest laid out as `space`.

    Raises:
        ValueError: a value lacks a part of the space.
    """
    if isinstance(space, spaces.Dict):
        return {k: map_space(sub, function, *(_part(v, k, space) for v in values)) for k, sub in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(
            map_space(sub, function, *(_part(v, i, space) for v in values)) for i, sub in enumerate(space.spaces)
        )
    return function(space, *values)


def to_tensor(space: spaces.Space[Any], value: Nest, device: torch.device | str = "cpu") -> Nest:
    """Converts a batch of NumPy observations or actions to tensors (copied); Discrete values are shifted to start at
    0.
    """
    return map_space(space, lambda leaf, array: _leaf_to_tensor(leaf, array, device), value)


def to_numpy(space: spaces.Space[Any], value: Nest) -> Nest:
    """Converts a batch of tensors to what the space holds: copied, rounded and cast, then clipped to its bounds."""
    return map_space(space, _leaf_to_numpy, value)


def batch_of(space: spaces.Space[Any], rows: list[Any]) -> Nest:
    """Stacks single observations or actions to one NumPy batch."""
    return map_space(space, lambda _, *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *rows)


def unbatch(space: spaces.Space[Any], value: Nest) -> list[Any]:
    """Splits a batch into single observations or actions: views of its rows."""
    if isinstance(space, spaces.Dict):
        columns = [unbatch(sub, value[key]) for key, sub in space.spaces.items()]
        return [dict(zip(space.spaces, row, strict=True)) for row in zip(*columns, strict=True)]
    if isinstance(space, spaces.Tuple):
        return list(zip(*(unbatch(sub, value[i]) for i, sub in enumerate(space.spaces)), strict=True))
    return list(value)


def zeros(space: spaces.Space[Any], num: int) -> Nest:
    """Returns a NumPy batch of `num` neutral elements in the layout and dtype of `space` (Discrete: its start)."""
    return map_space(space, lambda leaf: _leaf_zeros(leaf, num))


def index(space: spaces.Space[Any], value: Nest, rows: Any) -> Nest:
    """Returns the chosen rows of a batch."""
    return map_space(space, lambda _, leaf: leaf[rows], value)


def put(space: spaces.Space[Any], value: Nest, rows: Any, new: Nest) -> None:
    """Writes `new` into the chosen rows of a NumPy batch, in place."""

    def write(_: Any, leaf: Any, fresh: Any) -> None:
        leaf[rows] = fresh

    map_space(space, write, value, new)


def flat_dim(space: spaces.Space[Any]) -> int:
    """Returns the number of features `flatten` makes of one element of `space`."""
    if isinstance(space, spaces.Dict):
        return sum(flat_dim(sub) for sub in space.spaces.values())
    if isinstance(space, spaces.Tuple):
        return sum(flat_dim(sub) for sub in space.spaces)
    if isinstance(space, spaces.Discrete):
        return int(space.n)
    if isinstance(space, spaces.MultiDiscrete):
        return int(space.nvec.sum())
    return int(np.prod(space.shape))  # type: ignore[arg-type]


def flatten(space: spaces.Space[Any], value: Nest) -> Tensor:
    """Flattens a batch of tensors to float32 `[B, F]`: Box as it is (uint8 images divided by 255), Discrete one-hot."""
    if isinstance(space, spaces.Dict):
        return torch.cat([flatten(sub, value[key]) for key, sub in space.spaces.items()], dim=-1)
    if isinstance(space, spaces.Tuple):
        return torch.cat([flatten(sub, value[i]) for i, sub in enumerate(space.spaces)], dim=-1)
    if isinstance(space, spaces.Discrete):
        return one_hot(value, int(space.n)).to(torch.float32)
    if isinstance(space, spaces.MultiDiscrete):
        parts = [one_hot(value[..., i], int(n)) for i, n in enumerate(space.nvec.reshape(-1))]
        return torch.cat(parts, dim=-1).to(torch.float32)
    flat: Tensor = value.reshape(value.shape[0], -1)
    if flat.dtype == torch.uint8:
        return flat.to(torch.float32) / 255.0
    return flat.to(torch.float32)


def is_image(space: spaces.Space[Any]) -> bool:
    """Says whether observations are uint8 images `[H, W, C]` or `[H, W]`."""
    return isinstance(space, spaces.Box) and space.dtype == np.uint8 and len(space.shape) in (2, 3)


def space_to_json(space: spaces.Space[Any]) -> dict[str, Any]:
    """Describes a space by plain JSON types (infinite bounds become the strings "inf" and "-inf").

    Raises:
        UnsupportedSpaceError: a file has no place for such a space.
    """
    if isinstance(space, spaces.Box):
        if space.low.size > MAX_SIZE:
            raise UnsupportedSpaceError(f"cannot write spaces of more than {MAX_SIZE:,} numbers to a file: {space}")
        low, high = _bounds_to_json(space.low), _bounds_to_json(space.high)
        return {
            "type": "Box",
            "low": low,
            "high": high,
            "shape": list(space.shape),
            "dtype": str(space.dtype),
        }
    if isinstance(space, spaces.Discrete):
        return {"type": "Discrete", "n": int(space.n), "start": int(space.start)}
    if isinstance(space, spaces.MultiDiscrete):
        return {"type": "MultiDiscrete", "nvec": space.nvec.tolist(), "dtype": str(space.dtype)}
    if isinstance(space, spaces.MultiBinary):
        return {"type": "MultiBinary", "n": space.n if isinstance(space.n, int) else list(space.n)}
    if isinstance(space, spaces.Dict):
        return {"type": "Dict", "spaces": {key: space_to_json(sub) for key, sub in space.spaces.items()}}
    if isinstance(space, spaces.Tuple):
        return {"type": "Tuple", "spaces": [space_to_json(sub) for sub in space.spaces]}
    raise UnsupportedSpaceError(f"cannot write {type(space).__name__} spaces to a file: {space}")


def space_from_json(data: dict[str, Any]) -> spaces.Space[Any]:
    """Builds the space that `space_to_json` described; its size is checked before anything is allocated.

    Raises:
        ValueError: the description is of no known space, or of one of more than 2**24 numbers.
        LookupError, TypeError, ArithmeticError: the description lacks a part, or has something else in its place.
    """
    if (size := _described_size(data)) > MAX_SIZE:
        raise ValueError(f"a space of {size:,} numbers is larger than any that is written, {MAX_SIZE:,}")
    return _space_from_json(data)


def _space_from_json(data: dict[str, Any]) -> spaces.Space[Any]:
    kind = data["type"]
    if kind == "Box":
        shape, dtype = tuple(data["shape"]), _dtype_from_json(data)
        low, high = (_bounds_from_json(data[key], shape, dtype) for key in ("low", "high"))
        return spaces.Box(low, high, shape, dtype.type)
    if kind == "Discrete":
        return spaces.Discrete(data["n"], start=data["start"])
    if kind == "MultiDiscrete":
        return spaces.MultiDiscrete(np.array(data["nvec"]), dtype=_dtype_from_json(data).type)
    if kind == "MultiBinary":
        return spaces.MultiBinary(data["n"])
    if kind == "Dict":
        return spaces.Dict({key: _space_from_json(sub) for key, sub in data["spaces"].items()})
    if kind == "Tuple":
        return spaces.Tuple([_space_from_json(sub) for sub in data["spaces"]])
    raise ValueError(f"unknown space type {kind!r:.40}")


def _part(value: Nest, key: Any, space: spaces.Space[Any]) -> Nest:
    try:
        return value[key]
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"expected values laid out as {space}, got {value!r}, which has no {key!r}") from error


def _leaf_to_tensor(leaf: spaces.Space[Any], value: Any, device: torch.device | str) -> Tensor:
    if isinstance(leaf, spaces.Discrete):
        return torch.tensor(np.asarray(value, dtype=np.int64) - int(leaf.start), device=device)
    if isinstance(leaf, spaces.MultiDiscrete):
        return torch.tensor(np.asarray(value, dtype=np.int64), device=device)
    return torch.tensor(np.asarray(value, dtype=leaf.dtype), device=device)


def _leaf_to_numpy(leaf: spaces.Space[Any], value: Tensor) -> np.ndarray[Any, Any]:
    array = value.detach().cpu().numpy()
    if isinstance(leaf, spaces.Discrete):
        return array.astype(np.int64) + int(leaf.start)
    if not isinstance(leaf, spaces.Box):
        return array.astype(leaf.dtype)
    array = array.reshape((len(array), *leaf.shape))
    if array.dtype != leaf.dtype:
        if np.issubdtype(leaf.dtype, np.integer):  # a cast of what lies outside would wrap around
            array = np.rint(array).clip(leaf.low, leaf.high)
        array = array.astype(leaf.dtype)
    return array.clip(leaf.low, leaf.high)


def _leaf_zeros(leaf: spaces.Space[Any], num: int) -> np.ndarray[Any, Any]:
    if isinstance(leaf, spaces.Discrete):
        return np.full(num, int(leaf.start), dtype=np.int64)
    return np.zeros((num, *leaf.shape), dtype=leaf.dtype)  # type: ignore[misc]


def _bounds_to_json(bounds: np.ndarray[Any, Any]) -> Any:
    flat = [str(v) if np.isinf(v) else v for v in bounds.reshape(-1).tolist()]
    return flat[0] if len(set(flat)) == 1 else flat


def _bounds_from_json(data: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    values = np.array([float(v) for v in data] if isinstance(data, list) else float(data))
    if np.isnan(values).any():
        raise ValueError("a bound of a Box is NaN")
    with np.errstate(invalid="raise"):  # infinity has no place in an integer
        return np.broadcast_to(values.reshape(shape) if values.ndim else values, shape).astype(dtype)


def _dtype_from_json(data: dict[str, Any]) -> np.dtype[Any]:
    if data["dtype"] not in _DTYPES:
        raise ValueError(f"unknown dtype {data['dtype']!r:.40} of a space")
    dtype: np.dtype[Any] = np.dtype(data["dtype"])
    return dtype


def _described_size(data: dict[str, Any]) -> int:
    """Returns how many numbers the bounds or elements of a described space hold, without making it."""
    kind = data["type"]
    if kind == "Dict":
        return sum(map(_described_size, data["spaces"].values()))
    if kind == "Tuple":
        return sum(map(_described_size, data["spaces"]))
    if kind not in ("Box", "MultiBinary"):
        return 0
    shape = data["shape"] if kind == "Box" else data["n"] if isinstance(data["n"], list) else [data["n"]]
    if len(shape) > MAX_DIMENSIONS:
        raise ValueError(f"a space of {len(shape)} dimensions")
    return math.prod(map(abs, shape))
