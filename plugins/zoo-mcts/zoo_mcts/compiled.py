"""What the compiled loops share: how they are compiled, and where their chance comes from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

Array = np.ndarray[Any, Any]
Function = TypeVar("Function", bound=Callable[..., Any])

# SplitMix64 (Steele, Lea & Flood 2014, doi:10.1145/2660193.2660195): the increment, and the mixing of its output
_INCREMENT = np.uint64(0x9E3779B97F4A7C15)
_FIRST_FACTOR, _SECOND_FACTOR = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_SHIFTS = np.uint64(30), np.uint64(27), np.uint64(31)
_UNUSED_BITS = np.uint64(11)  # of 64; a float64 holds 53
_UNIT = 2.0**-53
_LEAST_EXPONENT = -100.0  # e to that is 0 as far as a float32 can say
_compiler: Any = numba.njit
_OPTIONS: Any = {"cache": True, "error_model": "numpy", "forceinline": True, "_nrt": False}


def compiled(function: Function) -> Function:
    """Compiles a function that makes no arrays when it is first called; other processes find the result on the disk.

    Without numba's run time (its private option `_nrt`), which would count the references to every array of a tree in
    every call, and take longer for that than for all the rest.
    """
    return cast(Function, _compiler(**_OPTIONS)(function))


def apart(function: Function) -> Function:
    """Compiles as `compiled` does, but as a function that others call: less to compile where many use what is long."""
    return cast(Function, _compiler(**{**_OPTIONS, "forceinline": False})(function))


def reordered(function: Function) -> Function:
    """Compiles as `compiled` does, but sums may be taken in any order, and so of several numbers at once."""
    return cast(Function, _compiler(**_OPTIONS, fastmath={"reassoc", "contract", "nsz"})(function))


def without_nan(function: Function) -> Function:
    """Compiles as `compiled` does what never sees NaN, and so may compare several numbers at once."""
    return cast(Function, _compiler(**_OPTIONS, fastmath={"nnan", "nsz"})(function))


@compiled
def scramble(bits: Any) -> Any:
    """Returns 64 bits that look random, other ones for all others (what SplitMix64 puts out)."""
    bits = (bits ^ (bits >> _SHIFTS[0])) * _FIRST_FACTOR
    bits = (bits ^ (bits >> _SHIFTS[1])) * _SECOND_FACTOR
    return bits ^ (bits >> _SHIFTS[2])


@compiled
def exp_below_zero(x: float) -> float:
    """Returns e^x of x in [-inf, 0] to nine digits where x > -20, with an error of less than 1e-12 elsewhere.

    Made of products only, so that a loop over it works on several numbers at once, as it cannot on `math.exp`:
    e^x = (e^(x / 256))^256, of which the inner one is six terms of its series.
    """
    y = max(x, _LEAST_EXPONENT) * (1.0 / 256.0)
    power = 1.0 + y * (1.0 + y * (1 / 2 + y * (1 / 6 + y * (1 / 24 + y * (1 / 120 + y * (1 / 720))))))
    power *= power
    power *= power
    power *= power
    power *= power
    power *= power
    power *= power
    power *= power
    power *= power
    return power if x > _LEAST_EXPONENT else 0.0


@reordered
def total(values: Array) -> Any:
    """Returns the sum of numbers `[N]`, float32."""
    result = np.float32(0.0)
    for i in range(len(values)):
        result += values[i]
    return result


@without_nan
def greatest(values: Array) -> Any:
    """Returns the greatest of numbers `[N]`, float32, none of them NaN; -inf if there are none."""
    result = np.float32(-np.inf)
    for i in range(len(values)):
        result = max(result, values[i])
    return result


@compiled
def uniform(streams: Array, row: int) -> float:
    """Draws a number of [0, 1) from the stream of a row; no other row's stream moves.

    Args:
        streams: uint64 `[B]`, the state of a generator for each row.
        row: whose to draw from.
    """
    streams[row] += _INCREMENT
    return (scramble(streams[row]) >> _UNUSED_BITS) * _UNIT  # type: ignore[no-any-return]
