"""Safe files: JSON and safetensors in one archive, written atomically; opening one never runs code from it.

An archive is an uncompressed zip with two members: `zoo.json` (what it is) and `tensors.safetensors` (its numbers).
"""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from zoo_core.errors import CheckpointError

FORMAT = 1
_HEADER, _TENSORS = "zoo.json", "tensors.safetensors"
_MAX_HEADER_BYTES = 64 * 2**20  # a description is text; anything larger is not one of ours


def write_archive(path: str | Path, header: dict[str, Any], tensors: dict[str, Tensor]) -> Path:
    """Writes a description and tensors to `path`, atomically: a reader sees the old file or the whole new one.

    Args:
        path: where to; ".zip" is added if it has no suffix.
        header: JSON-able; its key "kind" says what the file holds.
        tensors: by name; they are stored as they are, detached, on the CPU.

    Returns:
        The path of the file.
    """
    path = archive_path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    text = json.dumps({"format": FORMAT, **header}, indent=1, allow_nan=False)

    def write(file: IO[bytes]) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(zipfile.ZipInfo(_HEADER), text)
            archive.writestr(zipfile.ZipInfo(_TENSORS), safetensors.torch.save(plain))

    write_atomically(path, write)
    return path


def read_archive(path: str | Path, *, kind: str | None = None) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Reads what `write_archive` wrote.

    Args:
        path: with or without its ".zip".
        kind: what the file must hold; None takes any.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: the file is damaged, foreign, of a later format, or of another kind.
    """
    path = find_archive(path)
    try:
        with zipfile.ZipFile(path) as archive:
            header = json.loads(_read_member(archive, _HEADER, _MAX_HEADER_BYTES))
            tensors = safetensors.torch.load(_read_member(archive, _TENSORS, path.stat().st_size))
    except CheckpointError:
        raise
    except (
        zipfile.BadZipFile,
        ValueError,
        KeyError,
        EOFError,
        OSError,
        RuntimeError,
        NotImplementedError,
    ) as error:
        raise CheckpointError(f"{path} is damaged or was not written by the zoo: {error}") from error
    except safetensors.SafetensorError as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error
    if not isinstance(header, dict) or "format" not in header:
        raise CheckpointError(f"{path} was not written by the zoo: its {_HEADER} names no format")
    if header["format"] != FORMAT:
        raise CheckpointError(
            f"{path} has format {header['format']}, this version reads {FORMAT}: upgrade zoo-core to read it"
        )
    if kind is not None and header.get("kind") != kind:
        raise CheckpointError(f"{path} holds a file of kind {header.get('kind')!r}, expected {kind!r}")
    return header, tensors


def write_atomically(path: Path, write: Any) -> None:
    """Calls `write(file)` on a temporary file beside `path`, syncs it to disk and renames it to `path`."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def write_json(path: Path, data: Any) -> None:
    """Writes indented JSON atomically."""
    write_atomically(path, lambda file: file.write((json.dumps(data, indent=2) + "\n").encode()))


def archive_path(path: str | Path) -> Path:
    """Returns `path`, with ".zip" added if it has no such suffix."""
    path = Path(path)
    return path if path.suffix == ".zip" else path.with_name(path.name + ".zip")


def find_archive(path: str | Path) -> Path:
    """Returns the archive meant by `path`: the file itself, with ".zip", or "agent.zip" of a run directory.

    Raises:
        FileNotFoundError: none of them exists.
    """
    path = Path(path)
    candidates = [path, archive_path(path), path / "agent.zip"]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise FileNotFoundError(f"no saved model or agent at {path} (looked for {', '.join(map(str, candidates))})")


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


def pack(nested: Any) -> tuple[Any, dict[str, Tensor]]:
    """Splits nested dicts and lists (an optimiser's `state_dict`, say) into JSON and the tensors in it.

    Raises:
        TypeError: something in it is neither JSON-able nor a tensor or NumPy array.
    """
    tensors: dict[str, Tensor] = {}

    def visit(value: Any, path: str) -> Any:
        if isinstance(value, Tensor | np.ndarray):
            tensors[path] = torch.as_tensor(value)
            return {"tensor": path}
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
    if kind == "tensor":
        if content not in tensors:
            raise CheckpointError(f"the file has no tensor {content!r}")
        return tensors[content]
    if kind == "dict":
        return {key: unpack(item, tensors) for key, item in content}
    return (tuple if kind == "tuple" else list)(unpack(item, tensors) for item in content)


def with_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Returns the tensors whose name begins with `prefix`, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def add_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Returns the tensors with `prefix` before their names."""
    return {f"{prefix}{name}": tensor for name, tensor in tensors.items()}


def _read_member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED or info.file_size > limit:
        raise CheckpointError(f"member {name} is compressed or larger than the file that holds it")
    return archive.read(info)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
