"""Safe files: JSON and safetensors in one archive, written atomically; opening one never runs code from it.

An archive is an uncompressed zip of two or three members: `zoo.json` (what it is), `tensors.safetensors` (its numbers)
and perhaps `README.md` (for people, never read here). The same content gives the same bytes.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NoReturn

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from zoo_core import hub
from zoo_core.config.functions import is_reference
from zoo_core.errors import CheckpointError, ZooError

FORMAT = 1
_HEADER, _TENSORS, _README = "zoo.json", "tensors.safetensors", "README.md"
_MAX_TEXT_BYTES = 16 * 2**20  # a description is text; anything larger is not one of ours
_MAX_NAME = 200  # characters of a class
_MAX_DIRECTORY_BYTES = 2**12  # of the zip; that of three members takes a few hundred
# How a zip ends: the record of its end, before it, where sizes need 64 bits, a locator and a longer record.
_END, _END64_LOCATOR, _END64 = (b"PK\5\6", 22), (b"PK\6\7", 20), (b"PK\6\6", 56)

_DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.complex64: "C64",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint64: "U64",
    torch.uint32: "U32",
    torch.uint16: "U16",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}

_READERS = {"agent": "zoo_core.load", "world_model": "zoo_core.load_model", "checkpoint": "zoo train --resume"}


def write_archive(
    path: str | Path, header: dict[str, Any], tensors: dict[str, Tensor], *, readme: str | None = None
) -> Path:
    """Writes a description and tensors to `path`, atomically: a reader sees the old file or the whole new one.

    Args:
        path: where to; ".zip" is added if it has no suffix.
        header: JSON-able; its key "kind" says what the file holds.
        tensors: by name; they are stored as they are, detached, one after the other and without a copy of them all.
        readme: a text for people who look into the zip.

    Returns:
        The path of the file.

    Raises:
        ZooError: the file cannot be written; the one that was there before is unchanged.
        ValueError: the description cannot be JSON, or is too large.
        TypeError: a tensor's dtype has no place in a file.
    """
    path = archive_path(path)
    text = json.dumps({"format": FORMAT, **header}, indent=1, allow_nan=False).encode()
    texts = {_HEADER: text, _README: None if readme is None else readme.encode()}
    for name, content in texts.items():
        if content is not None and len(content) > _MAX_TEXT_BYTES:
            raise ValueError(f"{name} of {path} would take {len(content):,} bytes, the limit is {_MAX_TEXT_BYTES:,}")
    layout = _layout(tensors)

    def write(file: IO[bytes]) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, content in texts.items():
                if content is not None:
                    archive.writestr(zipfile.ZipInfo(name), content)
            _write_tensors(archive, tensors, layout)

    write_atomically(path, write)
    return path


def read_archive(path: str | Path, *, kind: str | None = None) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Reads what `write_archive` wrote.

    Args:
        path: with or without its ".zip"; or `hf://owner/name`.
        kind: what the file must hold; None takes any.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: the file is damaged, foreign, of a later format, or of another kind.
        ZooError: the Hub has no such file, or cannot be reached.
    """
    return _read(path, kind, whole=True)


def read_header(path: str | Path, *, kind: str | None = None) -> dict[str, Any]:
    """Reads the description alone; arguments and errors as of `read_archive`."""
    return _read(path, kind, whole=False)[0]


def _read(path: str | Path, kind: str | None, *, whole: bool) -> tuple[dict[str, Any], dict[str, Tensor]]:
    path = find_archive(path)
    try:
        header, tensors = _read_members(path, whole)
    except CheckpointError:
        raise
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}") from error
    except (zipfile.BadZipFile, ValueError, KeyError, EOFError, RuntimeError, AssertionError) as error:
        raise CheckpointError(f"{path} is damaged or was not written by the zoo: {error!s:.300}") from error
    except MemoryError as error:
        raise CheckpointError(f"{path} is damaged, or larger than the memory of this machine") from error
    except safetensors.SafetensorError as error:
        raise CheckpointError(f"{path} is damaged: {error!s:.300}") from error
    if not isinstance(header, dict) or "format" not in header:
        raise CheckpointError(f"{path} was not written by the zoo: its {_HEADER} names no format")
    if header["format"] != FORMAT:
        raise CheckpointError(
            f"{path} has format {header['format']!r:.20}, this version reads {FORMAT}: upgrade zoo-core to read it"
        )
    if kind is not None and header.get("kind") != kind:
        held = header.get("kind")
        hint = f": {_READERS[held]} reads it" if isinstance(held, str) and held in _READERS else ""
        raise CheckpointError(f"{path} holds a file of kind {held!r:.40}, expected {kind!r}{hint}")
    return header, tensors


def _read_members(path: Path, whole: bool) -> tuple[Any, dict[str, Tensor]]:
    with path.open("rb") as file:
        _check_directory(file)
        with zipfile.ZipFile(file) as archive:
            _check_members(archive, path.stat().st_size)
            header = json.loads(archive.read(_HEADER), parse_constant=_refuse_constant)
            return header, safetensors.torch.load(archive.read(_TENSORS)) if whole else {}


