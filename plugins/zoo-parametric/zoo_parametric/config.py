"""Config of the parametric model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from zoo_core.config import check_range

Function = Callable[..., Any]


@dataclass(frozen=True)
class ParametricConfig:
    """Known equations, unknown constants."""

    system: str | Function = "auto"  # a built-in system, a subclass of System or "module:Class"; "auto": by the spaces
    guesses: Mapping[str, float] = field(default_factory=dict)  # of constants, in place of those of the system
    num_starts: int = 8  # places where the search begins: the guesses, and others around them
    spread: float = 3.0  # the others lie by factors of about so much away from the guesses
    max_iterations: int = 100  # of Levenberg-Marquardt
    margin: float = 10.0  # how far dreams may leave the data's range, in widths of it, where the space has no limit
    reward_fn: str | Function | None = None  # known reward (obs, action, next_obs) -> [B], or "module:function"
    termination_fn: str | Function | None = None  # known termination (obs, action, next_obs) -> bool [B]

    def __post_init__(self) -> None:
        check_range("num_starts", self.num_starts, 1)
        check_range("spread", self.spread, 1.0, math.inf, high_open=True)
        check_range("max_iterations", self.max_iterations, 1)
        check_range("margin", self.margin, 0.0)
        for name, guess in self.guesses.items():
            check_range(f"guesses.{name}", guess, -math.inf, math.inf, low_open=True, high_open=True)
