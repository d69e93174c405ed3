"""Figures of learning cases, drawn from the curves in their results: nothing is run for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.learn import alphazero, dyna, muzero, planning, recipes, sweeping
from benchmarks.learn.report import QUANTILES
from benchmarks.machine import ROOT
from benchmarks.results import DIRECTORY, Result, read_results

DOCS = ROOT / "docs"
SIZE, DPI = (6.4, 4.0), 110  # inches, dots an inch
BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#8a8a8a"  # told apart by everybody (Okabe & Ito 2008)
PURPLE, BLACK = "#cc79a7", "#222222"
POINTS: dict[str, Any] = {"textcoords": "offset points"}
MAZES = {
    dyna.BLOCKING.case: ("blocking", "the gap moves\nto the far end"),
    dyna.SHORTCUT.case: ("shortcut", "a shorter\nway opens"),
}
STYLE = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "font.size": 10,
    "legend.frameon": False,
    "legend.fontsize": 9,
}


def draw(case: str, *, results: Path = DIRECTORY, out: Path = DOCS) -> Path:
    """Draws the figure of a case from its result; returns the picture's path."""
    result = next(
        found[case] for kind in ("learn", "long", "headline") if case in (found := read_results(kind, results))
    )
    path = out / f"{case}.png"
    with rc_context(STYLE):
        figure = Figure(figsize=SIZE, layout="constrained")
        FIGURES[case](figure.subplots(), result)
        figure.savefig(path, dpi=DPI)
    return path


def draw_planning(axes: Axes, result: Result) -> None:
    """Figure 8.2: steps of each episode."""
    labels = "n = 50 planning updates a step", "n = 5", "n = 0: no planning"
    for learner, color, label in zip(dyna.PLANNING, (BLUE, GREEN, ORANGE), labels, strict=True):
        _line(axes, result.extra["curves"][learner.name], color, label)
    axes.axhline(dyna.SHORTEST, color=GREY, linewidth=0.9, linestyle=":")
    text = f"shortest path: {dyna.SHORTEST}"
    axes.annotate(text, (dyna.EPISODES, dyna.SHORTEST), (0, -3), **POINTS, ha="right", va="top", color=GREY)
    axes.set(yscale="log", ylim=(9, 2500), xlim=(1, dyna.EPISODES), xlabel="episode", ylabel="steps of the episode")
    axes.set_yticks([10, 30, 100, 300, 1000], ["10", "30", "100", "300", "1,000"])
    axes.minorticks_off()
    _finish(axes, result, "Dyna-Q in the Dyna maze", "upper right")


def draw_changing(axes: Axes, result: Result) -> None:
    """Figures 8.4 and 8.5: reward over steps, and where the wall moves."""
    curves, moved = result.extra["curves"], result.extra["wall_moves_at"]
    for learner, color, label in (
        (dyna.CURIOUS, BLUE, "Dyna-Q+\nn = 50\nκ = 0.001"),
        (dyna.CONTENT, ORANGE, "Dyna-Q\nn = 50"),
        (dyna.RANDOM, GREY, "random\nactions"),
    ):
        _line(axes, curves[learner.name], color)
        _name_end(axes, curves[learner.name], color, label)
    maze, event = MAZES[result.case]
    axes.axvline(moved, color=BLACK, linewidth=0.9, linestyle="--")
    axes.annotate(event, (moved, max(curves[dyna.CURIOUS.name]["high"])), (-6, 0), **POINTS, va="top", ha="right")
    axes.set(xlim=(0, curves[dyna.CURIOUS.name]["at"][-1]), ylim=(0, None), xlabel="real steps", ylabel="reward so far")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    _finish(axes, result, f"Dyna-Q+ and Dyna-Q in the {maze} maze")


