"""Configs of the three models."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from zoo_core.config import check_choice, check_range

Function = Callable[..., Any]

OUTCOMES = ("sampled", "expected")
MIN_RIDGE = 1e-12  # below it float64 cannot tell collinear columns from others


@dataclass(frozen=True)
class LookupDeterministicConfig:
    """The model of Dyna-Q (Sutton & Barto 2018, section 8.2)."""

    unseen_reward: float = 0.0  # of an action never tried, which leads back; the largest there is makes it attractive

    def __post_init__(self) -> None:
        check_range("unseen_reward", self.unseen_reward, -math.inf, math.inf, low_open=True, high_open=True)


@dataclass(frozen=True)
class LookupConfig(LookupDeterministicConfig):
    """Counts, and the maximum-likelihood model that they make."""

    outcomes: str = "sampled"  # a dream draws one, or goes on with the distribution of all of them ("expected")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("outcomes", self.outcomes, OUTCOMES)


@dataclass(frozen=True)
class LinearConfig:
    """Least squares in features (Sutton et al. 2008, arXiv:1206.3285)."""

    features: str | Function | None = None  # extra features, obs [B, D] -> [B, E], beside 1 and obs; "module:function"
    ridge: float = 1e-8  # weight of the squared weights, in columns of unit length; makes any data enough
    margin: float = 0.25  # how far dreams may leave the data's range, as a fraction of it, where the space has no limit
    reward_fn: str | Function | None = None  # known reward (obs, action, next_obs) -> [B], or "module:function"
    termination_fn: str | Function | None = None  # known termination (obs, action, next_obs) -> bool [B]

    def __post_init__(self) -> None:
        check_range("ridge", self.ridge, MIN_RIDGE)
        check_range("margin", self.margin, 0.0)
