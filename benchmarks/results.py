"""Results as data: one JSON file a case in `benchmarks/results/{learn,long,headline,speed,soundness}/`.

```python
write_result(
    "learn",
    "demo-pendulum",
    command="make learn CASE=demo-pendulum",
    bar=Bar((Condition("score", ">=", -180), Condition("env_steps", "<=", 1_000)), runs_required=5),
    runs=[Run(seed=0, score=-151.3, env_steps=1_000, wall_s=112.0), ...],
    controls=[
        Control("random policy", runs=[Run(seed=0, score=-1_241.0, wall_s=1.0)]),
        Control("exact optimum", score=-139.9, note="grid dynamic programming"),
    ],
)
```

A file holds `case, command, commit, date, versions, machine, bar, passed, runs, controls`, and `extra` where there is
more to keep. `passed` is never typed: it follows from the runs and the bar.
"""

from __future__ import annotations

import json
import math
import operator
import os
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import machine

KINDS = ("learn", "long", "headline", "speed", "soundness")
DIRECTORY = Path(__file__).with_name("results")
_OPERATORS = {">=": operator.ge, "<=": operator.le}
_CASE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_COMMIT = re.compile(rf"[0-9a-f]{{40}}(\+dirty)?|{machine.UNCOMMITTED}")
_KEYS = ("case", "command", "commit", "date", "versions", "machine", "bar", "passed", "runs", "controls")


@dataclass(frozen=True)
class Run:
    """One run: of a seed (learning), or of all repeats of a measurement (speed).

    Attributes:
        seed: of the run.
        score: what the case is about: a mean return, or a ratio.
        env_steps: decisions made in the real environment.
        env_frames: simulator frames behind them; None for one frame a decision.
        wall_s: wall-clock time in seconds.
        figures: further measures by name.
    """

    seed: int
    score: float
    env_steps: int = 0
    env_frames: int | None = None
    wall_s: float = 0.0
    figures: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.env_frames is None:
            object.__setattr__(self, "env_frames", self.env_steps)
        values = {"score": self.score, "wall_s": self.wall_s, **self.figures}
        for name, value in values.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise ValueError(f"{name} of a run must be a finite number, got {value!r}")

    def measure(self, metric: str) -> float:
        """Returns the field or figure of that name.

        Raises:
            ValueError: the run has no such measure.
        """
        measures = {name: getattr(self, name) for name in ("score", "env_steps", "env_frames", "wall_s")}
        measures |= self.figures
        if metric not in measures:
            raise ValueError(f"a run has no {metric!r}; it has {', '.join(measures)}")
        return float(measures[metric])


@dataclass(frozen=True)
class Condition:
    """`metric op value`, such as `score >= -180`; the metric is a field of `Run` or one of its figures."""

    metric: str
    op: str
    value: float

    def __post_init__(self) -> None:
        if self.op not in _OPERATORS:
            raise ValueError(f"op must be one of {', '.join(_OPERATORS)}, got {self.op!r}")

    def met_by(self, run: Run) -> bool:
        """Says whether a run meets it."""
        return bool(_OPERATORS[self.op](run.measure(self.metric), self.value))


@dataclass(frozen=True)
class Bar:
    """What must be reached: every condition, in at least `runs_required` of the runs."""

    conditions: Sequence[Condition]
    runs_required: int = 1

    def met_by(self, runs: Iterable[Run]) -> bool:
        """Says whether enough of the runs meet all conditions."""
        met = sum(all(condition.met_by(run) for condition in self.conditions) for run in runs)
        return met >= self.runs_required


@dataclass(frozen=True)
class Control:
    """What the result is compared with: runs of its own, or a known number.

    Attributes:
        name: such as "random policy".
        runs: as of the case.
        score: the known number, where there are no runs; else the mean score of the runs.
        note: where a known number comes from, what was broken on purpose.
    """

    name: str
    runs: Sequence[Run] = ()
    score: float | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if self.runs:
            object.__setattr__(self, "score", mean_score(self.runs))
        elif self.score is None:
            raise ValueError(f"control {self.name!r} needs runs or a score")


