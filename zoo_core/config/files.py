"""Configs as JSON, for run directories and checkpoints: reading one never runs foreign code."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from pathlib import PurePath
from typing import Any, TypeVar

import numpy as np

from zoo_core.config.build import build_config, field_defaults, override
from zoo_core.config.functions import is_reference, reference_of, resolve_trusted
from zoo_core.config.settings import as_mapping, expand_dotted
from zoo_core.errors import ConfigError

Config = TypeVar("Config")
_FUNCTION_KEYS = ({"function"}, {"function", "repr"})


@dataclass(frozen=True)
class _Refused:
    """Stands for a function that the file names and that is not looked up; an override may replace it."""

    name: str


def config_to_json(config: object) -> dict[str, Any]:
    """Writes a config as plain JSON data.

    A function becomes `{"function": "module:name"}`; one that has no name to be found by (a lambda, a
    closure, one of the main script) becomes `{"function": null, "repr": ...}`, and must be passed again when
    the config is read.

    Raises:
        ConfigError: A value is of a type that JSON has no place for.
    """
    values = as_mapping(config)
    if values is None:
        raise ConfigError(f"expected a config (a dataclass) or a mapping, got {type(config).__name__}")
    return {str(name): _to_json(value, str(name)) for name, value in values.items()}


def config_from_json(
    config_class: type[Config],
    data: Mapping[str, Any],
    *,
    overrides: Mapping[str, Any] | None = None,
    owner: str = "",
) -> Config:
    """Builds a config from what `config_to_json` wrote, by a stranger perhaps.

    Functions named in the data are looked up in zoo_core, installed plugins and environment packages, and
    torch's layers and optimisers only.

    Args:
        config_class: The dataclass to build.
        data: The JSON data.
        overrides: Settings, dotted or not, that replace those of the data; functions may be given here.
        owner: Begins every message, as in `build_config`.

    Raises:
        ConfigError: As `build_config`, or the data names a function of any other place.
    """
    stored = {name: _from_json(value) for name, value in data.items()}
    defaults = field_defaults(config_class)
    values = expand_dotted(override(stored, overrides or {}, defaults), defaults)
    for name, value in values.items():
        _reject_refused(value, name, owner or config_class.__name__)
    return build_config(config_class, values, owner=owner)


def _to_json(value: object, name: str) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}  # JSON has no infinity
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, list | tuple):
        return [_to_json(entry, name) for entry in value]
    if isinstance(value, Mapping) or (is_dataclass(value) and not isinstance(value, type)):
        return config_to_json(value)
    if callable(value):
        if reference := reference_of(value):
            return {"function": reference}
        where = getattr(value, "__qualname__", type(value).__qualname__)
        return {"function": None, "repr": f"{value.__module__}:{where}"}
    raise ConfigError(f"{name} cannot be written to a file: JSON has no {type(value).__name__}, got {value!r}")


def _from_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        if set(value) == {"float"}:
            return float(value["float"])
        if set(value) in _FUNCTION_KEYS:
            name = value["function"]
            return (resolve_trusted(name) if name else None) or _Refused(name or str(value.get("repr")))
        return {key: _from_json(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_from_json(entry) for entry in value]
    if is_reference(value) and resolve_trusted(value) is None:
        return _Refused(value)  # a component's config would resolve it as if the user had written it
    return value


def _reject_refused(value: object, name: str, owner: str) -> None:
    if isinstance(value, _Refused):
        raise ConfigError(
            f"{owner}: {name} is the function {value.name!r}, which a file may not bring in: "
            f"pass it as an override, {name}=..."
        )
    if isinstance(value, Mapping):
        for key, entry in value.items():
            _reject_refused(entry, f"{name}.{key}", owner)
    elif isinstance(value, list | tuple):
        for entry in value:
            _reject_refused(entry, name, owner)
