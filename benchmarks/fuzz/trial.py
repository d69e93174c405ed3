"""Opening mutants under limits of time and memory, and judging what came of it."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import traceback
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

import zoo_core
from benchmarks.fuzz.corpus import read_corpus, resume
from benchmarks.fuzz.mutations import MARKER, Mutant, mutate
from zoo_core import archive
from zoo_core.errors import ZooError

MAX_SECONDS = 20  # for one file; a good one takes about 10 ms
MAX_BYTES = 4 * 2**30  # of memory, beside what the process takes before
MAX_MESSAGE = 2_000  # characters


class Offence(NamedTuple):
    """A file that did what none may do."""

    number: int
    mutation: str
    source: str
    what: str


class Findings(NamedTuple):
    """What came of some files: how many of each mutation ended how, and those that did what none may do."""

    outcomes: Counter[tuple[str, str]]
    offences: list[Offence]
    peak_bytes: int

    @classmethod
    def of(cls, offence: Offence) -> Findings:
        """Returns the findings of one file that offended."""
        return cls(Counter({(offence.mutation, "offence"): 1}), [offence], 0)


class Trial:
    """Makes mutants from a corpus, one by one, and opens them in all ways.

    Args:
        corpus: directory that `write_corpus` filled.
        scratch: empty directory, which becomes the current one; whatever a file writes would be in it.
        seed: of all mutations.
    """

    def __init__(self, corpus: Path, scratch: Path, seed: int) -> None:
        self.corpus, self.seed = read_corpus(corpus), seed
        self.scratch, self._directory = scratch, corpus.resolve()
        os.chdir(scratch)
        contents = [archive.read_archive(path) for path in sorted(corpus.rglob("*.zip"))]
        self._written = [(header, {name: _bytes(t) for name, t in tensors.items()}) for header, tensors in contents]
        self._classes = {
            name: type(zoo_core.load(path) if name.startswith("agent") else zoo_core.load_model(path))
            for name, path in ((path.stem, path) for path in sorted(corpus.glob("*.zip")))
        }

    def mutant(self, index: int) -> Mutant:
        """Returns the mutant of this number."""
        return mutate(self.corpus, np.random.default_rng([self.seed, index]))

    def run(self, indices: Iterable[int]) -> Findings:
        """Opens the mutants of these numbers."""
        outcomes: Counter[tuple[str, str]] = Counter()
        offences = []
        for index in indices:
            mutant = self.mutant(index)
            place = self.scratch / f"mutant-{index}"  # left behind if the process dies of it
            try:
                ends = self._open(self._lay(place, mutant), mutant)
            except _Unbearable as error:
                offences.append(Offence(index, mutant.mutation, mutant.source, str(error)))
                ends = "offence"
            shutil.rmtree(place)
            outcomes[mutant.mutation, ends] += 1
        return Findings(outcomes, offences, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)

    def _lay(self, place: Path, mutant: Mutant) -> Path:
        """Writes a mutant, and beside it the good files of its run."""
        path = place / f"{mutant.source}.zip"
        path.parent.mkdir(parents=True)
        if _is_of_run(mutant.source):
            shutil.copytree(self._directory / path.parent.name, path.parent, dirs_exist_ok=True)
        path.write_bytes(mutant.data)
        return path

    def _open(self, path: Path, mutant: Mutant) -> str:
        """Opens a file in every way and returns how the one for files of its kind ended."""
        before = set(self.scratch.rglob("*"))
        ends = [self._load(load, path) for load in self._loads(mutant.source)]
        if found := {entry.name for entry in {*self.scratch.rglob("*")} - before}:
            raise _Unbearable("a pickle was opened" if MARKER in found else f"it wrote {sorted(found)}")
        if mutant.only_bytes and "loaded" in ends:
            header, tensors = archive.read_archive(path)
            if (header, {name: _bytes(tensor) for name, tensor in tensors.items()}) not in self._written:
                raise _Unbearable("damage was not noticed")
        return ends[0]

    def _loads(self, source: str) -> list[Any]:
        """Returns the ways to open a file, first the one for files of its kind."""
        if _is_of_run(source):
            return [lambda path: resume(path.parent), zoo_core.load, zoo_core.load_model]
        own = self._classes[source].load
        ways: list[Any] = [zoo_core.load, zoo_core.load_model, own]
        return ways[::-1] if source.startswith("model") else ways

    def _load(self, load: Any, path: Path) -> str:
        before = signal.signal(signal.SIGALRM, _too_slow)
        signal.setitimer(signal.ITIMER_REAL, MAX_SECONDS)
        try:
            load(path)
        except ZooError as error:
            if len(str(error)) > MAX_MESSAGE:
                raise _Unbearable(f"a message of {len(str(error))} characters: {str(error)[:200]}") from error
            if not str(error).strip():
                raise _Unbearable("an error that says nothing") from error
            return next(each.__name__ for each in type(error).__mro__ if not each.__name__.startswith("_"))
        except _Unbearable:
            raise
        except BaseException as error:
            raise _Unbearable("".join(traceback.format_exception(error))) from error
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        return "loaded"


class _Unbearable(BaseException):
    """What no file may do; derives from BaseException so that nothing catches it on the way."""


def limit_process() -> None:
    """Limits the memory of this process, for good; one torch thread, no warnings."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MAX_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _is_of_run(source: str) -> bool:
    return "/" in source


def _too_slow(*_: object) -> None:
    raise _Unbearable(f"it took longer than {MAX_SECONDS} s")


def summarise(findings: Iterable[Findings]) -> Findings:
    """Adds up findings."""
    outcomes: Counter[tuple[str, str]] = Counter()
    offences, peak = [], 0
    for found in findings:
        outcomes += found.outcomes
        offences += found.offences
        peak = max(peak, found.peak_bytes)
    return Findings(outcomes, offences, peak)


def totals(outcomes: Mapping[tuple[str, str], int]) -> Counter[str]:
    """Returns how many files ended how."""
    ends: Counter[str] = Counter()
    for (_, end), number in outcomes.items():
        ends[end] += number
    return ends


def _bytes(tensor: torch.Tensor) -> tuple[str, tuple[int, ...], bytes]:
    return str(tensor.dtype), tuple(tensor.shape), tensor.numpy().tobytes()
