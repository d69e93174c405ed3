"""`zoo doctor`: what is installed, what is broken and why, and what would mend it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution, entry_points, metadata
from pathlib import Path
from typing import Annotated, Any

import typer

import zoo_core
from zoo_core.cli import describe
from zoo_core.cli.output import AsJson, print_json, print_table
from zoo_core.errors import UnknownNameError, did_you_mean
from zoo_core.plugins import LoadedPlugins, PluginFailure, PluginInfo, broken_references, env_failures, load_plugins
from zoo_core.plugins.diagnosis import Problem, conflicts, diagnose, installed_version, requirements
from zoo_core.plugins.environments import ENV_GROUP, registered_by
from zoo_core.plugins.loading import PLUGIN_GROUP, canonical, distribution_of, names_of

BROKEN = 1  # exit code, as of `pip check`; 2 stays for a mistake in the command
_CORE = "zoo-core"
_DISTRIBUTIONS = (_CORE, "gymnasium", "stable-baselines3", "torch", "numpy")


@dataclass
class Report:
    """What an examination found; a field each that `--json` prints."""

    versions: dict[str, str] = field(default_factory=dict)
    packages: list[dict[str, Any]] = field(default_factory=list)
    disabled: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def doctor(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="A plugin, its distribution, or what it brings; without it all of them."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Examine the installation: versions, plugins, what is broken and why, and what would mend it.

    Imports every class that the plugins name. The output serves as a bug report. Exits with 1 if something is broken.
    """
    report = examine(name)
    if as_json:
        print_json(asdict(report))
    else:
        _print(report, detailed=name is not None)
    return BROKEN if report.problems else 0


def examine(name: str | None = None) -> Report:
    """Examines everything, or one plugin and what it requires.

    Raises:
        UnknownNameError: Nothing installed has this name.
    """
    loaded = load_plugins(strict=False)
    plugins, failures = list(loaded.plugins), list(loaded.failures)
    envs = sorted(entry_points(group=ENV_GROUP), key=lambda point: point.name)
    if name is not None:
        plugins = [plugin for plugin in plugins if _is_called(name, plugin)]
        failures = [failure for failure in failures if _is_called(name, failure)]
        envs = [point for point in envs if canonical(name.partition("/")[0]) in names_of(point)]
        if not plugins and not failures and not envs and canonical(name) != _CORE:
            raise _unknown(name, loaded)
    broken_envs = [each for each in env_failures() if each.name in {point.name for point in envs}]
    report = Report(versions=_versions(), disabled=list(loaded.disabled))
    report.notes += [f"ZOO_DISABLE_PLUGINS disables no plugin {each}" for each in describe.unmatched(loaded)]
    _examine_torch(report)
    if name is None or canonical(name) == _CORE:
        report.packages.append(_describe_core())
    for plugin in plugins:
        broken = broken_references(plugin)
        report.problems += map(diagnose, broken)
        report.packages.append(_describe(plugin, [f"{spec.kind} {spec.id}" for spec in plugin.specs], bool(broken)))
    for failure in failures + broken_envs:
        report.problems.append(diagnose(failure))
        report.packages.append(_describe(failure, [], True))
    for point in envs:
        if point.name not in [each.name for each in broken_envs]:
            report.packages.append(_describe_envs(point))
    distributions = dict.fromkeys(package["distribution"] for package in report.packages)
    report.problems += [problem for each in distributions if installed_version(each) for problem in conflicts(each)]
    if name is None:
        _examine_machine(report)
    return report


def _is_called(name: str, plugin: PluginInfo | PluginFailure) -> bool:
    ids = plugin.ids if isinstance(plugin, PluginFailure) else tuple(spec.id for spec in plugin.specs)
    return canonical(name) in map(canonical, (plugin.name, plugin.distribution, *ids))


def _unknown(name: str, loaded: LoadedPlugins) -> UnknownNameError:
    points = [point for point in entry_points(group=PLUGIN_GROUP) if point.name in loaded.disabled]
    if any(canonical(name) in names_of(point) for point in points):
        return UnknownNameError(f"plugin {name!r} is left out: ZOO_DISABLE_PLUGINS={os.environ['ZOO_DISABLE_PLUGINS']}")
    found: tuple[PluginInfo | PluginFailure, ...] = (*loaded.plugins, *loaded.failures)
    known = [word for each in found for word in (each.name, each.distribution)]
    known += [spec.id for spec in loaded.registry] + [point.name for point in entry_points(group=ENV_GROUP)]
    return UnknownNameError(f"no plugin is called {name!r} or brings it{did_you_mean(name, known)}")


# -- facts -------------------------------------------------------------------------------------------------------------


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "executable": _short(sys.executable), "platform": platform.platform()}
    return found | {name: installed_version(name) or "not installed" for name in _DISTRIBUTIONS}


