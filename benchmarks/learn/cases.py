"""The learning cases by name, and names for several of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from benchmarks.learn import (
    alphago,
    alphazero,
    contest,
    dreams,
    dyna,
    figures,
    games,
    muzero,
    pairs,
    planning,
    recipes,
    search,
    sweeping,
)
from benchmarks.learn.alphazero import Lesson
from benchmarks.learn.contest import Contest
from benchmarks.learn.report import Measured, report
from benchmarks.machine import ROOT

RUNS = ROOT / "runs" / "learn"  # where long runs keep their checkpoints, and go on from them

DYNA: dict[str, Callable[..., Measured]] = {
    dyna.MAZE: dyna.measure_maze,
    dyna.BLOCKING.case: partial(dyna.measure_changing, dyna.BLOCKING),
    dyna.SHORTCUT.case: partial(dyna.measure_changing, dyna.SHORTCUT),
    sweeping.CASE: sweeping.measure,
}


def run_dyna(case: str, *, seeds: Sequence[int] | None = None, jobs: int = 2, keep_controls: bool = False) -> bool:
    """Runs a case of Dyna and prints it; unless `seeds` is given, writes its result and draws its figure.

    Args:
        case: one of `DYNA`.
        seeds: in place of the case's own.
        jobs: processes, one torch thread each.
        keep_controls: as in other cases; here controls take no longer than the agent, and are trained anew.

    Returns:
        Whether the bar was met.
    """
    passed = report(case, DYNA[case](dyna.SEEDS if seeds is None else seeds, jobs), write=seeds is None)
    if seeds is None:
        figures.draw(case)
    return passed


def run_search(*, seeds: Sequence[int] | None = None, jobs: int = 2, keep_controls: bool = False) -> bool:
    """Runs the case of tree search, as `run_dyna` does those of Dyna; it has no figure."""
    return report(search.CASE, search.measure(search.SEEDS if seeds is None else seeds, jobs), write=seeds is None)


def run_pairs(*, seeds: Sequence[int] | None = None, jobs: int = 2, keep_controls: bool = False) -> bool:
    """Tries every pair of planner and model; it has neither seeds nor controls nor a figure."""
    return report(pairs.CASE, pairs.measure(jobs=jobs), write=seeds is None)


def run_games(*, seeds: Sequence[int] | None = None, jobs: int = 2, keep_controls: bool = False) -> bool:
    """Proves the rules of games; it has seeds of its own, and no figure."""
    return report(games.CASE, games.measure(jobs=jobs), write=seeds is None)


def run_alphago(*, seeds: Sequence[int] | None = None, jobs: int = 2, keep_controls: bool = False) -> bool:
    """Runs the case of AlphaGo, as `run_search` does that of tree search."""
    return report(alphago.CASE, alphago.measure(alphago.SEEDS if seeds is None else seeds, jobs), write=seeds is None)


def run_contest(
    held: Contest,
    kind: str,
    *,
    seeds: Sequence[int] | None = None,
    jobs: int = 2,
    keep_controls: bool = False,
) -> bool:
    """Holds a contest, as `run_dyna` runs a case of Dyna; `kind` is the folder of its result."""
    measure = recipes.measure if held is recipes.RECIPES else partial(contest.measure, held, directory=RUNS)
    passed = report(held.case, measure(held.seeds if seeds is None else seeds, jobs), write=seeds is None, kind=kind)
    if seeds is None and held.case in figures.FIGURES:
        figures.draw(held.case)
    return passed


def run_lesson(
    lesson: Lesson,
    kind: str,
    *,
    seeds: Sequence[int] | None = None,
    jobs: int = 2,
    keep_controls: bool = False,
) -> bool:
    """Lets agents learn a board game, as `run_contest` does other tasks."""
    measured = alphazero.measure(lesson, lesson.seeds if seeds is None else seeds, jobs, directory=RUNS)
    passed = report(lesson.case, measured, write=seeds is None, kind=kind)
    if seeds is None and lesson.case in figures.FIGURES:
        figures.draw(lesson.case)
    return passed


CASES: dict[str, Callable[..., bool]] = {
    **{task.case: partial(dreams.run_case, task) for task in dreams.TASKS},
    **{case: partial(run_dyna, case) for case in DYNA},
    search.CASE: run_search,
    pairs.CASE: run_pairs,
    games.CASE: run_games,
    **{
        each.case: partial(run_contest, each, "learn")
        for each in (*planning.CONTESTS, recipes.RECIPES, *muzero.CONTESTS)
    },
    **{each.case: partial(run_lesson, each, "learn") for each in (*alphazero.LESSONS, *muzero.LESSONS)},
    alphago.CASE: run_alphago,
}
LONG: dict[str, Callable[..., bool]] = {  # much of an hour and more, or a GPU: run by name alone
    **{each.case: partial(run_contest, each, "long") for each in (*planning.LONG, *muzero.LONG)},
    **{each.case: partial(run_contest, each, "headline") for each in planning.HEADLINE},
    **{each.case: partial(run_lesson, each, "long") for each in alphazero.LONG},
    **{each.case: partial(run_lesson, each, "headline") for each in (*alphazero.HEADLINE, *muzero.HEADLINE)},
}
GROUPS = {
    "dream-generality": tuple(task.case for task in dreams.GENERALITY),
    "dyna-figures": tuple(DYNA),
}


def expand(names: Iterable[str]) -> list[str]:
    """Returns the cases behind names of cases and of groups; all but the long ones if there is no name.

    Raises:
        ValueError: there is no such case or group.
    """
    names = list(names) or list(CASES)
    if unknown := set(names) - {*CASES, *LONG, *GROUPS}:
        known = ", ".join([*CASES, *LONG, *GROUPS])
        raise ValueError(f"unknown case {', '.join(sorted(unknown))}; there are {known}")
    return list(dict.fromkeys(case for name in names for case in GROUPS.get(name, (name,))))
