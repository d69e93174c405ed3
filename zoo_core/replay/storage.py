"""Growing arrays: in memory, or past a size in temporary files mapped into it; and rings of rows in them."""

from __future__ import annotations

import mmap
import os
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch

from zoo_core.errors import ZooError

Array = np.ndarray[Any, Any]
Kind = tuple[tuple[int, ...], np.dtype[Any]]  # shape and dtype of one row

MEMORY_LIMIT = 2 * 2**30  # bytes; beyond, the operating system decides what stays in memory
_GROWTH = 1.25  # each growth adds a quarter: O(1) copies a row in memory, and at most a quarter of a disk in vain
_MIN_ROOM = 16  # rows a ring begins with


class Columns:
    """Arrays of equally many rows.

    Files are temporary and have no name from the beginning (on POSIX): they vanish with this object, or the process.
    Their space is reserved when they grow, since a mapped file that finds no space on the disk kills the process.

    Args:
        kinds: of the rows of each array.
        memory_limit: bytes that all arrays together may take in memory; beyond, they lie in files.
        directory: where those are made; None takes the system's directory of temporary files.
    """

    def __init__(self, kinds: Sequence[Kind], *, memory_limit: int, directory: str | Path | None) -> None:
        self.kinds = list(kinds)
        self.memory_limit = memory_limit
        self.directory = directory
        self.arrays: list[Array] = [np.empty((0, *shape), dtype) for shape, dtype in kinds]
        self._files: list[IO[bytes]] = []

    @property
    def in_files(self) -> bool:
        """Whether the arrays lie in files."""
        return bool(self._files)

    def resize(self, num_rows: int) -> None:
        """Makes the arrays longer; new rows hold anything.

        Raises:
            ZooError: the disk is full, or the directory cannot be written to; the arrays are as they were.
        """
        files = self._files
        if not files and row_bytes(self.kinds) * num_rows > self.memory_limit:
            files = self._make_files()
        if files:
            arrays = self._map(files, num_rows)
        else:
            arrays = [np.empty((num_rows, *shape), dtype) for shape, dtype in self.kinds]
        if not self._files:  # else the contents have stayed where they are
            for fresh, old in zip(arrays, self.arrays, strict=True):
                fresh[: len(old)] = old
        self.arrays, self._files = arrays, files

    def _make_files(self) -> list[IO[bytes]]:
        files: list[IO[bytes]] = []
        weakref.finalize(self, _close, files)
        try:
            for _ in self.kinds:
                files.append(tempfile.TemporaryFile(buffering=0, prefix="zoo-replay-", dir=self.directory))  # noqa: SIM115 - _close does
        except OSError as error:
            _close(files)
            where = self.directory or "the directory of temporary files"
            raise ZooError(f"a replay that outgrows the memory cannot use {where}: {error.strerror}") from error
        return files

    def _map(self, files: list[IO[bytes]], num_rows: int) -> list[Array]:
        arrays = []
        try:
            for file, kind in zip(files, self.kinds, strict=True):
                size = max(1, row_bytes([kind]) * num_rows)
                _reserve(file, size)
                mapped = mmap.mmap(file.fileno(), size)
                arrays.append(np.frombuffer(mapped, kind[1], num_rows * _items(kind)).reshape(num_rows, *kind[0]))
        except OSError as error:
            if not self._files:
                _close(files)
            raise ZooError(
                f"no room for {row_bytes(self.kinds) * num_rows / 2**30:.1f} GiB of replay in "
                f"{self.directory or tempfile.gettempdir()}: {error.strerror}; free some, give the replay a capacity, "
                "or name a directory on a larger disk (TMPDIR does so for every command)"
            ) from error
        return arrays


class Rings:
    """Streams of rows; each is a ring in arrays that they share, `[room * num, ...]`, side by side in time.

    The rows of a stream are numbered from 0 as they come, for ever; dropping the oldest changes no number.

    Args:
        kinds: shapes and dtypes of a row.
        num: streams.
        memory_limit: see `Columns`.
        directory: see `Columns`.
    """

    def __init__(self, kinds: Sequence[Kind], num: int, *, memory_limit: int, directory: str | Path | None) -> None:
        self.first = np.zeros(num, np.int64)  # of the rows that are kept
        self.end = np.zeros(num, np.int64)  # number of the row to come
        self.columns = Columns(kinds, memory_limit=memory_limit, directory=directory)
        self._num = num
        self._room = 0  # rows a stream
        self._shift = np.zeros(num, np.int64)  # row r of stream s lies at ((r + shift[s]) % room) * num + s

    def reserve(self, more: Array | int) -> None:
        """Makes room for so many more rows in each stream."""
        needed = int((self.end - self.first + more).max())
        if needed > self._room:
            self._grow(max(needed, int(self._room * _GROWTH), _MIN_ROOM))

    def places(self, streams: Array | int, numbers: Array) -> Array:
        """Returns where rows lie in the arrays."""
        rows: Array = (numbers + self._shift[streams]) % self._room
        return rows * self._num + streams

    def read(self, column: int, places: Array) -> Array:
        """Returns a copy of rows of one array: `[*places.shape, ...]`, in memory that torch has set aside.

        Torch aligns its memory, NumPy does not, and the last bits of a product depend on it.
        """
        array = self.columns.arrays[column]
        dtype = torch.from_numpy(np.empty(0, array.dtype)).dtype
        copy: Array = torch.empty((*places.shape, *array.shape[1:]), dtype=dtype).numpy()
        return np.take(array, places, axis=0, out=copy, mode="clip")

    def write(self, column: int, places: Array, values: Any) -> None:
        """Writes rows of one array."""
        self.columns.arrays[column][places] = values

    def spread(self, begin: Array, counts: Array) -> tuple[Array, Array]:
        """Returns stream and number of `counts[s]` rows of each stream s from `begin[s]` on, stream after stream."""
        streams = np.repeat(np.arange(self._num), counts)
        within = np.arange(len(streams)) - np.repeat(np.cumsum(counts) - counts, counts)
        return streams, np.repeat(begin, counts) + within

    def skip_to(self, numbers: Array) -> None:
        """Drops everything; the next row of stream s has number `numbers[s]`."""
        self.first, self.end = numbers.copy(), numbers.copy()

    def _grow(self, room: int) -> None:
        old = self._room
        self.columns.resize(room * self._num)
        start = (self.first + self._shift) % max(old, 1)
        for stream in np.flatnonzero(start + self.end - self.first > old):  # the ring's older part goes to the end
            for array in self.columns.arrays:
                ring = array.reshape(room, self._num, *array.shape[1:])[:, stream]
                ring[start[stream] + room - old :] = ring[start[stream] : old].copy()
            start[stream] += room - old
        self._room, self._shift = room, start - self.first


def row_bytes(kinds: Sequence[Kind]) -> int:
    """Returns the bytes of one row of all arrays."""
    return sum(_items(kind) * kind[1].itemsize for kind in kinds)


def _items(kind: Kind) -> int:
    return int(np.prod(kind[0], dtype=np.int64))


def _reserve(file: IO[bytes], size: int) -> None:
    """Makes a file longer, with space on the disk for all of it; where there is none, it is as long as before."""
    held = file.seek(0, os.SEEK_END)
    try:
        if size > held and hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), held, size - held)
        else:
            _write_zeros(file, size - held)
    except OSError:
        os.ftruncate(file.fileno(), held)
        raise


def _write_zeros(file: IO[bytes], num: int) -> None:
    while num > 0:
        num -= file.write(bytes(min(2**20, num)))


def _close(files: list[IO[bytes]]) -> None:
    for file in files:
        file.close()
