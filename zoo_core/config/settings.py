"""Settings: `key=value` from the command line, and dotted keys that reach into a component's config.

A component inside an agent is a name and a config: the fields `model: str` and `model_config: Mapping |
None`. So `model=ensemble` fills the first and `model.hidden=200` the second, while `sac.learning_rate=3e-4`
goes into a field `sac` that is itself a mapping.
"""

from __future__ import annotations

import ast
import dataclasses
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from zoo_core.errors import ConfigError

_WORDS = {"true": True, "false": False, "none": None, "null": None, "inf": math.inf, "-inf": -math.inf}

_MAX_SHOWN = 60  # characters of a value in a message
_MAX_DIFFERENCES = 6  # named in a message


def parse_settings(settings: Iterable[str]) -> dict[str, Any]:
    """Parses `["model=ensemble", "model.hidden=200"]` into a mapping; the last setting of a key counts.

    A value is a Python or JSON literal (`3e-4`, `true`, `none`, `[64, 64]`, `'text'`); anything else is a
    string.

    Raises:
        ConfigError: A setting is not of the form `key=value`.
    """
    parsed: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = (part.strip() for part in setting.partition("="))
        if not equals or not all(part.isidentifier() for part in key.split(".")):
            raise ConfigError(f"a setting is written key=value or part.key=value, got {setting!r}")
        parsed = merge_settings(parsed, {key: _parse_value(text)})
    return parsed


def merge_settings(base: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns `base` followed by `settings`; both may have dotted keys, and later keys win over earlier ones.

    A whole mapping (`sac={...}`) replaces what came before it; a dotted key (`sac.gamma`) changes only its
    part.
    """
    return {**{key: value for key, value in base.items() if key not in settings}, **settings}


def expand_dotted(settings: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Replaces dotted keys by the mappings that they change.

    Args:
        settings: Keys, dotted or not, in the order in which they take effect.
        defaults: Every field of the config class with its default; the field names decide where a key goes.

    Returns:
        Undotted keys. Names that are no fields are kept, for the caller to reject. Inside `x_config` a longer
        key stays dotted, since only the component knows its own fields: `model.encoder.width` →
        `model_config["encoder.width"]`.
    """
    expanded: dict[str, Any] = {}
    for key, value in settings.items():
        head, *rest = key.split(".")
        if not rest:
            expanded[key] = value
            continue
        component = f"{head}_config" in defaults
        name = f"{head}_config" if component else head
        path = [".".join(rest)] if component else rest
        expanded[name] = _put(expanded.get(name, defaults.get(name)), path, value)
    return expanded


def as_mapping(value: object) -> Mapping[str, Any] | None:
    """Returns a mapping or the fields of a config as a mapping, and None for anything else."""
    if isinstance(value, Mapping):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.init}
    return None


def _put(container: object, path: list[str], value: object) -> object:
    if not path:
        return value
    inner = as_mapping(container) or {}
    return merge_settings(inner, {path[0]: _put(inner.get(path[0]), path[1:], value)})


def _parse_value(text: str) -> Any:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    for parse in (ast.literal_eval, json.loads):
        try:
            return parse(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
    return text


def to_dotted(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns the entries of nested mappings by dotted names: `{"sac": {"gamma": 1}}` becomes `{"sac.gamma": 1}`."""
    flat: dict[str, Any] = {}
    for name, value in nested.items():
        if isinstance(value, Mapping) and value:
            flat |= to_dotted(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Returns "NAME was X and is Y now" for every entry that is not the same; names are dotted."""
    old, new = to_dotted(before), to_dotted(now)
    names = [*old, *(name for name in new if name not in old)]
    changed = [name for name in names if name not in old or name not in new or old[name] != new[name]]
    said = [f"{name:.80} was {_shown(old, name)} and is {_shown(new, name)} now" for name in changed[:_MAX_DIFFERENCES]]
    more = len(changed) - len(said)
    return [*said, f"and {more} more"] if more else said


def _shown(values: Mapping[str, Any], name: str) -> str:
    text = repr(values[name]) if name in values else "not set"
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
