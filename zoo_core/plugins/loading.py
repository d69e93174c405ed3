"""Finds and loads the installed plugins, once in a process; the rest works where one is broken.

Environment variables: `ZOO_DISABLE_PLUGINS` (a comma-separated list of entry-point or distribution names, or "all";
case, "-" and "_" make no difference) and `ZOO_STRICT_PLUGINS=1` (broken plugins raise instead; every class that a spec
names is imported to see that it is there, which is slower).
"""

from __future__ import annotations

import importlib
import os
import re
import threading
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from zoo_core.errors import PluginLoadError, ZooError
from zoo_core.plugins.spec import Registry, Spec

ZOO_API = 1  # what a plugin's own ZOO_API must equal; goes up when old plugins would break
PLUGIN_GROUP = "zoo_core.plugins"

hookspec = pluggy.HookspecMarker("zoo_core")
hookimpl = pluggy.HookimplMarker("zoo_core")


class ApiMismatch(PluginLoadError):
    """A plugin is written for another version of the plugin API.

    Attributes:
        upgrade: The distribution that is too old.
    """

    def __init__(self, version: int, plugin: str) -> None:
        self.upgrade = "zoo-core" if version > ZOO_API else plugin
        super().__init__(f"it is written for plugin API {version}, this zoo-core has {ZOO_API}: upgrade {self.upgrade}")


class _Hooks:
    @hookspec
    def zoo_register(self, registry: Registry) -> None:
        """Registers what the plugin brings; imports nothing heavy."""


@dataclass(frozen=True)
class PluginInfo:
    """A plugin that works: entry-point name, distribution, import module, its specs, and where it lies."""

    name: str
    distribution: str
    version: str
    module: str
    specs: tuple[Spec, ...]
    location: str


@dataclass(frozen=True)
class PluginFailure:
    """A plugin that does not, or a package of environments: why, and the ids that it had registered before."""

    name: str
    distribution: str
    version: str
    error: Exception
    ids: tuple[str, ...] = ()
    what: str = "plugin"

    def __str__(self) -> str:
        return f"{self.what} {self.name!r} ({self.distribution} {self.version}) failed to load: {self.cause}"

    @property
    def cause(self) -> str:
        """What went wrong, with the type of a foreign error."""
        cause = str(self.error) or "no message"
        return cause if isinstance(self.error, ZooError) else f"{type(self.error).__name__}: {cause}"

    def provides(self, id: str) -> bool:
        """Says whether `id` would come from here: it was registered, or is the plugin's name, or `name-x`."""
        return id in self.ids or id == self.name or id.startswith(f"{self.name}-")


@dataclass(frozen=True)
class LoadedPlugins:
    """What loading found.

    `disabled` are the entry points that ZOO_DISABLE_PLUGINS left out, `unmatched` the names in it that no plugin has.
    """

    registry: Registry
    plugins: tuple[PluginInfo, ...]
    failures: tuple[PluginFailure, ...]
    disabled: tuple[str, ...]
    unmatched: tuple[str, ...]


_loaded: LoadedPlugins | None = None
_sound: LoadedPlugins | None = None  # what strict loading was content with
_loading = False
_lock = threading.RLock()  # the thread that loads may enter again, and is told not to


def load_plugins(reload: bool = False, *, strict: bool | None = None) -> LoadedPlugins:
    """Loads all installed plugins, sorted by entry-point name, and remembers the outcome for the process.

    Args:
        reload: Walk the entry points again; modules that are already imported are not imported anew.
        strict: Raise if one is broken, whenever it was loaded; None for what ZOO_STRICT_PLUGINS says.

    Raises:
        PluginLoadError: Plugins are broken and loading is strict (all are named), or a plugin asks for the
            registry while it loads.
    """
    global _loaded, _loading, _sound
    with _lock:
        if _loading:
            raise PluginLoadError("a plugin asks for the registry while plugins are loaded; do so after import")
        if _loaded is None or reload:
            _loading = True
            try:
                importlib.invalidate_caches()
                _loaded = _load_all()
            finally:
                _loading = False
        strict = os.environ.get("ZOO_STRICT_PLUGINS") == "1" if strict is None else strict
        if strict and _loaded is not _sound:
            if failures := _all_failures(_loaded):
                raise PluginLoadError("; ".join(map(str, failures))) from failures[0].error
            _sound = _loaded
        return _loaded


