"""Makes the tables of the READMEs from result files and from the registry: no number in them is typed.

`python -m benchmarks.tables` writes them between `<!-- table:NAME -->` and `<!-- /table -->`, `--check` only says which
are out of date.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from importlib.metadata import metadata
from pathlib import Path
from statistics import mean

from benchmarks.machine import ROOT
from benchmarks.results import Bar, read_results
from zoo_core.plugins import AgentSpec, PlannerSpec, Spec, WorldModelSpec, load_plugins

READMES = ("README.md", "CONTRIBUTING.md", "envs/README.md", "plugins/*/README.md")
_TABLE = re.compile(r"(<!-- table:(?P<name>[a-z-]+) -->\n).*?(<!-- /table -->)", re.DOTALL)
_IN_FILES_ONLY = ("_us", "_kills")  # ends of names: times in microseconds, kills of one agent
_MANY = 30  # measures of a case: of more than that, only those with a bar are shown
_SIGNS = {">=": "≥", "<=": "≤"}


def plugins_table() -> str:
    """What each plugin of this repository brings, as its registration says."""
    rows = []
    for plugin in load_plugins().plugins:
        if (ROOT / "plugins" / plugin.distribution).is_dir():
            name = f"[`{plugin.distribution}`](plugins/{plugin.distribution})"
            brought = [_ids(plugin.specs, kind) for kind in (AgentSpec, WorldModelSpec, PlannerSpec)]
            rows.append((name, *brought, metadata(plugin.distribution)["Summary"]))
    return _markdown(("plugin", "agents", "world models", "planners", "what it is"), rows)


def learn_table(agent: str = "", root: str = "") -> str:
    """What agents reached in the real environment, and what else reaches with as many real steps.

    Args:
        agent: whose cases; those of all by default.
        root: way from the README to the root of the repository.
    """
    rows = []
    results = [(kind, *each) for kind in ("learn", "long", "headline") for each in read_results(kind).items()]
    for kind, case, result in (each for each in results if each[1].startswith(agent)):
        controls = "; ".join(f"{control.name} {_number(control.score)}" for control in result.controls)
        bar = _limits(result.bar).get("score", "–")
        worst = max if bar.startswith(_SIGNS["<="]) else min
        rows.append(
            (
                f"[{result.extra.get('task', case)}]({root}benchmarks/results/{kind}/{case}.json)",
                f"{max(run.env_steps for run in result.runs):,}",
                f"**{_number(result.score)}** ({_number(worst(run.score for run in result.runs))})",
                str(len(result.runs)),
                bar,
                controls,
            )
        )
    return _markdown(("task", "real steps", "mean score (worst seed)", "seeds", "bar", "beside it"), rows)


def speed_table() -> str:
    """What speed cases measured with one thread, and what they had to; times in microseconds stay in the files."""
    return _measures_table("speed")


def soundness_table() -> str:
    """What was tried how often, and how often it went wrong."""
    return _measures_table("soundness")


def _measures_table(kind: str) -> str:
    rows = []
    for case, result in read_results(kind).items():
        run, limits = result.runs[0], _limits(result.bar)
        measured = {"score": run.score} if not run.figures else run.figures
        if len(measured) > _MANY:
            measured = {name: value for name, value in measured.items() if name in limits}
        lines = [
            (name.replace("_", " "), _number(value), limits.get(name, "–"))
            for name, value in measured.items()
            if not name.endswith(_IN_FILES_ONLY)
        ]
        lines += [(control.name, _number(control.score), "–") for control in result.controls if not control.runs]
        links = [f"[{case}](benchmarks/results/{kind}/{case}.json)"] + [""] * (len(lines) - 1)
        rows += [(link, *line) for link, line in zip(links, lines, strict=True)]
    return _markdown(("case", "measure", "value", "bar"), rows)


def trees_table() -> str:
    """How near each tree of `mcts-uct` comes to value iteration on slippery ice, by the number of simulations."""
    result = read_results("learn")["mcts-uct-frozen-lake"]
    first = ("`chance`", result.runs)
    others = [(f"`{control.name.removesuffix(' tree')}`", control.runs) for control in result.controls if control.runs]
    budgets = [name.removeprefix("worth_") for name in result.runs[0].figures if name.startswith("worth_")]
    rows = []
    for name, runs in (first, *others):
        means = {figure: mean([run.figures[figure] for run in runs]) for figure in runs[0].figures}
        cells = [f"{means[f'worth_{num}']:.0%}, {means[f'value_error_{num}']:.3f}" for num in budgets]
        rows.append((name, *cells))
    return _markdown(("`tree`", *(f"{int(num):,} simulations" for num in budgets)), rows)


def games_table() -> str:
    """What was played of each game to prove its rules, and how fast."""
    rows = []
    for name, counted in read_results("learn")["games-proof"].extra["games"].items():
        agree = "all" if not counted["differences"] else f"not in {len(counted['differences'])} lots of games"
        moves = f"{counted['plies'] + counted['clone_plies']:,}"
        speeds = (f"{counted[speed]:,}" for speed in ("plies_per_s", "env_plies_per_s"))
        rows.append((f"`{name}`", moves, f"{counted['illegal']:,}", agree, *speeds))
    return _markdown(("game", "moves", "illegal ones", "agree", "moves a second", "in the environment"), rows)


def alphazero_table() -> str:
    """What AlphaZero and the controls beside it came to in each game, by the network alone and by its search."""
    rows = []
    results = [(kind, *each) for kind in ("learn", "long", "headline") for each in read_results(kind).items()]
    for kind, case, result in (each for each in results if each[1].startswith("alphazero-")):
        judged, _, game = result.extra["task"].partition(" on ")
        link = f"[{game}](../../benchmarks/results/{kind}/{case}.json)"
        players = [(f"**{judged}**", result.runs)]
        players += [(control.name, control.runs) for control in result.controls if control.runs]
        for player, runs in players:
            means = {figure: mean(run.figures[figure] for run in runs) for figure in runs[0].figures}
            means["network" if "search" in means else "search"] = mean(run.score for run in runs)
            shares = (means.get(figure) for figure in ("network", "search", "losses_second", "error_begin_hard"))
            cells = ("–" if share is None else f"{share:.1%}" for share in shares)
            rows.append((link, player, str(len(runs)), f"{max(run.env_steps for run in runs):,}", *cells))
            link = ""
    header = ("game", "who", "seeds", "moves", "network alone", "search", "lost as second", "errs in hard positions")
    return _markdown(header, rows)


TABLES: dict[str, Callable[[], str]] = {
    "plugins": plugins_table,
    "learn": learn_table,
    "speed": speed_table,
    "soundness": soundness_table,
    "trees": trees_table,
    "games": games_table,
    "alphazero": alphazero_table,
    **{agent: partial(learn_table, f"{agent}-", "../../") for agent in ("mbpo", "mpc", "muzero", "pets")},
}


def update(text: str) -> str:
    """Returns a README with all its tables made anew.

    Raises:
        ValueError: it asks for a table that does not exist.
    """

    def fill(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in TABLES:
            raise ValueError(f"there is no table {name!r}; there are {', '.join(TABLES)}")
        return f"{match[1]}{TABLES[name]()}{match[3]}"

    return _TABLE.sub(fill, text)


def readmes() -> list[Path]:
    """Returns the files that may hold tables."""
    return sorted(path for pattern in READMES for path in ROOT.glob(pattern))


def main(arguments: Sequence[str]) -> int:
    """Writes all tables; with `--check` writes none and returns 1 if one is out of date."""
    check = "--check" in arguments
    stale = []
    for path in readmes():
        text = path.read_text()
        if (fresh := update(text)) != text:
            stale.append(str(path.relative_to(ROOT)))
            if not check:
                path.write_text(fresh)
    if check and stale:
        print(f"out of date: {', '.join(stale)}; run python -m benchmarks.tables", file=sys.stderr)
        return 1
    return 0


def _ids(specs: Iterable[Spec], kind: type[Spec]) -> str:
    return " ".join(f"`{spec.id}`" for spec in specs if isinstance(spec, kind)) or "–"


def _limits(bar: Bar | None) -> dict[str, str]:
    """Returns what each metric of a bar must be, such as "≥ -180"."""
    conditions = bar.conditions if bar else ()
    return {condition.metric: f"{_SIGNS[condition.op]} {_number(condition.value)}" for condition in conditions}


def _number(value: float) -> str:
    """Returns a number to one decimal from 10 on, whole from 1,000 on or if it is, else with three digits."""
    if abs(value) >= 1_000 or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def _markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
