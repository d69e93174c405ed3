"""What the figures of a report mean, in words, and the table that shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zoo_core.reality_gap.calibration import RewardCalibration, TerminationCalibration
from zoo_core.reality_gap.dreams import Returns
from zoo_core.reality_gap.open_loop import ErrorCurve, OpenLoop
from zoo_core.reality_gap.uncertainty import Coverage

if TYPE_CHECKING:
    from zoo_core.reality_gap.report import GapReport

_CLEARLY = 0.95  # a prediction beats another if its error is below this part of the other's
_STANDARD_ERRORS = 2.0  # a difference within so many is chance
_SAME_RETURN = 0.01  # and one within this part of the real returns is small
_SAME_COVERAGE = 0.05  # intervals that hold so much more or less than they say are about right
_ENOUGH_VALUES = 40  # with fewer, chance alone moves what 90% intervals hold by 10%
_MOST = 0.5  # recall above which most terminations are foreseen


def of_open_loop(found: OpenLoop) -> str:
    """Says up to which k the model predicts better than both a copy of the last observation and the mean."""
    judged = [i for i in range(len(found.steps)) if any(_moves(curve, i) for curve in found.errors)]
    if not judged:
        return "no observation changes, so there is no dynamics to judge"
    better = [i for i in judged if all(_beats(curve, i) for curve in found.errors if _moves(curve, i))]
    if not better:
        return "no better than copying the last observation or the mean: the model has not learned the dynamics"
    run = [i for n, i in enumerate(better) if i == judged[judged.index(better[0]) + n]]
    first, last = found.steps[run[0]], found.steps[run[-1]]
    since = "" if run[0] == judged[0] else f"from k = {first} "
    return f"k-step error is below copy-last {since}up to k = {last}"


def of_rewards(found: RewardCalibration) -> str:
    """Says how much of the rewards' deviation, which is not 0, is foreseen."""
    part = found.rmse / found.real_std
    if part >= _CLEARLY:
        return "rewards are foreseen no better than by their mean"
    return f"reward error is {part:.2g} of the rewards' deviation"


def of_terminations(found: TerminationCalibration) -> str:
    """Says whether terminations, of which there are some, are foreseen."""
    if found.brier >= _CLEARLY * found.rate_brier:
        return "terminations are foreseen no better than by their rate"
    if found.recall is not None and found.recall >= _MOST:
        return f"terminations are foreseen (recall {found.recall:.0%})"
    return (
        f"terminations are foreseen better than by their rate, but most come as a surprise (recall {found.recall:.0%})"
    )


def of_returns(found: Returns) -> str:
    """Says what dreams promise over what reality gives."""
    if found.standard_error is None:
        return f"one episode does not tell what dreams promise (difference {found.difference:+.3g})"
    small = _SAME_RETURN * sum(map(abs, found.real)) / len(found.real)
    chance = _STANDARD_ERRORS * found.standard_error
    shown = f"(difference {found.difference:+.3g} ± {chance:.2g})"
    if max(abs(found.difference), chance) <= small:
        return f"dreams and reality give the same return {shown}"
    if abs(found.difference) <= max(chance, small):
        return f"returns of dreams and reality cannot be told apart in {len(found.real)} episodes {shown}"
    more = "more" if found.difference > 0 else "less"
    return f"dreams promise {abs(found.difference):.3g} {more} than reality gives"


def of_coverage(found: Coverage, level: float) -> str:
    """Says whether predicted intervals hold what they promise."""
    if found.num_values < _ENOUGH_VALUES:
        return f"{found.num_values} values are too few to judge intervals"
    held, chance = found.at(level), _STANDARD_ERRORS * (level * (1 - level) / found.num_values) ** 0.5
    if abs(held - level) <= max(chance, _SAME_COVERAGE):
        name = "intervals are about right"
    else:
        name = "intervals are too narrow" if held < level else "intervals are too wide"
    return f"{name}: {level:.0%} intervals hold {held:.0%}"


def table(report: GapReport) -> str:
    """Returns the report for people to read."""
    lines = [
        f"{report.model} against {report.reality}, policy {report.policy}: {report.episodes} episodes, "
        f"{report.num_steps:,} real steps, at most {report.horizon} an episode, seed {report.seed}",
        "",
        *_curves(report),
        "",
        f"rewards       {_rewards(report.rewards)}",
        f"terminations  {_terminations(report.terminations)}",
        f"returns       {_returns(report)}",
        *_coverage(report),
        f"epistemic     {_epistemic(report)}",
        "",
        f"verdict: {report.verdict}",
    ]
    return "\n".join(lines)


def _curves(report: GapReport) -> list[str]:
    found, drift = report.open_loop, report.drift
    rows: list[tuple[str, Sequence[float | None]]] = [("k steps ahead", found.steps)]
    for curve in found.errors:
        rows += [
            (f"observations, {curve.kind}", curve.model),
            ("  copy-last", curve.copy_last),
            ("  mean", curve.mean),
            ("  over copy-last", curve.ratio),
        ]
    rows += [("rewards, rms", found.reward_rmse), ("  mean", found.reward_std)]
    rows += [("features, drift", drift.dreamt), ("  standing still", drift.standing_still)]
    rows += [("windows", found.windows)]
    lines = [f"{name:<25}" + "".join(f"{_number(value):>9}" for value in values).rstrip() for name, values in rows]
    return lines if found.errors else [*lines, report.notes["open_loop"]]


def _rewards(found: RewardCalibration) -> str:
    return (
        f"bias {found.bias:+.3g}, RMSE {found.rmse:.3g} (mean: {found.real_std:.3g}), "
        f"correlation {_number(found.correlation)}, slope {_number(found.slope)}"
    )


def _terminations(found: TerminationCalibration) -> str:
    if not found.num_terminations:
        return f"the data has none; the mean predicted probability of one is {found.predicted_rate:.2g}"
    return (
        f"{found.num_terminations} happened, Brier {found.brier:.3g} (rate: {found.rate_brier:.3g}), "
        f"log-loss {found.log_loss:.3g}, calibration error {found.calibration_error:.3g}, "
        f"precision {_number(found.precision)}, recall {_number(found.recall)}"
    )


def _returns(report: GapReport) -> str:
    found = report.returns
    if found is None:
        return report.notes["returns"]
    num = len(found.real)
    dream, real = sum(found.dream) / num, sum(found.real) / num
    return (
        f"dream {dream:.4g}, real {real:.4g}, difference {found.difference:+.3g} "
        f"(standard error {_number(found.standard_error)}), "
        f"correlation {_number(found.correlation)}; {found.held_fraction:.1%} of dream steps held back"
    )


def _coverage(report: GapReport) -> list[str]:
    found = report.coverage
    if found is None:
        return [f"intervals     {report.notes['coverage']}"]
    nominal = "".join(f"{level:>6.0%}" for level in found.levels)
    held = "".join(f"{level:>6.0%}" for level in found.observed)
    return [f"intervals     of {nominal}", f"              hold{held[2:]}"]


def _epistemic(report: GapReport) -> str:
    if report.epistemic_correlation is None:
        return report.notes["epistemic"]
    return f"rank correlation with the one-step error {report.epistemic_correlation:.2f}"


def _moves(curve: ErrorCurve, i: int) -> bool:
    return curve.copy_last[i] > 0 or curve.mean[i] > 0


def _beats(curve: ErrorCurve, i: int) -> bool:
    return curve.model[i] < _CLEARLY * min(curve.copy_last[i], curve.mean[i])


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"
