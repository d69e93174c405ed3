"""Opening mutants in parallel, in processes that may die of it."""

from __future__ import annotations

import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

from benchmarks.fuzz.trial import Findings, Offence, Trial, limit_process, summarise

CHUNK = 50  # files that a worker opens at a time
_trial: Trial | None = None  # of a worker


def fuzz(corpus: Path, files: int, seed: int, jobs: int) -> Findings:
    """Opens so many mutants.

    Args:
        corpus: directory of the good files.
        files: how many mutants.
        seed: of all mutations.
        jobs: processes.
    """
    chunks = [range(begin, min(begin + CHUNK, files)) for begin in range(0, files, CHUNK)]
    with tempfile.TemporaryDirectory() as place:
        scratch = Path(place)
        arguments = (corpus, scratch, seed)
        with ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_begin, initargs=arguments) as pool:
            try:
                return summarise(pool.map(_run, chunks))
            except BrokenProcessPool:
                left = sorted(int(path.name.partition("-")[2]) for path in scratch.glob("*/mutant-*"))
                if not left:
                    raise
    died = "a process died while it opened this file, or one of the others that are listed so"
    return summarise([Findings.of(Offence(index, "?", "?", died)) for index in left])


def _begin(corpus: Path, scratch: Path, seed: int) -> None:
    global _trial
    own = scratch / str(os.getpid())
    own.mkdir()
    _trial = Trial(corpus, own, seed)
    limit_process()


def _run(indices: range) -> Findings:
    assert _trial is not None
    return _trial.run(indices)
