"""Opens thousands of damaged, absurd and hostile files: `python -m benchmarks.fuzz [--files N] [--seed S]`.

Each must load, or be refused with an error of the zoo, within limits of time and memory, and run and write nothing.
`--only I` opens the file of that number alone, keeps it, and shows the whole error.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.fuzz.corpus import write_corpus
from benchmarks.fuzz.pool import fuzz
from benchmarks.fuzz.trial import Findings, Trial, limit_process, totals
from benchmarks.results import Bar, Condition, Run, write_result
from zoo_core.seeding import fresh_seed

FILES = 10_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 if no file did what none may do."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=FILES, help=f"only {FILES:,} or more make a result file")
    parser.add_argument(
        "--seed", type=int, default=None, help="of the mutations; default: a fresh one, which is printed"
    )
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="processes")
    parser.add_argument("--only", type=int, default=None, metavar="I", help="open one file, and show its error")
    options = parser.parse_args(arguments)
    seed = fresh_seed() if options.seed is None else options.seed
    print(f"fuzz: seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as place:
        corpus = Path(place)
        write_corpus(corpus)
        if options.only is not None:
            return _show(corpus, options.only, seed)
        begun = time.perf_counter()
        found = fuzz(corpus, options.files, seed, options.jobs)
        seconds = time.perf_counter() - begun
    _print(found, options.files, seconds)
    for offence in found.offences:
        print(f"\nfile {offence.number}, {offence.mutation} of {offence.source}: {offence.what}")
        print(f"again: python -m benchmarks.fuzz --seed {seed} --only {offence.number}", flush=True)
    if options.files >= FILES:
        _write(found, options.files, seed, seconds)
    return 1 if found.offences else 0


def _show(corpus: Path, index: int, seed: int) -> int:
    with tempfile.TemporaryDirectory() as scratch, contextlib.chdir(scratch):
        trial = Trial(corpus, Path(scratch), seed)
        limit_process()
        mutant, found = trial.mutant(index), trial.run([index])
    kept = Path(tempfile.gettempdir(), f"mutant-{seed}-{index}.zip")
    kept.write_bytes(mutant.data)
    print(
        f"{mutant.mutation} of {mutant.source}, {len(mutant.data):,} bytes, in {kept}: {dict(totals(found.outcomes))}"
    )
    print("".join(f"\n{offence.what}" for offence in found.offences))
    return 1 if found.offences else 0


def _print(found: Findings, files: int, seconds: float) -> None:
    ends = totals(found.outcomes)
    print(f"{files:,} files in {seconds:.0f} s, at most {found.peak_bytes / 2**20:,.0f} MiB of memory")
    for mutation in sorted({mutation for mutation, _ in found.outcomes}):
        counts = ", ".join(f"{n} {end}" for (m, end), n in sorted(found.outcomes.items()) if m == mutation)
        print(f"  {mutation:18} {counts}")
    print(f"  {'all':18} {', '.join(f'{n} {end}' for end, n in ends.most_common())}")


def _write(found: Findings, files: int, seed: int, seconds: float) -> None:
    ends, offending = totals(found.outcomes), len(found.offences)
    figures: dict[str, float] = {
        "files": files,
        "offending_files": offending,
        "refused": files - offending - ends["loaded"],
        "loaded": ends["loaded"],
        "peak_mib": round(found.peak_bytes / 2**20),
    }
    write_result(
        "soundness",
        "fuzz",
        command="make fuzz",
        bar=Bar((Condition("offending_files", "<=", 0), Condition("files", ">=", FILES))),
        runs=[Run(seed=seed, score=offending, wall_s=round(seconds, 1), figures=figures)],
        extra={"outcomes": dict(ends)},
        threads=1,
    )


if __name__ == "__main__":
    sys.exit(main())
