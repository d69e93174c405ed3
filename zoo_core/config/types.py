"""Values against annotations: lossless conversions are made, everything else is a mismatch."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, Literal, Union, get_args, get_origin

import numpy as np

from zoo_core.config.functions import is_reference, resolve_function
from zoo_core.config.settings import as_mapping

_WORDS: dict[Any, str] = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "a string",
    type(None): "none",
    Callable: "a function or 'module:function'",
    Mapping: "a mapping",
    Any: "anything",
    object: "anything",
}


class Mismatch(Exception):
    """The value does not fit the annotation."""


def convert(value: object, annotation: Any) -> Any:
    """Returns `value` as the annotation has it.

    Lossless conversions are made: an integer for a number and back where nothing is lost (`1e6` for an
    integer), a list for a tuple, NumPy scalars, the fields of a component's config for a mapping, and
    `"module:function"` for a function. Text is never read as a number.

    Raises:
        Mismatch: The value does not fit.
        ConfigError: The named function does not exist.
    """
    origin = get_origin(annotation) or annotation
    if origin is Union or origin is types.UnionType:
        return _convert_union(value, get_args(annotation))
    if origin is Literal:
        return _first(choice for choice in get_args(annotation) if choice == value and type(choice) is type(value))
    if origin in (tuple, list, Sequence):
        return _convert_sequence(value, origin, get_args(annotation))
    if origin in (Mapping, dict):
        return _convert_mapping(value, get_args(annotation))
    if origin is Callable:
        return _require(callable(value) or is_reference(value), resolve_function, value)
    return _convert_scalar(value, origin)


def describe(annotation: Any) -> str:
    """Says in words what an annotation accepts: `"an integer or none"`, `"one of 'cem', 'mppi'"`."""
    origin, arguments = get_origin(annotation) or annotation, get_args(annotation)
    if origin is Union or origin is types.UnionType:
        return " or ".join(describe(argument) for argument in arguments)
    if origin is Literal:
        return "one of " + ", ".join(repr(choice) for choice in arguments)
    if origin in (tuple, list, Sequence):
        if origin is tuple and arguments and arguments[-1] is not Ellipsis:
            return "a list of " + ", ".join(describe(argument) for argument in arguments)
        return f"a list, each entry {describe(arguments[0])}" if arguments else "a list"
    if origin is dict:
        origin = Mapping
    return _WORDS.get(origin, f"of type {getattr(origin, '__name__', origin)}")


def _convert_scalar(value: object, accepted: Any) -> Any:
    if accepted in (Any, object):
        return value
    if accepted is bool:
        return _require(isinstance(value, bool | np.bool_), bool, value)
    number = isinstance(value, Real) and not isinstance(value, bool)
    if accepted is float:
        return _require(number, float, value)
    if accepted is int:
        whole = isinstance(value, Integral) or (isinstance(value, Real) and float(value).is_integer())
        return _require(number and whole, int, value)
    if not isinstance(value, accepted):
        raise Mismatch
    return value


def _convert_union(value: object, choices: tuple[Any, ...]) -> Any:
    fitting = []
    for choice in choices:
        try:
            fitting.append(convert(value, choice))
        except Mismatch:
            continue
    return _first([result for result in fitting if type(result) is type(value)] or fitting)


def _convert_sequence(value: object, origin: Any, arguments: tuple[Any, ...]) -> Any:
    if not isinstance(value, list | tuple):
        raise Mismatch
    each: Sequence[Any] = arguments or (Any,)
    if origin is not tuple or not arguments or arguments[-1] is Ellipsis:
        each = [each[0]] * len(value)
    if len(each) != len(value):
        raise Mismatch
    entries = [convert(entry, accepted) for entry, accepted in zip(value, each, strict=True)]
    return entries if origin is list else tuple(entries)


def _convert_mapping(value: object, arguments: tuple[Any, ...]) -> dict[Any, Any]:
    mapping = as_mapping(value)
    if mapping is None:
        raise Mismatch
    key_type, value_type = arguments or (Any, Any)
    return {convert(key, key_type): convert(entry, value_type) for key, entry in mapping.items()}


def _require(fits: bool, conversion: Any, value: object) -> Any:
    if not fits:
        raise Mismatch
    return conversion(value)


def _first(fitting: Any) -> Any:
    for result in fitting:
        return result
    raise Mismatch
