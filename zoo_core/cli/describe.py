"""What is known of the installed components, environments and configs, as plain data."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import io
import textwrap
import tokenize
from typing import Any

import gymnasium as gym

from zoo_core.config import config_to_json
from zoo_core.errors import ConfigError, PluginLoadError, did_you_mean
from zoo_core.plugins import (
    AgentSpec,
    ComponentSpec,
    LoadedPlugins,
    PlannerSpec,
    WorldModelSpec,
    env_namespaces,
    import_env_namespace,
    load_object,
    load_plugins,
    make_env,
    registry,
)

KINDS: dict[str, type[ComponentSpec]] = {"agents": AgentSpec, "models": WorldModelSpec, "planners": PlannerSpec}


def component_specs(plural: str) -> tuple[ComponentSpec, ...]:
    """Returns all specs of "agents", "models" or "planners", sorted by id."""
    return registry().all(KINDS[plural])


def describe_plugins() -> dict[str, list[Any]]:
    """Returns the plugins that work, those that do not, those that are disabled, and names to disable that none has."""
    loaded = load_plugins()
    working = [
        {
            "name": plugin.name,
            "distribution": plugin.distribution,
            "version": plugin.version,
            "location": plugin.location,
            "provides": [f"{spec.kind} {spec.id}" for spec in plugin.specs],
        }
        for plugin in loaded.plugins
    ]
    broken = [
        {
            "name": failure.name,
            "distribution": failure.distribution,
            "version": failure.version,
            "cause": str(failure),
        }
        for failure in loaded.failures
    ]
    return {
        "plugins": working,
        "broken": broken,
        "disabled": list(loaded.disabled),
        "unmatched": unmatched(loaded),
    }


def unmatched(loaded: LoadedPlugins) -> list[str]:
    """Says which names in ZOO_DISABLE_PLUGINS no plugin has, and what each may have meant."""
    known = [name for plugin in loaded.plugins for name in (plugin.name, plugin.distribution)]
    known += [name for failure in loaded.failures for name in (failure.name, failure.distribution)]
    return [f"{name!r}{did_you_mean(name, known)}" for name in loaded.unmatched]


def describe_spec(spec: ComponentSpec) -> dict[str, Any]:
    """Returns what a spec says, and which plugin it came from; its classes are not imported."""
    return {"kind": spec.kind, **dataclasses.asdict(spec), "plugin": registry().owner_of(spec)}


def describe_component(spec: ComponentSpec) -> dict[str, Any]:
    """Returns what a spec says, its settings with types, defaults and comments, and its presets."""
    config_class = load_object(spec.config) if spec.config else None
    return {
        **describe_spec(spec),
        "settings": [] if config_class is None else describe_config(config_class),
        "presets": {name: _plain(dict(preset)) for name, preset in getattr(config_class, "presets", {}).items()},
    }


def describe_config(config_class: type) -> list[dict[str, Any]]:
    """Returns the fields of a config class: name, type, default, whether it must be given, and its comment."""
    comments = field_comments(config_class)
    described = []
    for field in dataclasses.fields(config_class):
        if not field.init:
            continue
        default: Any = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        required = default is dataclasses.MISSING
        described.append(
            {
                "name": field.name,
                "type": field.type if isinstance(field.type, str) else inspect.formatannotation(field.type),
                "default": None if required else _plain(default),
                "required": required,
                "comment": comments.get(field.name, ""),
            }
        )
    return described


def describe_envs() -> tuple[list[dict[str, Any]], list[str]]:
    """Returns the newest version of every environment, and why packages of environments cannot be imported."""
    failures = []
    for namespace in env_namespaces():
        try:
            import_env_namespace(f"{namespace}/")
        except PluginLoadError as error:
            failures.append(str(error))
    newest: dict[tuple[str | None, str], Any] = {}
    for spec in gym.registry.values():
        key = (spec.namespace, spec.name)
        if key not in newest or (spec.version or 0) > (newest[key].version or 0):
            newest[key] = spec
    return [_describe_env_spec(newest[key]) for key in sorted(newest, key=lambda k: (k[0] or "", k[1]))], failures


def describe_env(env_id: str) -> dict[str, Any]:
    """Returns the spaces of an environment, and which agents and models take them.

    Raises:
        UnknownNameError: No such environment.
    """
    env = make_env(env_id)
    try:
        assert env.spec is not None, "made by id"
        spaces = env.observation_space, env.action_space
        takers = {
            plural: [spec.id for spec in component_specs(plural) if spec.supports(*spaces)]
            for plural in ("agents", "models")
        }
        return {
            "kind": "env",
            **_describe_env_spec(env.spec),
            "observation_space": str(env.observation_space),
            "action_space": str(env.action_space),
            "reward_threshold": env.spec.reward_threshold,
            "render_modes": list(env.metadata.get("render_modes") or []),
            **takers,
        }
    finally:
        env.close()


def field_comments(config_class: type) -> dict[str, str]:
    """Returns the comment of each field of a dataclass, read from its source: those beside it, else above."""
    comments: dict[str, str] = {}
    for cls in reversed(config_class.__mro__):
        if not dataclasses.is_dataclass(cls):
            continue
        try:
            source = textwrap.dedent(inspect.getsource(cls))
        except (OSError, TypeError):  # made at run time
            continue
        comments |= _comments_in(source)
    return comments


def _comments_in(source: str) -> dict[str, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    at = {token.start[0]: token for token in tokens if token.type == tokenize.COMMENT}
    own_line = {line for line, token in at.items() if token.line.lstrip().startswith("#")}
    (definition,) = ast.parse(source).body
    assert isinstance(definition, ast.ClassDef)
    found = {}
    for node in definition.body:
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)):
            continue
        lines = [line for line in range(node.lineno, (node.end_lineno or node.lineno) + 1) if line in at]
        if lines:  # a comment may go on below, in the same column
            while (below := lines[-1] + 1) in own_line and at[below].start[1] == at[lines[-1]].start[1]:
                lines.append(below)
        else:
            while (above := (lines[0] if lines else node.lineno) - 1) in own_line:
                lines.insert(0, above)
        if lines:
            found[node.target.id] = " ".join(at[line].string.lstrip("# ") for line in lines)
    return found


def _describe_env_spec(spec: Any) -> dict[str, Any]:
    entry_point = spec.entry_point
    module = entry_point.partition(":")[0] if isinstance(entry_point, str) else entry_point.__module__
    return {"id": spec.id, "max_episode_steps": spec.max_episode_steps, "module": module}


def _plain(value: Any) -> Any:
    try:
        return config_to_json({"value": value})["value"]
    except ConfigError:
        return repr(value)
