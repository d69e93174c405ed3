"""The picture of a report: small multiples, one question each."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo_core.archive import write_atomically
from zoo_core.reality_gap.calibration import Bin

if TYPE_CHECKING:
    from zoo_core.reality_gap.report import GapReport

_MODEL, _OTHER, _THIRD = "tab:blue", "tab:orange", "tab:gray"
_LINE_WIDTH = 120  # characters of the verdict above the panels


def draw(report: GapReport, path: Path) -> Path:
    """Writes the picture as a PNG, atomically; it needs no display.

    Its panels: errors k steps ahead of the first kind of parts that observations have, drift of features, returns in
    pairs, calibration of rewards and of terminations, coverage of intervals.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 8), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    panels: Any = figure.subplots(2, 3)
    _draw_errors(panels[0, 0], report)
    _draw_drift(panels[0, 1], report)
    _draw_returns(panels[0, 2], report)
    _draw_reliability(panels[1, 0], report.rewards.reliability, "one-step rewards", "reward")
    _draw_terminations(panels[1, 1], report)
    _draw_coverage(panels[1, 2], report)
    head = f"{report.model} against {report.reality}, policy {report.policy}, {report.num_steps:,} real steps"
    figure.suptitle(f"{head}\n{textwrap.fill(report.verdict, _LINE_WIDTH)}", fontsize=11)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda file: figure.savefig(file, format="png"))
    return path


def _draw_errors(axes: Any, report: GapReport) -> None:
    found = report.open_loop
    if not found.errors:
        _say(axes, "k-step error of observations", report.notes["open_loop"])
        return
    curve = found.errors[0]
    axes.plot(found.steps, curve.model, "o-", color=_MODEL, label="model")
    axes.plot(found.steps, curve.copy_last, "s--", color=_OTHER, label="copy-last")
    axes.plot(found.steps, curve.mean, ":", color=_THIRD, label="mean")
    unit = "RMS, in deviations" if curve.kind == "rms" else curve.kind
    _finish(axes, "k-step error of observations", "k steps ahead", unit, steps=found.steps)


def _draw_drift(axes: Any, report: GapReport) -> None:
    found = report.drift
    axes.plot(found.steps, found.dreamt, "o-", color=_MODEL, label="dreamt")
    axes.plot(found.steps, found.standing_still, "s--", color=_OTHER, label="standing still")
    _finish(axes, "distance of features to filtered ones", "k steps ahead", "RMS, in deviations", steps=found.steps)


def _draw_returns(axes: Any, report: GapReport) -> None:
    found = report.returns
    if found is None:
        _say(axes, "returns", report.notes["returns"])
        return
    axes.scatter(found.real, found.dream, color=_MODEL, s=20, label="episodes")
    _diagonal(axes, [*found.real, *found.dream])
    _finish(axes, "returns from the same starts", "in reality", "in the dream")


def _draw_reliability(axes: Any, bins: tuple[Bin, ...], title: str, what: str, ends: tuple[float, ...] = ()) -> None:
    predicted, observed = [each.predicted for each in bins], [each.observed for each in bins]
    axes.plot(predicted, observed, "o-", color=_MODEL, label="bins")
    _diagonal(axes, [*predicted, *observed, *ends])
    _finish(axes, f"calibration of {title}", f"predicted {what}", f"real {what}")


def _draw_terminations(axes: Any, report: GapReport) -> None:
    found = report.terminations
    if not found.num_terminations:
        text = f"the data has none; the mean predicted probability of one is {found.predicted_rate:.2g}"
        _say(axes, "calibration of terminations", text)
        return
    _draw_reliability(axes, found.reliability, "terminations", "probability of ending", ends=(0.0, 1.0))


def _draw_coverage(axes: Any, report: GapReport) -> None:
    found = report.coverage
    if found is None:
        _say(axes, "coverage of predicted intervals", report.notes["coverage"])
        return
    axes.plot(found.levels, found.observed, "o-", color=_MODEL, label="model")
    _diagonal(axes, [0.0, 1.0])
    axes.text(0.97, 0.05, "below: too narrow", ha="right", color=_THIRD, transform=axes.transAxes)
    _finish(axes, "coverage of predicted intervals", "nominal", "held in reality")


def _diagonal(axes: Any, values: list[float]) -> None:
    low, high = min(values), max(values)
    if low == high:
        low, high = low - 0.5, high + 0.5
    axes.plot([low, high], [low, high], "--", color=_THIRD, label="equal")


def _finish(axes: Any, title: str, xlabel: str, ylabel: str, steps: tuple[int, ...] = ()) -> None:
    axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
    if steps:
        axes.set_xscale("log")
        axes.set_xticks(steps, labels=map(str, steps))
        axes.minorticks_off()
        positive = all((line.get_ydata() > 0).all() for line in axes.get_lines())
        axes.set_yscale("log") if positive else axes.set_ylim(bottom=0.0)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)


def _say(axes: Any, title: str, text: str) -> None:
    axes.set_title(title)
    axes.text(0.5, 0.5, textwrap.fill(text, 36), ha="center", va="center", transform=axes.transAxes)
    axes.set_xticks([])
    axes.set_yticks([])
