"""What goes into an archive, split into JSON and tensors: networks, optimisers, nested state; and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from zoo_core.errors import CheckpointError


def load_weights(module: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Copies tensors into the parameters and buffers of `module`.

    Raises:
        CheckpointError: names or shapes do not fit.
    """
    try:
        with torch.no_grad():
            module.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        raise CheckpointError(f"the weights do not fit {type(module).__name__}: {error}") from error


def load_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Restores an optimiser from its `state_dict`.

    Raises:
        CheckpointError: it is of other parameters.
    """
    try:
        optimizer.load_state_dict(state)
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"the state of {type(optimizer).__name__} does not fit: {error}") from error
    check_optimizer(optimizer)


def check_optimizer(optimizer: torch.optim.Optimizer) -> None:
    """Checks that an optimiser's moments have the shapes of their parameters, which torch does not do.

    Raises:
        CheckpointError: one has not.
    """
    for parameter, moments in optimizer.state.items():
        for name, value in moments.items():
            if isinstance(value, Tensor) and value.ndim and value.shape != parameter.shape:
                raise CheckpointError(
                    f"{name} of {type(optimizer).__name__} has shape {list(value.shape)}, "
                    f"its parameter {list(parameter.shape)}"
                )


def pack(nested: Any) -> tuple[Any, dict[str, Tensor]]:
    """Splits nested dicts and lists (an optimiser's `state_dict`, say) into JSON and the tensors in it.

    Raises:
        TypeError: something in it is neither JSON-able nor a tensor or NumPy array.
    """
    tensors: dict[str, Tensor] = {}

    def visit(value: Any, path: str) -> Any:
        if isinstance(value, Tensor | np.ndarray):
            tensors[path] = torch.as_tensor(value)
            return {"tensor" if isinstance(value, Tensor) else "array": path}
        if isinstance(value, Mapping):
            return {"dict": [[key, visit(item, f"{path}/{key}")] for key, item in value.items()]}
        if isinstance(value, list | tuple):
            return {type(value).__name__: [visit(item, f"{path}/{i}") for i, item in enumerate(value)]}
        if value is None or isinstance(value, bool | int | float | str):
            return value
        raise TypeError(f"cannot write {path} to a file: it is a {type(value).__name__}")

    return visit(nested, ""), tensors


def unpack(packed: Any, tensors: dict[str, Tensor]) -> Any:
    """Restores what `pack` split.

    Raises:
        CheckpointError: a tensor is missing.
    """
    if not isinstance(packed, dict):
        return packed
    [(kind, content)] = packed.items()
    if kind in ("tensor", "array"):
        if content not in tensors:
            raise CheckpointError(f"the file has no tensor {content!r}")
        return tensors[content] if kind == "tensor" else tensors[content].cpu().numpy()
    if kind == "dict":
        return {key: unpack(item, tensors) for key, item in content}
    return (tuple if kind == "tuple" else list)(unpack(item, tensors) for item in content)


def with_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Returns the tensors whose name begins with `prefix`, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def add_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Returns the tensors with `prefix` before their names."""
    return {f"{prefix}{name}": tensor for name, tensor in tensors.items()}
