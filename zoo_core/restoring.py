"""Building objects from the contents of a file, by a stranger perhaps: what goes wrong is an error of the file.

The contents can be well-formed and make no sense: a key is missing, a size is absurd, a tensor has another shape. One
block around the code that restores answers for all of that, so the code itself need not check.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from zoo_core.errors import CheckpointError, ZooError

_BASE_BYTES = 2**30  # that any file may fill: temporary tensors, buffers that are made empty
_BYTES_PER_STORED = 16  # a network is made, initialised, copied for its target, and then loaded
_MAX_MESSAGE = 500  # characters of a message that may repeat the contents of the file
_MAKERS = {
    torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn, torch.eye, torch.arange,
    torch.linspace, torch.Tensor.new_empty, torch.Tensor.new_zeros, torch.Tensor.new_ones, torch.Tensor.new_full,
}  # fmt: skip
_WRONG_CONTENTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)


@contextmanager
def restoring(path: str | Path, tensors: Mapping[str, Tensor]) -> Iterator[None]:
    """Marks a block that builds an object from a file: what goes wrong in it becomes a CheckpointError naming the file.

    Tensors made in the block are counted: as a whole they may take a GiB and 16 times what the file holds, so a config
    of absurd sizes is refused before it fills the memory.

    Args:
        path: of the file.
        tensors: what the file holds.

    Raises:
        CheckpointError: the contents do not fit; chained from the cause.
        ZooError: any that the block raises; it then names the file, too.
    """
    stored = sum(tensor.nbytes for tensor in tensors.values())
    try:
        with _Allowance(_BASE_BYTES + _BYTES_PER_STORED * stored):
            yield
    except ZooError as error:
        if str(path) not in str(error):
            error.args = (f"{path}: {_shorten(error)}",)
        raise
    except _WRONG_CONTENTS as error:
        raise CheckpointError(
            f"{path} cannot be restored: {type(error).__name__}: {_shorten(error)} "
            "(a damaged file, one of another version, or an env that it does not go with)"
        ) from error


def _shorten(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= _MAX_MESSAGE else f"{text[:_MAX_MESSAGE]}…"


class _Allowance(TorchFunctionMode):
    """Refuses tensors beyond a number of bytes before they take memory; what was freed again counts, too."""

    def __init__(self, num_bytes: int) -> None:
        super().__init__()
        self.num_bytes = self.left = num_bytes

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in _MAKERS:
            plain = {name: value for name, value in kwargs.items() if name not in ("generator", "out", "pin_memory")}
            self.left -= func(*args, **{**plain, "device": "meta"}).nbytes
            if self.left < 0:
                raise CheckpointError(
                    f"its config asks for tensors of more than {self.num_bytes:,} bytes, many times what the file holds"
                )
        return func(*args, **kwargs)
