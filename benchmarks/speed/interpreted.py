"""Compiled loops as plain Python, to be timed beside themselves."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any


def interpreted(kernel: Any) -> Callable[..., Any]:
    """Returns a function compiled by numba as plain Python, and with it all that it calls."""
    names = dict(kernel.py_func.__globals__)
    for name in kernel.py_func.__code__.co_names:
        if hasattr(names.get(name), "py_func"):
            names[name] = interpreted(names[name])
    return FunctionType(kernel.py_func.__code__, names)