def load_object(reference: str) -> Any:
    """Imports what a spec names as `"module:Class"`.

    Raises:
        PluginLoadError: The module cannot be imported, or has no such attribute.
    """
    module, _, name = reference.partition(":")
    try:
        return getattr(import_guarded(module), name)
    except Exception as error:
        specs = _loaded.registry if _loaded else Registry()
        owners = [specs.owner_of(spec) for spec in specs if reference in spec.references]
        where = f" (declared by {owners[0]})" if owners else ""
        cause = error if isinstance(error, PluginLoadError) else f"{type(error).__name__}: {error}"
        raise PluginLoadError(f"cannot load {reference}{where}: {cause}") from error


def broken_references(plugin: PluginInfo) -> tuple[PluginFailure, ...]:
    """Imports every class that the specs of a plugin name, and returns a failure for each cause that some are not."""
    failures: dict[str, PluginFailure] = {}
    for reference in dict.fromkeys(reference for spec in plugin.specs for reference in spec.references):
        try:
            load_object(reference)
        except PluginLoadError as error:
            failure = PluginFailure(plugin.name, plugin.distribution, plugin.version, error)
            failures.setdefault(repr(error.__cause__), failure)
    return tuple(failures.values())


def import_guarded(module: str) -> ModuleType:
    """Imports a module that others wrote; `sys.exit` in it becomes an error like any other.

    Raises:
        Exception: Whatever the import raises, a PluginLoadError for SystemExit.
    """
    try:
        return importlib.import_module(module)
    except SystemExit as error:
        raise PluginLoadError(f"importing {module} calls sys.exit({error.code!r})") from error


def _load_all() -> LoadedPlugins:
    registry = Registry("zoo-core")
    plugins, failures, disabled = [], [], []
    asked = {canonical(name): name for name in os.environ.get("ZOO_DISABLE_PLUGINS", "").split(",") if name.strip()}
    unmatched = {name: said.strip() for name, said in asked.items() if name != "all"}
    for point in sorted(entry_points(group=PLUGIN_GROUP), key=lambda point: point.name):
        distribution, version = distribution_of(point)
        names = names_of(point)
        if "all" in asked or names & asked.keys():
            disabled.append(point.name)
            for name in names:
                unmatched.pop(name, None)
            continue
        staged = Registry(f"{distribution} {version}")
        try:
            module = _load_one(point, staged)
            registry.merge(staged)
        except Exception as error:
            ids = tuple(spec.id for spec in staged)
            failures.append(PluginFailure(point.name, distribution, version, error, ids))
        else:
            location = str(Path(module.__file__ or "").parent)
            plugins.append(PluginInfo(point.name, distribution, version, point.module, tuple(staged), location))
    return LoadedPlugins(registry, tuple(plugins), tuple(failures), tuple(disabled), tuple(unmatched.values()))


def _all_failures(loaded: LoadedPlugins) -> list[PluginFailure]:
    broken = (failure for plugin in loaded.plugins for failure in broken_references(plugin))
    return [*loaded.failures, *broken]


def _load_one(point: EntryPoint, staged: Registry) -> ModuleType:
    module = import_guarded(point.module)
    _check_api(module, staged.owner)
    manager = pluggy.PluginManager("zoo_core")
    manager.add_hookspecs(_Hooks)
    try:
        manager.register(module)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise PluginLoadError(f"{error}; the hook is zoo_register(registry)") from error
    if not manager.hook.zoo_register.get_hookimpls():
        raise PluginLoadError(f"{point.module} has no hook: decorate zoo_register(registry) with @zoo_core.hookimpl")
    try:
        manager.hook.zoo_register(registry=staged)
    except SystemExit as error:
        raise PluginLoadError(f"zoo_register calls sys.exit({error.code!r})") from error
    return module


def _check_api(module: ModuleType, owner: str) -> None:
    version: Any = getattr(module, "ZOO_API", None)
    if version == ZOO_API:
        return
    if not isinstance(version, int):
        raise PluginLoadError(f"{module.__name__} must say which plugin API it is written for: ZOO_API = {ZOO_API}")
    raise ApiMismatch(version, owner.rpartition(" ")[0])


def distribution_of(point: EntryPoint) -> tuple[str, str]:
    """Returns name and version of the distribution that declares an entry point."""
    return (point.dist.name, point.dist.version) if point.dist else ("unknown distribution", "?")


def names_of(point: EntryPoint) -> set[str]:
    """Returns what an entry point and its distribution are called, canonically."""
    return {canonical(point.name), canonical(distribution_of(point)[0])}


def canonical(name: str) -> str:
    """Returns the one spelling of a distribution's name (PEP 503), without space around it."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()
