"""Configs of the planners and of the agent `mpc`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zoo_core.config import check_choice, check_range

Arguments = Mapping[str, Any]

RECIPES = ("v0.5", "v1.0", "v1.5")


@dataclass(frozen=True)
class ShootingConfig:
    """Planners that compare whole sequences of actions."""

    horizon: int = 20  # steps planned
    num_candidates: int = 200  # sequences compared at a time
    num_particles: int = 1  # imagined runs over which the return of each is averaged
    gamma: float = 1.0  # discount

    def __post_init__(self) -> None:
        for name in ("horizon", "num_candidates", "num_particles"):
            check_range(name, getattr(self, name), 1)
        check_range("gamma", self.gamma, 0.0, 1.0)


@dataclass(frozen=True)
class CEMConfig(ShootingConfig):
    """Cross-entropy method."""

    num_elites: int = 20  # best candidates, which the next ones are drawn like
    iterations: int = 5  # times that candidates are drawn
    alpha: float = 0.1  # weight of the old distribution in the new one
    min_variance: float = 1e-3  # a root whose greatest variance (of [-1, 1], or of a probability) is less is done

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("iterations", self.iterations, 1)
        check_range("num_elites", self.num_elites, 1, self.num_candidates)
        check_range("alpha", self.alpha, 0.0, 1.0, high_open=True)
        check_range("min_variance", self.min_variance, 0.0)


@dataclass(frozen=True)
class ForwardSearchConfig:
    """Forward search to a depth; sparse sampling, where there are several samples."""

    depth: int = 4  # steps looked ahead, d
    num_samples: int = 1  # outcomes drawn for each state and action, C; more than one only where there is chance
    gamma: float = 0.99  # discount; at 1 it is as good to arrive later, and so later, and never
    max_rows: int = 2**18  # states of the last level held at a time; roots are searched in as many parts as needed

    def __post_init__(self) -> None:
        for name in ("depth", "num_samples", "max_rows"):
            check_range(name, getattr(self, name), 1)
        check_range("gamma", self.gamma, 0.0, 1.0)


@dataclass(frozen=True)
class RolloutConfig:
    """Rollouts of a base policy."""

    num_rollouts: int = 50  # for each action of each root, K
    depth: int = 20  # steps of the base policy after the action
    gamma: float = 0.99  # discount

    def __post_init__(self) -> None:
        check_range("num_rollouts", self.num_rollouts, 1)
        check_range("depth", self.depth, 0)
        check_range("gamma", self.gamma, 0.0, 1.0)


@dataclass(frozen=True)
class ICEMConfig(ShootingConfig):
    """iCEM (Pinneri et al. 2020, arXiv:2008.06389); the paper sets the noise and the budget by task."""

    horizon: int = 30
    num_candidates: int = 100  # drawn in the first iteration
    iterations: int = 4
    candidate_decay: float = 1.25  # γ: every iteration draws so many times fewer
    num_elites: int = 10  # K; never fewer than 2K candidates are drawn
    elites_kept: float = 0.3  # ξ, share of the elites that stays among the candidates
    alpha: float = 0.1  # weight of the old distribution in the new one
    init_std: float = 0.5  # deviation that a search begins with, of actions in [-1, 1]
    beta: float = 2.0  # β of the noise, whose power falls as 1 / f^β: 0 white, 1 pink, 2 red

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("iterations", self.iterations, 1)
        check_range("candidate_decay", self.candidate_decay, 1.0)
        check_range("num_elites", self.num_elites, 1, self.num_candidates)
        check_range("elites_kept", self.elites_kept, 0.0, 1.0)
        check_range("alpha", self.alpha, 0.0, 1.0, high_open=True)
        check_range("init_std", self.init_std, 0.0, low_open=True)
        check_range("beta", self.beta, 0.0)

    @property
    def num_kept(self) -> int:
        """Elites that stay among the candidates."""
        return round(self.elites_kept * self.num_elites)

    @property
    def candidate_counts(self) -> tuple[int, ...]:
        """Candidates drawn in each iteration: N γ^-i, but at least 2K, if that is not more than N."""
        least = min(2 * self.num_elites, self.num_candidates)
        decayed = (int(self.num_candidates / self.candidate_decay**index) for index in range(self.iterations))
        return tuple(max(least, num) for num in decayed)


@dataclass(frozen=True)
class MPPIConfig(ShootingConfig):
    """MPPI, with the values of TD-MPC2 (Hansen et al. 2024, arXiv:2310.16828).

    Three steps are enough for a planner with a terminal value; plan further without `evaluate`.
    """

    horizon: int = 3
    num_candidates: int = 512  # with those of the policy
    num_policy: int = 24  # of these, candidates in which the policy of `evaluate` acts; none without
    iterations: int = 6
    num_elites: int = 64
    temperature: float = 0.5  # multiplies returns before the softmax: the greater, the more the best counts
    min_std: float = 0.05  # bounds of the deviation, of actions in [-1, 1]; it begins at the upper one
    max_std: float = 2.0
    sample_action: bool = False  # take an elite, drawn by its weight, in place of the mean (as TD-MPC2 does)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("num_policy", self.num_policy, 0)
        check_range("iterations", self.iterations, 1)
        check_range("num_elites", self.num_elites, 1, self.num_candidates)
        check_range("temperature", self.temperature, 0.0, low_open=True)
        check_range("min_std", self.min_std, 0.0)
        check_range("max_std", self.max_std, self.min_std, low_open=self.min_std == 0.0)


@dataclass(frozen=True)
class GradientConfig(ShootingConfig):
    """Planning by gradient."""

    num_candidates: int = 16  # sequences that climb, from each root
    iterations: int = 30  # steps of Adam
    learning_rate: float = 0.1  # of Adam, on actions in [-1, 1]
    init_std: float = 0.5  # deviation of the first sequences around the rest of the plan before

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("iterations", self.iterations, 1)
        check_range("learning_rate", self.learning_rate, 0.0, low_open=True)
        check_range("init_std", self.init_std, 0.0)


@dataclass(frozen=True)
class PlanningConfig:
    """An agent that acts by searching its world model."""

    model: str = "ensemble"  # a registered world model
    model_config: Arguments | None = None  # its config
    planner: str = "cem"  # a registered planner
    planner_config: Arguments | None = None  # its config


@dataclass(frozen=True)
class MPCConfig(PlanningConfig):
    """Model-predictive control, by one of three recipes."""

    recipe: str = "v1.5"  # "v0.5" fits once, "v1.0" after every round, "v1.5" also plans anew at every step
    initial_steps: int = 200  # random real steps before the first fit
    round_steps: int = 200  # real steps between two fits

    def __post_init__(self) -> None:
        check_range("initial_steps", self.initial_steps, 2)  # a fit holds out one
        check_range("round_steps", self.round_steps, 1)
        check_choice("recipe", self.recipe, RECIPES)
