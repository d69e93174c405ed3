"""Config of PETS; the defaults are the paper's for half-cheetah."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from zoo_core.config import check_range
from zoo_planners.config import Arguments, PlanningConfig

# Chua et al. 2018, arXiv:1805.12114, appendix A, and the code of its authors.
_PAPER_MODEL = {
    "num_members": 5,
    "num_elites": 5,
    "num_layers": 4,
    "hidden": 200,
    "learning_rate": 1e-3,
    "batch_size": 32,
    "max_epochs": 5,
    "propagation": "ts-infinity",
}
_PAPER_PLANNER = {
    "horizon": 30,
    "num_candidates": 500,
    "num_elites": 50,
    "iterations": 5,
    "alpha": 0.1,
    "num_particles": 20,
}

# Chosen on Pendulum-v1 and CartPoleSwingUp-v0, for a few minutes on one core.
_CPU_MODEL = {**_PAPER_MODEL, "num_layers": 3, "hidden": 64, "learning_rate": 2e-3, "max_epochs": 60}
_CPU_PLANNER = {
    **_PAPER_PLANNER,
    "horizon": 25,
    "num_candidates": 100,
    "num_elites": 10,
    "iterations": 4,
    "num_particles": 5,
}


@dataclass(frozen=True)
class PETSConfig(PlanningConfig):
    """PETS (Chua et al. 2018, arXiv:1805.12114)."""

    model_config: Arguments | None = field(default_factory=lambda: dict(_PAPER_MODEL))  # the ensemble's config
    planner_config: Arguments | None = field(default_factory=lambda: dict(_PAPER_PLANNER))  # CEM's config
    initial_steps: int = 1_000  # random real steps before the first fit
    trial_steps: int = 1_000  # real steps of a trial, after which the model is fitted again: an episode of the task

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {
            "model_config": _PAPER_MODEL,
            "planner_config": _PAPER_PLANNER,
            "initial_steps": 1_000,
            "trial_steps": 1_000,
        },
        "cpu": {
            "model_config": _CPU_MODEL,
            "planner_config": _CPU_PLANNER,
            "initial_steps": 200,
            "trial_steps": 200,
        },
    }

    def __post_init__(self) -> None:
        check_range("initial_steps", self.initial_steps, 2)  # a fit holds out one
        check_range("trial_steps", self.trial_steps, 1)
