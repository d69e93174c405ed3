"""Runs learning cases: `python -m benchmarks.learn [CASE ...] [--seeds 0 1] [--jobs 2]`."""

from __future__ import annotations

import argparse
import sys

from benchmarks.learn import figures
from benchmarks.learn.cases import CASES, GROUPS, LONG, expand


def main() -> int:
    """Runs the cases asked for, all without a name, and says which bars were met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "cases", nargs="*", metavar="CASE", help=f"of {', '.join([*CASES, *LONG, *GROUPS])}; default: all but the long"
    )
    parser.add_argument("--seeds", type=int, nargs="+", help="in place of the case's own; nothing is written then")
    parser.add_argument("--jobs", type=int, default=2, help="seeds trained at a time, one thread each")
    parser.add_argument(
        "--keep-controls", action="store_true", help="train the agent alone; controls stay as committed"
    )
    parser.add_argument("--draw", action="store_true", help="run nothing, draw the figures of committed results anew")
    options = parser.parse_args()
    try:
        cases = expand(options.cases)
    except ValueError as error:
        parser.error(str(error))
    if options.draw:
        for case in (case for case in cases if case in figures.FIGURES):
            print(figures.draw(case))
        return 0
    missed = [
        case
        for case in cases
        if not {**CASES, **LONG}[case](seeds=options.seeds, jobs=options.jobs, keep_controls=options.keep_controls)
    ]
    if missed:
        print(f"bar missed: {', '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
