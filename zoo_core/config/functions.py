"""Functions by name: `"module:function"`, from a user, who is trusted, or from a file, which is not."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from zoo_core.errors import ConfigError

_REFERENCE = re.compile(r"(?!\d)\w+(\.(?!\d)\w+)*:(?!\d)\w+(\.(?!\d)\w+)*")
# Modules beside the installed plugins whose classes a file may name: they are layers and optimisers, no more.
_TRUSTED_TORCH = ("torch.nn", "torch.optim")


def is_reference(value: object) -> bool:
    """Says whether a value reads as `"module:function"`; only such strings can ever be resolved."""
    return isinstance(value, str) and _REFERENCE.fullmatch(value) is not None


def resolve_function(reference: str | Callable[..., Any] | None) -> Callable[..., Any] | None:
    """Returns the function that a user names, importing its module; callables and None pass through.

    Args:
        reference: `"module:function"`, where module is anything that Python can import.

    Raises:
        ConfigError: The reference has another form, or names nothing callable.
    """
    if reference is None or callable(reference):
        return reference
    if not is_reference(reference):
        raise ConfigError(f"a function is named as 'module:function', got {reference!r}")
    module_name, _, path = reference.partition(":")
    try:
        found: Any = import_module(module_name)
        for attribute in path.split("."):
            found = getattr(found, attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"cannot find the function {reference!r}: {error}") from error
    if not callable(found):
        raise ConfigError(f"{reference!r} is not a function but {type(found).__name__}")
    return found  # type: ignore[no-any-return]  # callable() does not narrow Any


def resolve_trusted(reference: str) -> Callable[..., Any] | None:
    """Returns the function that a file names, or None if it is not of zoo_core, a plugin or torch.nn.

    A file may come from a stranger, so nothing is imported for it that an installed plugin did not bring. The
    function's own module counts too: `zoo_core.x:os.system` is reachable through zoo_core, yet is not of it.

    Raises:
        ConfigError: The reference is trusted and names nothing.
    """
    if not is_reference(reference) or not _is_trusted(reference.partition(":")[0]):
        return None
    function = resolve_function(reference)
    return function if _is_trusted(getattr(function, "__module__", None) or "") else None


def reference_of(function: Callable[..., Any]) -> str | None:
    """Returns `"module:function"` for a function that can be found again so, None for a lambda."""
    module_name, path = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if not module_name or not path or module_name == "__main__" or not is_reference(f"{module_name}:{path}"):
        return None
    found: Any = sys.modules.get(module_name)
    for attribute in path.split("."):
        found = getattr(found, attribute, None)
    return f"{module_name}:{path}" if found is function else None


def _is_trusted(module_name: str) -> bool:
    if any(module_name == name or module_name.startswith(f"{name}.") for name in _TRUSTED_TORCH):
        return True
    declared = (*entry_points(group="zoo_core.plugins"), *entry_points(group="zoo_core.envs"))
    packages = {"zoo_core", *(point.module.partition(".")[0] for point in declared)}
    return module_name.partition(".")[0] in packages
