"""Builds configs: an unknown key or a wrong value is answered by its name and by what is accepted."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, get_type_hints

from zoo_core.config.settings import expand_dotted, merge_settings
from zoo_core.config.types import Mismatch, convert, describe
from zoo_core.errors import ConfigError, did_you_mean

Config = TypeVar("Config")


def build_config(
    config_class: type[Config],
    value: Config | Mapping[str, Any] | None = None,
    *,
    preset: str | None = None,
    owner: str = "",
) -> Config:
    """Builds a checked config: the defaults, over them the preset, over that `value`.

    Args:
        config_class: A dataclass; its annotations say what each field accepts.
        value: None, a complete config, or a mapping of fields; dotted keys reach into components
            (`model.hidden`).
        preset: A name in the class's `presets`.
        owner: Who the config is for, such as `"agent 'pets'"`; begins every message. Default: the class's
            name.

    Raises:
        ConfigError: An unknown key, a missing field, a wrong type, or a value that the class's own check
            rejects.
    """
    owner = owner or config_class.__name__
    if isinstance(value, config_class):
        if preset is not None:
            raise ConfigError(f"{owner}: give a preset or a complete config, not both; got preset={preset!r} too")
        return value
    if value is None:
        value = {}
    if not isinstance(value, Mapping):
        raise ConfigError(
            f"{owner}: expected a mapping or a {config_class.__name__}, got {type(value).__name__}: {value!r}"
        )
    defaults = field_defaults(config_class)
    base: Mapping[str, Any] = {} if preset is None else preset_values(config_class, preset, owner=owner)
    value = override(base, value, defaults)
    _check_names(value, defaults, owner)
    hints = get_type_hints(config_class)
    settings = expand_dotted(value, defaults)
    arguments = {name: _convert_field(name, settings[name], hints[name], owner) for name in settings}
    for name, default in defaults.items():
        if name not in arguments and default is dataclasses.MISSING:
            raise ConfigError(f"{owner}: {name} is required; it takes {describe(hints[name])}")
    try:
        return config_class(**arguments)
    except ValueError as error:
        raise ConfigError(f"{owner}: {error}") from error


def override(base: Mapping[str, Any], settings: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Returns `base` followed by `settings`; a component of another name loses the config of the one before.

    What was written for one component says nothing of another: `{"planner": "icem"}` over a preset whose planner is
    "cem" leaves icem its own defaults.

    Args:
        base: Settings, such as those of a preset.
        settings: Over them.
        defaults: Every field of the config class with its default; components are those with a field `x_config`.
    """
    replaced = [
        name
        for name in defaults
        if f"{name}_config" in defaults and name in settings and settings[name] != base.get(name, defaults[name])
    ]
    kept = {key: value for key, value in base.items() if key.partition(".")[0].removesuffix("_config") not in replaced}
    return merge_settings({**kept, **{f"{name}_config": None for name in replaced}}, settings)


def preset_values(config_class: type, name: str, *, owner: str = "") -> Mapping[str, Any]:
    """Returns the named preset of a config class, as settings.

    Raises:
        ConfigError: The class has no preset of this name.
    """
    presets: Mapping[str, Mapping[str, Any]] = getattr(config_class, "presets", {})
    if name not in presets:
        raise ConfigError(f"{owner or config_class.__name__}: unknown preset {name!r}{did_you_mean(name, presets)}")
    return presets[name]


def field_defaults(config_class: type) -> dict[str, Any]:
    """Returns the fields of a config class with their defaults; `dataclasses.MISSING` for none."""
    return {
        field.name: field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        for field in dataclasses.fields(config_class)
        if field.init
    }


def check_range(
    field: str,
    value: float,
    low: float | None = None,
    high: float | None = None,
    *,
    low_open: bool = False,
    high_open: bool = False,
) -> None:
    """Checks a number in a config's `__post_init__`; NaN is in no range.

    Args:
        field: The name to report.
        value: The number to check.
        low: Least value accepted; None for no limit.
        high: Greatest value accepted; None for no limit.
        low_open: Whether `low` itself is rejected.
        high_open: Whether `high` itself is rejected.

    Raises:
        ValueError: Such as "num_elites must be in [1, 10], got 0".
    """
    above = low is None or (value > low if low_open else value >= low)
    below = high is None or (value < high if high_open else value <= high)
    if above and below and value == value:
        return
    left = "(-inf" if low is None else f"{'(' if low_open else '['}{low}"
    right = "inf)" if high is None else f"{high}{')' if high_open else ']'}"
    raise ValueError(f"{field} must be in {left}, {right}, got {value}")


def check_choice(field: str, value: str, choices: Iterable[str]) -> None:
    """Checks a name in a config's `__post_init__`.

    Raises:
        ValueError: The value is none of the choices; the message has the nearest, or all.
    """
    choices = tuple(choices)
    if value not in choices:
        raise ValueError(f"{field} has no choice {value!r}{did_you_mean(value, choices)}")


def _check_names(settings: Mapping[str, Any], fields: Iterable[str], owner: str) -> None:
    components = {name.removesuffix("_config") for name in fields if name.endswith("_config")}
    for key in settings:
        head, dot, _ = key.partition(".")
        if head not in fields and not (dot and head in components):
            raise ConfigError(f"{owner}: unknown setting {key!r}{did_you_mean(head, {*fields, *components})}")


def _convert_field(name: str, value: object, annotation: Any, owner: str) -> Any:
    try:
        return convert(value, annotation)
    except Mismatch:
        raise ConfigError(f"{owner}: {name} must be {describe(annotation)}, got {value!r}") from None
