"""Run directories: what was run, with what, on which versions, and what came of it."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any, Self

import filelock

from zoo_core import hub
from zoo_core.archive import archive_path, write_json
from zoo_core.errors import CheckpointError, UnknownNameError, ZooError, did_you_mean
from zoo_core.plugins import Spec, registry

FORMAT = 1
ROOT = Path("runs")  # of runs that are given no directory
_RECORD = "run.json"
_DISTRIBUTIONS = ("zoo-core", "gymnasium", "stable-baselines3", "torch", "numpy")


class RunDirectory:
    """A directory with `run.json`, the record of a run, and whatever else the run writes beside it.

    Attributes:
        path: The directory.
        record: What `run.json` holds.
    """

    def __init__(self, path: Path, record: dict[str, Any]) -> None:
        self.path = path
        self.record = record

    @classmethod
    def create(cls, name: str, record: dict[str, Any], *, out: str | Path | None = None) -> Self:
        """Makes a directory of its own for a run and writes its record, with the status "running".

        Args:
            name: The directory is `runs/<name>-<n>`, n the least number that is free.
            record: JSON-able; the format, the versions, the commit and the time are added.
            out: The directory instead; it must be new or empty.

        Raises:
            ZooError: `out` is not empty: a run is never overwritten.
        """
        path = _make_numbered(name) if out is None else _make_given(Path(out))
        run = cls(path, {"format": FORMAT, **_circumstances(), **record})
        run.update(status="running")
        return run

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Reads the record of a run.

        Args:
            path: A run directory, or a saved file, whose directory may have a record; without one, or for a file on the
                Hub (`hf://owner/name`), it is empty.

        Raises:
            UnknownNameError: There is nothing at `path`; the message has the nearest name beside it.
            CheckpointError: The record is damaged, or a later version wrote it.
        """
        if hub.is_reference(path):
            return cls(Path(path), {})
        path = Path(path)
        if not path.exists() and not archive_path(path).is_file():
            entries = path.parent.iterdir() if path.parent.is_dir() else ()
            siblings = [entry.name.removesuffix(".zip") for entry in entries]
            raise UnknownNameError(f"no run or saved file at {path}{did_you_mean(path.name, siblings)}")
        directory = path if path.is_dir() else path.parent
        file = directory / _RECORD
        if not file.is_file():
            return cls(directory, {})
        try:
            record = json.loads(file.read_text())
        except ValueError as error:
            raise CheckpointError(f"{file} is damaged: {error}") from error
        if not isinstance(record, dict) or record.get("format") != FORMAT:
            raise CheckpointError(f"{file} is not a record of format {FORMAT}, which this version of zoo-core reads")
        return cls(directory, record)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes from working in the directory; the lock of one that was killed is gone with it.

        Raises:
            ZooError: another process is at work in it.
        """
        lock = filelock.FileLock(self.path / ".lock")
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout as error:
            raise ZooError(f"another process is at work in {self.path}") from error
        try:
            yield
        finally:
            lock.release()

    def discard(self) -> None:
        """Removes the directory of a run that could not begin."""
        shutil.rmtree(self.path, ignore_errors=True)

    def update(self, **entries: Any) -> None:
        """Changes entries of the record, in the file too."""
        self.record.update(entries)
        write_json(self.path / _RECORD, self.record)


def versions(*specs: Spec | None) -> dict[str, str]:
    """Returns the versions of Python, of what every run depends on, and of the plugins that registered `specs`."""
    found = {"python": platform.python_version(), **{name: version(name) for name in _DISTRIBUTIONS}}
    for spec in specs:
        if spec is not None:
            distribution, _, found_version = registry().owner_of(spec).rpartition(" ")
            found[distribution] = found_version
    return found


def git_commit() -> dict[str, Any] | None:
    """Returns the commit that the working directory is at, and whether files differ from it; None outside git."""
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return None
    return {"commit": commit, "modified": bool(_git("status", "--porcelain", "--untracked-files=no"))}


def _circumstances() -> dict[str, Any]:
    return {
        "versions": versions(),
        "git": git_commit(),
        "started": datetime.now(UTC).isoformat("T", "seconds"),
    }


def _make_numbered(name: str) -> Path:
    for number in count(1):
        path = ROOT / f"{name}-{number}"
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        return path
    raise AssertionError("count() has no end")


def _make_given(path: Path) -> Path:
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ZooError(f"{path} is not empty, and a run is never overwritten: name a new or empty directory")
    path.mkdir(parents=True, exist_ok=True)
    return path


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
