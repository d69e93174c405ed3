"""`zoo plugins`, `zoo list` and `zoo info`: what is installed."""

from __future__ import annotations

import json
import textwrap
from typing import Annotated, Any

import gymnasium as gym
import typer

from zoo_core.cli import describe
from zoo_core.cli.output import AsJson, print_json, print_table
from zoo_core.errors import PluginLoadError, UnknownNameError, did_you_mean
from zoo_core.plugins import load_plugins

_WIDTH = 100  # characters of a paragraph


def plugins(as_json: AsJson = False) -> None:
    """Show the installed plugins, what each brings, and which are broken and why."""
    described = describe.describe_plugins()
    if as_json:
        print_json(described)
        return
    rows = [(p["name"], f"{p['distribution']} {p['version']}", ", ".join(p["provides"])) for p in described["plugins"]]
    print_table([("PLUGIN", "DISTRIBUTION", "PROVIDES"), *rows])
    for broken in described["broken"]:
        typer.echo("broken: " + " ".join(broken["cause"].split()))
    if described["disabled"]:
        typer.echo(f"disabled by ZOO_DISABLE_PLUGINS: {', '.join(described['disabled'])}")
    for name in described["unmatched"]:
        typer.echo(f"ZOO_DISABLE_PLUGINS disables no plugin {name}")


def list_(
    kind: Annotated[
        str | None,
        typer.Argument(metavar="[agents|models|planners|envs]", help="What to list; without it all but environments."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List agents, world models, planners or environments, a line each."""
    tables = {each: _entries(each) for each in ([_plural(kind)] if kind else describe.KINDS)}
    if as_json:
        print_json(tables)
        return
    for index, (each, entries) in enumerate(tables.items()):
        if index:
            typer.echo()
        print_table([_heads(each), *(_row(each, entry) for entry in entries)])
        if not entries:
            typer.echo(f"no installed plugin brings {each}")


def info(
    name: Annotated[str, typer.Argument(metavar="NAME", help="An agent, a world model, a planner or an environment.")],
    as_json: AsJson = False,
) -> None:
    """Show all about one agent, world model, planner or environment: its paper, spaces, settings and presets."""
    found = _look_up(name)
    if as_json:
        print_json({entry["kind"]: entry for entry in found})
        return
    for index, entry in enumerate(found):
        if index:
            typer.echo()
        _print_env(entry) if entry["kind"] == "env" else _print_component(entry)


def _plural(kind: str) -> str:
    known = (*describe.KINDS, "envs")
    for plural in known:
        if kind in (plural, plural.removesuffix("s")):
            return plural
    raise UnknownNameError(f"cannot list {kind!r}{did_you_mean(kind, known)}")


def _entries(plural: str) -> list[dict[str, Any]]:
    if plural != "envs":
        return [describe.describe_spec(spec) for spec in describe.component_specs(plural)]
    entries, failures = describe.describe_envs()
    for failure in failures:
        typer.echo(f"broken: {failure}", err=True)
    return entries


def _heads(plural: str) -> tuple[str, ...]:
    if plural == "envs":
        return ("ENVIRONMENT", "STEPS", "MODULE")
    return (describe.KINDS[plural].kind.upper(), "OBSERVATIONS", "ACTIONS", "PLUGIN", "SUMMARY")


def _row(plural: str, entry: dict[str, Any]) -> tuple[str, ...]:
    if plural == "envs":
        return (entry["id"], str(entry["max_episode_steps"] or "-"), entry["module"])
    observations, actions = (_names(entry[f"{what}_spaces"]) for what in ("observation", "action"))
    return (entry["id"], observations, actions, entry["plugin"], entry["summary"])


def _look_up(name: str) -> list[dict[str, Any]]:
    """Returns all that is called `name`, of whatever kind."""
    components = [spec for plural in describe.KINDS for spec in describe.component_specs(plural)]
    if found := [spec for spec in components if spec.id == name]:
        return [describe.describe_component(spec) for spec in found]
    for failure in load_plugins().failures:
        if failure.provides(name):
            raise PluginLoadError(f"{name!r} is not available: {failure}") from failure.error
    envs = [entry["id"] for entry in describe.describe_envs()[0]]
    if name in gym.registry or ":" in name:
        return [describe.describe_env(name)]
    known = [*(spec.id for spec in components), *envs]
    raise UnknownNameError(f"nothing is called {name!r}{did_you_mean(name, known)}")


def _print_component(entry: dict[str, Any]) -> None:
    typer.echo(f"{entry['kind']} {entry['id']}: {entry['summary']}\n")
    skipped = ("kind", "id", "summary", "settings", "presets")
    _print_facts({key: value for key, value in entry.items() if key not in skipped})
    typer.echo("\nno settings" if not entry["settings"] else "\nsettings, changed by --set name=value")
    for setting in entry["settings"]:
        default = "(required)" if setting["required"] else f"= {_setting(setting['default'])}"
        typer.echo(f"  {setting['name']}: {setting['type']} {default}")
        if setting["comment"]:
            typer.echo(textwrap.fill(setting["comment"], _WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6))
    if entry["presets"]:
        typer.echo("\npresets, chosen by --preset name")
    for preset, values in entry["presets"].items():
        typer.echo(f"  {preset}: " + ", ".join(f"{key}={_setting(value)}" for key, value in values.items()))


def _print_env(entry: dict[str, Any]) -> None:
    typer.echo(f"environment {entry['id']}\n")
    _print_facts({key: value for key, value in entry.items() if key not in ("kind", "id")})


def _print_facts(facts: dict[str, Any]) -> None:
    rows = [(key.replace("_", " "), _text(value)) for key, value in facts.items() if value not in (None, "", [])]
    print_table(rows, indent=2)


def _setting(value: Any) -> str:
    """Writes a value as `--set` takes it."""
    return json.dumps(value, ensure_ascii=False)


def _names(spaces: Any) -> str:
    return ", ".join(spaces) or "any"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return _names([_text(entry) for entry in value])
    return str(value)
