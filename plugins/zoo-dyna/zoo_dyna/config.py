"""Configs; the defaults are those of Sutton & Barto 2018 (2nd edition), chapter 8."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zoo_core.config import check_range

Arguments = Mapping[str, Any]


@dataclass(frozen=True)
class TabularConfig:
    """What agents with a table of Q have in common."""

    gamma: float = 0.95  # discount γ
    explore_prob: float = 0.1  # ε, chance of an action at random

    def __post_init__(self) -> None:
        check_range("gamma", self.gamma, 0.0, 1.0)
        check_range("explore_prob", self.explore_prob, 0.0, 1.0)


@dataclass(frozen=True)
class QLearningConfig(TabularConfig):
    """Q-learning (Watkins 1989): Dyna-Q without planning."""

    learning_rate: float = 0.1  # α, step size of every update
    initial_value: float = 0.0  # of every Q before it is learned

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("learning_rate", self.learning_rate, 0.0, 1.0, low_open=True)
        check_range("initial_value", self.initial_value)


@dataclass(frozen=True)
class DynaQConfig(QLearningConfig):
    """Dyna-Q (Sutton & Barto 2018, section 8.2)."""

    planning_updates: int = 50  # n, updates from the model after each real step
    model: str = "lookup-deterministic"  # what is remembered of the world: that or "lookup"
    model_config: Arguments | None = None  # its config

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("planning_updates", self.planning_updates, 0)


@dataclass(frozen=True)
class DynaQPlusConfig(DynaQConfig):
    """Dyna-Q+ (Sutton & Barto 2018, section 8.3)."""

    learning_rate: float = 1.0  # α; figures 8.4 and 8.5 need what the world has become, not a mean of what it was
    bonus: float = 1e-3  # κ: planning rewards a pair by κ√τ more, τ the real steps since it was last tried

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("bonus", self.bonus, 0.0)


@dataclass(frozen=True)
class PrioritizedSweepingConfig(DynaQConfig):
    """Prioritized sweeping (Sutton & Barto 2018, section 8.4)."""

    learning_rate: float = 1.0  # α; updates are expectations, so nothing has to be averaged out
    planning_updates: int = 5  # n, at most, after each real step
    threshold: float = 1e-4  # θ, changes that are smaller wait for no update

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("threshold", self.threshold, 0.0)


@dataclass(frozen=True)
class DynamicProgrammingConfig(TabularConfig):
    """Dynamic programming (Sutton & Barto 2018, chapter 4) on a table that is learned, or known."""

    model: str = "lookup"  # what is learned; "exact" reads the environment's own table instead
    model_config: Arguments | None = None  # its config; {"unseen_reward": 1} makes it try everything
    round_steps: int = 100  # real steps between two solutions of the table

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("round_steps", self.round_steps, 1)