@dataclass(frozen=True)
class Result:
    """The contents of one file; see the module."""

    case: str
    command: str
    bar: Bar | None
    runs: Sequence[Run]
    controls: Sequence[Control] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    commit: str = ""
    date: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether the runs meet the bar; true where no bar is set."""
        return self.bar is None or self.bar.met_by(self.runs)

    @property
    def score(self) -> float:
        """The mean score of the runs."""
        return mean_score(self.runs)

    def to_json(self) -> dict[str, Any]:
        """Returns what is written to the file."""
        data = {key: getattr(self, key) for key in (*_KEYS, "extra")}
        data["bar"] = None if self.bar is None else asdict(self.bar)
        data["runs"] = [_run_to_json(run) for run in self.runs]
        data["controls"] = [
            {"name": c.name, "score": c.score, "note": c.note, "runs": [_run_to_json(run) for run in c.runs]}
            for c in self.controls
        ]
        if not self.extra:
            del data["extra"]
        return data


def mean_score(runs: Iterable[Run]) -> float:
    """Returns the mean score of some runs."""
    return statistics.fmean(run.score for run in runs)


def write_result(
    kind: str,
    case: str,
    *,
    command: str,
    bar: Bar | None,
    runs: Sequence[Run],
    controls: Sequence[Control] = (),
    extra: Mapping[str, Any] | None = None,
    threads: int | None = None,
    directory: Path = DIRECTORY,
) -> Result:
    """Writes the file of a case, whole or not at all, in place of an earlier one.

    Args:
        kind: "learn", "long", "headline", "speed" or "soundness" (what was tried so often, and never went wrong).
        case: lower case words with hyphens.
        command: what repeats it, such as "make learn CASE=demo-pendulum".
        bar: what must be reached; None where results are only reported.
        runs: at least one.
        controls: what they are compared with.
        extra: anything else of JSON's types, such as curves.
        threads: torch threads of each run; None takes those of this process.
        directory: of all results.

    Raises:
        ValueError: an argument is not as described.
    """
    result = Result(
        case=case,
        command=command,
        bar=bar,
        runs=runs,
        controls=controls,
        extra=extra or {},
        commit=machine.commit(),
        date=datetime.now(UTC).date().isoformat(),
        versions=machine.versions(),
        machine=machine.describe(threads),
    )
    text = json.dumps(result.to_json(), indent=2, allow_nan=False) + "\n"
    check_result(kind, case, json.loads(text))
    path = directory / kind / f"{case}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(text)
    os.replace(partial, path)
    return result


def read_results(kind: str, directory: Path = DIRECTORY) -> dict[str, Result]:
    """Returns the results of one kind by case, in alphabetical order.

    Raises:
        ValueError: a file is not what `write_result` writes.
    """
    results = {}
    for path in sorted((directory / kind).glob("*.json"), key=lambda path: path.stem):
        data = json.loads(path.read_text())
        check_result(kind, path.stem, data)
        results[path.stem] = _result_from_json(data)
    return results


def check_result(kind: str, case: str, data: Any) -> None:
    """Checks the contents of a file.

    Raises:
        ValueError: says what is wrong with which file.
    """
    where = f"{kind}/{case}.json"
    if kind not in KINDS or not _CASE.fullmatch(case):
        raise ValueError(f"{where}: kind must be one of {', '.join(KINDS)}, case be lower case words with hyphens")
    if not isinstance(data, dict) or {*data} - {"extra"} != {*_KEYS}:
        raise ValueError(f"{where}: must hold {', '.join(_KEYS)} (and extra), got {sorted(data)}")
    if data["case"] != case:
        raise ValueError(f"{where}: holds case {data['case']!r}")
    if not data["command"] or "/" in data["command"]:
        raise ValueError(f"{where}: command must be one that anybody can type, got {data['command']!r}")
    if not _COMMIT.fullmatch(data["commit"]):
        raise ValueError(f"{where}: commit must be 40 hexadecimal digits, got {data['commit']!r}")
    if {*data["versions"]} != {"python", *machine.DISTRIBUTIONS}:
        raise ValueError(f"{where}: versions are of {sorted(data['versions'])}")
    if {*data["machine"]} != {"cpu", "cores", "threads"}:
        raise ValueError(f"{where}: machine must hold cpu, cores, threads and no more, got {sorted(data['machine'])}")
    if not data["runs"]:
        raise ValueError(f"{where}: has no run")
    try:
        datetime.fromisoformat(data["date"])
        result = _result_from_json(data)
        passed = result.passed
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from error
    if data["passed"] is not passed:
        raise ValueError(f"{where}: passed is {data['passed']}, but the runs and the bar say {passed}")
    if data != result.to_json():
        raise ValueError(f"{where}: a field does not follow from the others; write results with write_result")


def _result_from_json(data: Mapping[str, Any]) -> Result:
    bar = data["bar"]
    if bar is not None:
        bar = Bar([Condition(**condition) for condition in bar["conditions"]], bar["runs_required"])
    return Result(
        **{key: data[key] for key in ("case", "command", "commit", "date", "versions", "machine")},
        bar=bar,
        runs=[Run(**run) for run in data["runs"]],
        controls=[
            Control(c["name"], [Run(**run) for run in c["runs"]], c["score"], c["note"]) for c in data["controls"]
        ],
        extra=data.get("extra", {}),
    )


def _run_to_json(run: Run) -> dict[str, Any]:
    data = asdict(run)
    if not run.figures:
        del data["figures"]
    return data