def draw_sweeping(axes: Axes, result: Result) -> None:
    """As in example 8.4: updates until the greedy path is good, over the size of the maze."""
    updates, env_steps = result.extra["curves"], result.extra["env_steps"]
    peer = min(sweeping.PEERS, key=lambda each: sum(result.extra["ratios"][each.name]))
    for name, color, label in (
        (peer.name, ORANGE, f"updates,\n{peer.name.replace('dyna-q', 'Dyna-Q')}"),
        (sweeping.SWEEPING.name, BLUE, "updates,\nprioritized\nsweeping"),
    ):
        _line(axes, updates[name], color, style="o-")
        _name_end(axes, updates[name], color, label)
        axes.plot(env_steps[name]["at"], env_steps[name]["mean"], ":", color=color)
    begin = env_steps[peer.name]["at"][0], env_steps[peer.name]["mean"][0]
    axes.annotate("real steps of both", begin, (24, 0), **POINTS, va="top", color=GREY)
    at = updates[peer.name]["at"]
    axes.set(xscale="log", yscale="log", xlabel="states of the maze")
    axes.set_xticks(at, [f"{states:,}" for states in at])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter("{x:,.0f}")
    if given_up := sum(result.extra["given_up"][sweeping.SWEEPING.name]):
        text = f"({given_up} gave up at\n{sweeping.MAX_STEPS:,})"
        end = env_steps[sweeping.SWEEPING.name]
        axes.annotate(text, (end["at"][-1], end["mean"][-1]), (7, 0), **POINTS, va="center", color=BLUE)
    title = f"What it takes until the greedy path is at most {sweeping.GOOD_ENOUGH:g} times the shortest"
    _finish(axes, result, title)


def draw_contest(axes: Axes, result: Result) -> None:
    """Returns over real steps: of the episodes of learning, or of evaluations on the way."""
    curves = result.extra["curves"]
    for (name, points), color in zip(curves.items(), (BLUE, ORANGE, GREEN, GREY, PURPLE), strict=False):
        _line(axes, points, color, name)
    condition = next((each for each in (result.bar.conditions if result.bar else ()) if each.metric == "score"), None)
    if condition is not None:
        axes.axhline(condition.value, color=BLACK, linewidth=0.9, linestyle="--")
        axes.annotate(f"bar: {condition.value:g}", (0, condition.value), (4, 3), **POINTS, color=BLACK, fontsize=9)
    exact = [each for each in result.controls if each.name.startswith("exact")]
    for control in exact:
        axes.axhline(control.score, color=GREY, linewidth=0.9, linestyle=":")
    if exact:  # they are all near one another
        names, highest = ", ".join(control.name for control in exact), max(control.score for control in exact)
        axes.annotate(names, (0, highest), (4, 3), **POINTS, color=GREY, fontsize=9)
    axes.set(xlabel="real steps", ylabel="return", xlim=(0, None))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    _finish(axes, result, result.extra["task"], "best")


def draw_lesson(axes: Axes, result: Result) -> None:
    """What a network has come to over moves of self-play."""
    draw_contest(axes, result)
    axes.set(xlabel="moves of self-play", ylabel=result.extra["curve_label"])


FIGURES: Mapping[str, Callable[[Axes, Result], None]] = {
    dyna.MAZE: draw_planning,
    dyna.BLOCKING.case: draw_changing,
    dyna.SHORTCUT.case: draw_changing,
    sweeping.CASE: draw_sweeping,
    **{each.case: draw_contest for each in (*planning.DRAWN, recipes.RECIPES, *muzero.CONTESTS, *muzero.LONG)},
    **{
        each.case: draw_lesson
        for each in (*alphazero.LESSONS, *alphazero.LONG, *alphazero.HEADLINE, *muzero.LESSONS, *muzero.HEADLINE)
    },
}


def _line(axes: Axes, curve: Mapping[str, Any], color: str, label: str | None = None, style: str = "-") -> None:
    axes.fill_between(curve["at"], curve["low"], curve["high"], color=color, alpha=0.18, linewidth=0)
    axes.plot(curve["at"], curve["mean"], style, color=color, label=label, linewidth=1.8, markersize=4)


def _name_end(axes: Axes, curve: Mapping[str, Any], color: str, label: str) -> None:
    axes.annotate(label, (curve["at"][-1], curve["mean"][-1]), (7, 0), **POINTS, va="center", color=color)


def _finish(axes: Axes, result: Result, title: str, legend: str | None = None) -> None:
    axes.set_title(f"{title}\n", fontsize=12)
    low, high = (round(100 * quantile) for quantile in QUANTILES)
    note = f"lines: means of {len(result.runs)} runs; bands: {low}th to {high}th percentile"
    axes.text(0.0, 1.02, note, transform=axes.transAxes, color=GREY, fontsize=9)
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    if legend is not None:
        axes.legend(loc=legend)