def _check_directory(file: IO[bytes]) -> None:
    """Raises BadZipFile unless the directory of members is where the file ends, and short.

    zipfile makes an object of every entry of it, and looks for it behind anything that was put before the zip.
    """
    size, longest = file.seek(0, os.SEEK_END), _END[1] + _END64_LOCATOR[1] + _END64[1]
    file.seek(max(0, size - longest))
    tail = file.read().rjust(longest, b"\0")
    record64, locator, end = tail[: _END64[1]], tail[_END64[1] : -_END[1]], tail[-_END[1] :]
    if not end.startswith(_END[0]):
        raise zipfile.BadZipFile("File is not a zip file")
    num_bytes, begin, closing = end[12:16], end[16:20], _END[1]
    if locator.startswith(_END64_LOCATOR[0]) and record64.startswith(_END64[0]):
        num_bytes, begin, closing = record64[40:48], record64[48:56], longest
    length = int.from_bytes(num_bytes, "little")
    if length > _MAX_DIRECTORY_BYTES:
        raise zipfile.BadZipFile(f"its directory of members takes {length:,} bytes")
    if int.from_bytes(begin, "little") + length + closing != size or any(end[20:]):
        raise zipfile.BadZipFile("its directory of members is not where it should be")


def _check_members(archive: zipfile.ZipFile, size: int) -> None:
    """Raises BadZipFile unless the zip holds the members of an archive, each once, plain and no larger than it is."""
    members = archive.infolist()
    names = [member.filename for member in members]
    if sorted({*names} - {_README}) != sorted((_HEADER, _TENSORS)) or len({*names}) < len(names):
        raise zipfile.BadZipFile(f"it holds {', '.join(map(repr, names))[:200] or 'nothing'}")
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED or member.file_size > size:
            raise zipfile.BadZipFile(f"{member.filename} is compressed or larger than the file that holds it")
        if member.filename != _TENSORS and member.file_size > _MAX_TEXT_BYTES:
            raise zipfile.BadZipFile(f"{member.filename} takes {member.file_size:,} bytes, which no description does")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise zipfile.BadZipFile(f"{member.filename} is a link")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{_HEADER} holds {name}, which is not JSON")


def _layout(tensors: dict[str, Tensor]) -> dict[str, dict[str, Any]]:
    """Returns the header of safetensors: dtype, shape and place of each tensor, in the order of their places.

    Wide elements come first, so that each is aligned to its size.
    """
    layout: dict[str, dict[str, Any]] = {}
    end = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0])):
        if tensor.dtype not in _DTYPES:
            raise TypeError(f"cannot write {name} to a file: it is of {tensor.dtype}")
        begin, end = end, end + tensor.numel() * tensor.element_size()
        layout[name] = {"dtype": _DTYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [begin, end]}
    return layout


def _write_tensors(archive: zipfile.ZipFile, tensors: dict[str, Tensor], layout: dict[str, dict[str, Any]]) -> None:
    """Streams the tensors into their member: at most one of them is copied at a time."""
    text = json.dumps(layout, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # so that the tensors begin at a multiple of 8 bytes
    member = zipfile.ZipInfo(_TENSORS)
    member.file_size = 8 + len(text) + max((entry["data_offsets"][1] for entry in layout.values()), default=0)
    with archive.open(member, "w") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in layout:
            plain = tensors[name].detach().cpu().resolve_conj().resolve_neg().contiguous()
            if plain.numel():  # nothing may have any strides, and has no bytes
                file.write(plain.reshape(-1).view(torch.uint8).numpy().data)


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Calls `write(file)` on a temporary file beside `path`, syncs it to disk and renames it to `path`.

    Missing directories are made.

    Raises:
        ZooError: the system refuses (a full disk, a directory without permission); what was at `path` is unchanged.
    """
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        if not isinstance(error, OSError):
            raise
        reason = (error.strerror or str(error)).lower()
        kept = "; the file that was there before is unchanged" if os.path.exists(path) else ""
        raise ZooError(f"cannot write {path}: {reason}{kept}") from error
    with contextlib.suppress(OSError):  # some systems sync no directories; the file is whole all the same
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_json(path: Path, data: Any) -> None:
    """Writes indented JSON atomically."""
    write_atomically(path, lambda file: file.write((json.dumps(data, indent=2) + "\n").encode()))


def archive_path(path: str | Path) -> Path:
    """Returns `path`, with ".zip" added if it has no such suffix."""
    path = Path(path)
    return path if path.suffix == ".zip" else path.with_name(path.name + ".zip")


def find_archive(path: str | Path) -> Path:
    """Returns the archive meant by `path`: the file itself, with ".zip", or "agent.zip" of a run directory.

    What `hf://` names is downloaded first, unless it has been already.

    Raises:
        FileNotFoundError: none of them exists.
        ZooError: the Hub has no such file, or cannot be reached.
    """
    if hub.is_reference(path):
        return hub.download(path)
    path = Path(path)
    candidates = list(dict.fromkeys([path, archive_path(path), path / "agent.zip"]))
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise FileNotFoundError(f"no saved model or agent at {path} (looked for {', '.join(map(str, candidates))})")


def class_of(description: dict[str, Any]) -> str:
    """Returns the "module:Class" that a description names.

    Raises:
        CheckpointError: it names none.
    """
    reference = description["class"]
    if not is_reference(reference) or len(reference) > _MAX_NAME:
        raise CheckpointError(f"the file names no class as 'module:Class', got {reference!r:.100}")
    return str(reference)


def env_id_of(description: dict[str, Any]) -> str | None:
    """Returns the environment that a description names, if any, without a module: Gymnasium would import it.

    Raises:
        CheckpointError: it is no text.
    """
    env_id = description["env_id"]
    if not isinstance(env_id, str | None):
        raise CheckpointError(f"env_id in the file must be a text or null, got {env_id!r:.100}")
    return env_id and env_id.rpartition(":")[2]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
