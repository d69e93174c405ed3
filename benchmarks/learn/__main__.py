"""Runs learning cases: `python -m benchmarks.learn [CASE ...] [--seeds 0 1] [--jobs 2]`."""

from __future__ import annotations

import argparse
import sys

from benchmarks.learn.dreams import CASES


def main() -> int:
    """Runs the cases asked for, all without a name, and says which bars were met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; all if none is given")
    parser.add_argument("--seeds", type=int, nargs="+", help="in place of the case's own; nothing is written then")
    parser.add_argument("--jobs", type=int, default=2, help="seeds trained at a time, one thread each")
    parser.add_argument(
        "--keep-controls", action="store_true", help="train the agent alone; controls stay as committed"
    )
    options = parser.parse_args()
    if unknown := set(options.cases) - set(CASES):
        parser.error(f"unknown case {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    missed = []
    for name in options.cases or CASES:
        if not CASES[name](seeds=options.seeds, jobs=options.jobs, keep_controls=options.keep_controls):
            missed.append(name)
    if missed:
        print(f"bar missed: {', '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
