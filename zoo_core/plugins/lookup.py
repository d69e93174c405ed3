"""From a name to what is registered under it, and from a class back to its name."""

from __future__ import annotations

import re
from typing import Any, Literal, overload

from zoo_core.errors import PluginLoadError, UnknownNameError, did_you_mean
from zoo_core.plugins.loading import load_object, load_plugins
from zoo_core.plugins.spec import AgentSpec, AnySpec, CommandSpec, PlannerSpec, Registry, Spec, WorldModelSpec

Kind = Literal["agent", "model", "planner", "command"]
_KINDS: dict[str, type[Spec]] = {kind.kind: kind for kind in (AgentSpec, WorldModelSpec, PlannerSpec, CommandSpec)}

_HOW_TO_INSTALL = (
    "the zoo's own plugins are in its repository: in a clone of it, pip install -c constraints.txt . ./plugins/NAME"
)


def registry() -> Registry:
    """Returns the registry of all plugins that work."""
    return load_plugins().registry


@overload
def specs(kind: Literal["agent"]) -> tuple[AgentSpec, ...]: ...
@overload
def specs(kind: Literal["model"]) -> tuple[WorldModelSpec, ...]: ...
@overload
def specs(kind: Literal["planner"]) -> tuple[PlannerSpec, ...]: ...
@overload
def specs(kind: Literal["command"]) -> tuple[CommandSpec, ...]: ...
def specs(kind: str) -> tuple[Spec, ...]:
    """Returns all specs of a kind ("agent", "model", "planner" or "command"), sorted by id."""
    return registry().all(_kind(kind))


def agent_spec(id: str) -> AgentSpec:
    """Returns the agent registered as `id`.

    Raises:
        UnknownNameError: There is none; the message has the nearest name and the plugins that failed to load.
        PluginLoadError: The plugin that would provide it failed to load.
    """
    return _find(AgentSpec, id)


def model_spec(id: str) -> WorldModelSpec:
    """Returns the world model registered as `id`; raises as `agent_spec` does."""
    return _find(WorldModelSpec, id)


def planner_spec(id: str) -> PlannerSpec:
    """Returns the planner registered as `id`; raises as `agent_spec` does."""
    return _find(PlannerSpec, id)


def command_spec(id: str) -> CommandSpec:
    """Returns the command registered as `id`; raises as `agent_spec` does."""
    return _find(CommandSpec, id)


def spec_of(cls: type, kind: Kind) -> Spec | None:
    """Returns the spec that a class is registered under, None if there is none.

    Only specs of the class's own top-level package are loaded to compare.
    """
    for spec in _specs_of_package(kind, cls.__module__):
        if load_object(spec.entry_point) is cls:
            return spec
    return None


def find_class(kind: Kind, reference: str) -> Any:
    """Returns the registered class that a file names as `"module:Class"`; imports nothing else.

    Raises:
        UnknownNameError: No installed plugin registers such a class.
        PluginLoadError: A plugin of that package is broken.
    """
    candidates = _specs_of_package(kind, reference.partition(":")[0])
    for spec in sorted(candidates, key=lambda spec: spec.entry_point != reference):
        found = load_object(spec.entry_point)
        if reference in (spec.entry_point, f"{found.__module__}:{found.__qualname__}"):
            return found
    raise UnknownNameError(
        f"no plugin registers the {kind} class {reference!r}: install the one that has it{_failed()}; {_HOW_TO_INSTALL}"
    )


def _find(spec_class: type[AnySpec], id: str) -> AnySpec:
    loaded = load_plugins()
    if spec := loaded.registry.get(spec_class, id):
        return spec
    for failure in loaded.failures:
        if failure.provides(id):
            raise PluginLoadError(f"{spec_class.kind} {id!r} is not available: {failure}") from failure.error
    known = [spec.id for spec in loaded.registry.all(spec_class)]
    hint = did_you_mean(id, known)
    install = "" if "did you mean" in hint else f"; {_HOW_TO_INSTALL}"
    raise UnknownNameError(f"unknown {spec_class.kind} {id!r}{hint}{_failed()}{install}")


def _specs_of_package(kind: Kind, module: str) -> list[Spec]:
    package = module.partition(".")[0]
    return [spec for spec in registry().all(_kind(kind)) if re.split("[.:]", spec.entry_point)[0] == package]


def _failed() -> str:
    loaded = load_plugins()
    notes = [str(failure) for failure in loaded.failures]
    if loaded.disabled:
        notes.append(f"ZOO_DISABLE_PLUGINS leaves out {', '.join(loaded.disabled)}")
    return "".join(f" [{note}]" for note in notes)


def _kind(kind: str) -> type[Spec]:
    if kind not in _KINDS:
        raise ValueError(f"unknown kind {kind!r}{did_you_mean(kind, _KINDS)}")
    return _KINDS[kind]
