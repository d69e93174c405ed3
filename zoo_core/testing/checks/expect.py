"""How a check fails: the rule, what was seen, how to mend it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import optree
import torch
from torch import Tensor


class BrokenRule(AssertionError):
    """A rule that does not hold: the rule, what was seen, how to mend it."""

    def __init__(self, rule: str, seen: object, mend: str) -> None:
        super().__init__(f"{rule}; seen: {seen}; to mend it: {mend}")
        self.rule, self.seen, self.mend = rule, seen, mend


def expect(holds: Any, rule: str, seen: object, mend: str) -> None:
    """Raises BrokenRule unless `holds`."""
    if not holds:
        raise BrokenRule(rule, seen, mend)


def same(first: Any, second: Any, *, tolerance: float = 0.0) -> bool:
    """Says whether two nests have the same layout, dtypes and values (NaN equals NaN).

    Args:
        first: pytree of tensors, arrays (of numbers or objects) and numbers.
        second: the same.
        tolerance: absolute and relative; 0 compares bits, with any other images may differ by one level (rounding).
    """
    a, b = optree.tree_leaves(first), optree.tree_leaves(second)
    if optree.tree_structure(first) != optree.tree_structure(second):
        return False
    return all(_same_leaf(x, y, tolerance) for x, y in zip(a, b, strict=True))


def difference(first: Any, second: Any) -> str:
    """Describes where two nests differ most."""
    if optree.tree_structure(first) != optree.tree_structure(second):
        return f"{optree.tree_structure(first)} and {optree.tree_structure(second)}"
    for x, y in zip(optree.tree_leaves(first), optree.tree_leaves(second), strict=True):
        if not _same_leaf(x, y, 0.0):
            x, y = _array(x), _array(y)
            if x.shape != y.shape or x.dtype != y.dtype:
                return f"{x.dtype}{list(x.shape)} and {y.dtype}{list(y.shape)}"
            if x.dtype.kind == "f":
                gap = np.abs(x - y)
                return f"values up to {np.nanmax(gap) if not np.isnan(gap).all() else gap.max():.3g} apart"
            return f"{x.reshape(-1)[:4]} and {y.reshape(-1)[:4]}"
    return "no difference"


def _same_leaf(x: Any, y: Any, tolerance: float) -> bool:
    x, y = _array(x), _array(y)
    if x.shape != y.shape or x.dtype != y.dtype:
        return False
    if x.dtype == np.uint8 and tolerance:
        return bool((np.abs(x.astype(int) - y) <= 1).all())
    if x.dtype.kind != "f":
        return bool((x == y).all())
    return bool(np.allclose(x, y, rtol=tolerance, atol=tolerance, equal_nan=True))


def _array(leaf: Any) -> Any:
    return leaf.detach().cpu().numpy() if isinstance(leaf, Tensor) else np.asarray(leaf)


@contextmanager
def global_streams_untouched(what: str) -> Iterator[None]:
    """Fails if the block draws from a global random generator."""
    before = _global_states()
    yield
    expect(
        before == _global_states(),
        f"{what} draws from the generators it is given, never from a global one",
        "the global stream of Python, NumPy or torch has moved",
        "pass generator=rng, sample by hand instead of torch.distributions, construct networks inside "
        "zoo_core.seeding.construction_rng",
    )


def _global_states() -> Any:
    _, keys, *position = np.random.get_state()  # noqa: NPY002
    return random.getstate(), np.asarray(keys).tobytes(), position, torch.get_rng_state().numpy().tobytes()
