"""Environments by id, from packages that are imported when one of theirs is asked for.

A package of environments declares an entry point in the group `zoo_core.envs`, its namespace and the module
that registers them with Gymnasium: `zoo_envs = "zoo_envs"`. Ids that others know without a namespace, such as those of
PettingZoo's games, it may register without one, if its namespace is the name of the package.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import gymnasium as gym

from zoo_core.errors import ConfigError, PluginLoadError, UnknownNameError, ZooError, did_you_mean
from zoo_core.plugins.loading import PluginFailure, distribution_of, import_guarded

ENV_GROUP = "zoo_core.envs"


def env_namespaces() -> tuple[str, ...]:
    """Returns the namespaces of the installed environment packages, sorted."""
    return tuple(sorted({point.name for point in entry_points(group=ENV_GROUP)}))


def env_failures() -> tuple[PluginFailure, ...]:
    """Imports every installed environment package, and returns those that cannot be."""
    failures = []
    for point in sorted(entry_points(group=ENV_GROUP), key=lambda point: point.name):
        try:
            import_guarded(point.module)
        except Exception as error:
            failures.append(PluginFailure(point.name, *distribution_of(point), error, what="environment package"))
    return tuple(failures)


def import_env_namespace(env_id: str) -> None:
    """Imports the package that registers `env_id`, so that `gymnasium.make` finds it.

    Args:
        env_id: `"namespace/Name-v0"` of an installed environment package, or `"module:Name-v0"`. For an id without
            either that Gymnasium does not know, all packages are imported.

    Raises:
        PluginLoadError: The package or module that the id names cannot be imported.
    """
    module, colon, name = env_id.rpartition(":")
    namespace, slash, _ = name.partition("/")
    if colon:
        _import_for(env_id, module, f"module {module!r}")
    elif slash:
        for point in entry_points(group=ENV_GROUP, name=namespace):
            _import_for(env_id, point.module, " ".join(distribution_of(point)))
    elif env_id not in gym.registry:
        env_failures()  # imports those that can be


def registered_by(point: EntryPoint) -> list[str]:
    """Returns the ids of the environments that an imported package has registered."""
    package = point.module.partition(".")[0]
    own = [spec for spec in gym.registry.values() if spec.namespace == point.name]
    if point.name == package:
        bare = [spec for spec in gym.registry.values() if spec.namespace is None]
        own += [spec for spec in bare if str(spec.entry_point).startswith((f"{package}.", f"{package}:"))]
    return [spec.id for spec in own]


def make_env(env_id: str, **kwargs: Any) -> gym.Env[Any, Any]:
    """Makes an environment by id, as `gymnasium.make` does, after importing its package.

    Raises:
        UnknownNameError: No such environment; the message has the nearest id.
        ConfigError: The environment does not take these arguments.
        PluginLoadError: The environment's package cannot be imported.
        ZooError: The environment cannot be made for another reason, such as a missing dependency.
    """
    import_env_namespace(env_id)
    if kwargs.get("render_mode") == "rgb_array":
        _draw_without_a_display()
    try:
        return gym.make(env_id, **kwargs)
    except (gym.error.Error, ImportError) as error:
        if env_id.rpartition(":")[2] in gym.registry:
            raise ZooError(f"environment {env_id!r} cannot be made: {error}") from error
        raise UnknownNameError(f"unknown environment {env_id!r}{_nearest(env_id)}") from error
    except TypeError as error:
        if "was raised from the environment creator" not in str(error):
            raise
        raise ConfigError(f"environment {env_id!r}: {error.__cause__}") from error


def _draw_without_a_display() -> None:
    """Lets SDL draw into memory on a Linux machine without a display, for which it would look, and complain."""
    if sys.platform == "linux" and not {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys():
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")


def _import_for(env_id: str, module: str, where: str) -> None:
    try:
        import_guarded(module)
    except Exception as error:
        raise PluginLoadError(
            f"environment {env_id!r}: {where} cannot be imported: {type(error).__name__}: {error}"
        ) from error


def _nearest(env_id: str) -> str:
    name = env_id.rpartition(":")[2]
    namespace, slash, _ = name.partition("/")
    if slash and not any(spec.namespace == namespace for spec in gym.registry.values()):
        return f": no installed package has the namespace {namespace!r}"
    env_failures()  # imports those that can be
    return did_you_mean(name, gym.registry)