def _examine_torch(report: Report) -> None:
    try:
        import torch
    except Exception as error:
        remedy = "install a build for this machine: https://pytorch.org/get-started/locally"
        report.problems.append(Problem("torch", f"cannot be imported: {type(error).__name__}: {error}", remedy))
        return
    built_for = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPUs"
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    report.versions["devices"] = f"{', '.join(names) or 'cpu'}, torch is built for {built_for}"


def _describe_core() -> dict[str, Any]:
    """Describes zoo-core as plugins are; what it brings are its extras."""
    extras = (metadata(_CORE).get_all("Provides-Extra") or ()) if installed_version(_CORE) else ()
    return {
        "name": _CORE,
        "distribution": _CORE,
        "version": zoo_core.__version__,
        "location": _short(str(Path(zoo_core.__file__ or "").parent)),
        "broken": False,
        "provides": [f"extra {extra}: {_extra(extra)}" for extra in extras],
        "requires": _requires(_CORE),
    }


def _extra(name: str) -> str:
    """Returns the versions of what an extra requires."""
    base = {requirement.name for requirement, _ in requirements(_CORE)}
    found = {each.name: has for each, has in requirements(_CORE, extra=name) if each.name not in base}
    return ", ".join(f"{each} {has or 'is not installed'}" for each, has in found.items())


def _describe(plugin: PluginInfo | PluginFailure, provides: list[str], broken: bool) -> dict[str, Any]:
    location = plugin.location if isinstance(plugin, PluginInfo) else _location(plugin.distribution)
    return {
        "name": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "location": _short(location),
        "broken": broken,
        "provides": provides,
        "requires": _requires(plugin.distribution),
    }


def _describe_envs(point: EntryPoint) -> dict[str, Any]:
    name, version = distribution_of(point)
    return {
        "name": point.name,
        "distribution": name,
        "version": version,
        "location": _short(str(Path(sys.modules[point.module].__file__ or "").parent)),
        "broken": False,
        "provides": [f"env {env_id}" for env_id in registered_by(point)],
        "requires": _requires(name),
    }


def _requires(name: str) -> dict[str, str | None]:
    try:
        return {str(requirement): installed for requirement, installed in requirements(name)}
    except (PackageNotFoundError, ValueError):  # `conflicts` names what cannot be read
        return {}


def _location(name: str) -> str:
    try:
        return str(distribution(name).locate_file(""))
    except PackageNotFoundError:
        return "?"


def _short(path: str) -> str:
    """Returns a path with ~ for the home directory, which need not be in a bug report."""
    home = str(Path.home())
    return f"~{path[len(home) :]}" if len(home) > 1 and path.startswith(home + os.sep) else path


def _examine_machine(report: Report) -> None:
    runs = Path("runs").absolute()
    there = next(path for path in (runs, *runs.parents) if path.exists())
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        report.notes.append(f"runs go to {_short(str(runs))}: {shutil.disk_usage(there).free / 1e9:.0f} GB free")
    else:
        remedy = "start zoo in a directory of yours, or name one with --out"
        report.problems.append(Problem("runs", f"no file can be written to {_short(str(runs))}", remedy))
    display = {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys() or sys.platform != "linux"
    report.notes.append("there is a display" if display else "no display: classic control is drawn into memory")
    if installed_version("mujoco") and not display and "MUJOCO_GL" not in os.environ:
        report.notes.append("to draw MuJoCo's environments without a display, set MUJOCO_GL=egl")


# -- text --------------------------------------------------------------------------------------------------------------


def _print(report: Report, *, detailed: bool) -> None:
    print_table(list(report.versions.items()))
    typer.echo()
    rows = [_row(package) for package in report.packages]
    print_table([("PLUGIN", "DISTRIBUTION", "STATE", "LOCATION"), *rows])
    if report.disabled:
        typer.echo(f"disabled by ZOO_DISABLE_PLUGINS: {', '.join(report.disabled)}")
    for package in report.packages if detailed else ():
        _print_list(f"{package['name']} brings", package["provides"])
        lines = [
            f"{requirement}: {installed or 'not installed'}" for requirement, installed in package["requires"].items()
        ]
        _print_list(f"{package['distribution']} requires, and has", lines)
    _print_list("notes", report.notes)
    typer.echo()
    if not report.problems:
        typer.echo("no problem found")
    for problem in report.problems:
        typer.echo(f"broken: {problem.what}: {problem.cause}\n  to mend it: {problem.remedy}")


def _row(package: dict[str, Any]) -> tuple[str, ...]:
    state = "broken" if package["broken"] else "ok"
    return package["name"], f"{package['distribution']} {package['version']}", state, package["location"]


def _print_list(title: str, lines: Iterable[str]) -> None:
    lines = list(lines)
    if lines:
        typer.echo(f"\n{title}")
    for line in lines:
        typer.echo(f"  {line}")
