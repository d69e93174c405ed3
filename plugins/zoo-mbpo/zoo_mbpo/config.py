"""Config of MBPO: the paper's constants, and a small one for a CPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from zoo_core.config import check_range
from zoo_mbpo.schedule import RolloutSchedule

Arguments = Mapping[str, Any]

_SET_BY_MBPO = {  # arguments of SAC, and what to do instead, or why there is nothing to do
    "learning_starts": "set initial_steps",
    "gradient_steps": "set updates_per_step",
    "train_freq": "set updates_per_step",
    "buffer_size": "all real steps are kept",
    "replay_buffer_class": "MBPO has its own, MixedReplayBuffer",
    "replay_buffer_kwargs": "set real_ratio",
    "optimize_memory_usage": "no observation is stored twice as it is",
    "n_steps": "dreams are single steps",
}
_PAPER_MODEL = {  # appendix C and the authors' code
    "num_members": 7,
    "num_elites": 5,
    "num_layers": 4,
    "hidden": 200,
    "propagation": "ts1",
    "learning_rate": 1e-3,
    "batch_size": 256,
    "holdout": 0.2,
    "patience": 5,
}
_CPU_MODEL = {
    "num_members": 7,
    "hidden": 128,
    "propagation": "ts1",
    "patience": 10,  # and batches of 64: with fewer steps a fit would end before it has begun
}


@dataclass(frozen=True)
class MBPOConfig:
    """Model-based policy optimisation (Janner et al. 2019, arXiv:1906.08253, appendix C)."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {  # Hopper
            "model_config": _PAPER_MODEL,
            "rollout_schedule": (20, 150, 1, 15),
            "sac": {"target_entropy": -1.0},
        },
        "cpu": {  # minutes on one core: InvertedPendulum-v5 within 3,000 steps
            "initial_steps": 500,
            "model_interval": 125,
            "epoch_steps": 250,
            "rollouts_per_step": 100,
            "updates_per_step": 10,
            "model_config": _CPU_MODEL,
            "sac": {"policy_kwargs": {"net_arch": [128, 128]}},
        },
    }

    model: str = "ensemble"  # a registered world model
    model_config: Arguments | None = field(default_factory=lambda: dict(_PAPER_MODEL))  # the ensemble's config
    initial_steps: int = 5_000  # random real steps before the first fit
    model_interval: int = 250  # real steps between two fits
    epoch_steps: int = 1_000  # real steps of an epoch, E; counted after the random ones
    rollouts_per_step: int = 400  # branched rollouts a real step, M; made together after a fit
    rollout_schedule: tuple[int, int, int, int] = (20, 150, 1, 1)  # (a, b, x, y): length k from x at epoch a to y at b
    retain_epochs: int = 1  # epochs of dreams that are kept
    real_ratio: float = 0.05  # part of every batch that is real
    updates_per_step: int = 20  # gradient steps a real step, G
    uncertainty_penalty: float = 0.0  # λ, times the epistemic uncertainty, off imagined rewards (MOPO)
    offline_steps: int = 10_000  # real steps whose dreams and updates `learn_offline` makes, without making the steps
    sac: Arguments = field(default_factory=dict)  # arguments of stable_baselines3.SAC

    def __post_init__(self) -> None:
        counts = (
            "model_interval",
            "epoch_steps",
            "rollouts_per_step",
            "retain_epochs",
            "updates_per_step",
            "offline_steps",
        )
        check_range("initial_steps", self.initial_steps, 2)  # a fit holds out one
        for name in counts:
            check_range(name, getattr(self, name), 1)
        check_range("real_ratio", self.real_ratio, 0.0, 1.0)
        check_range("uncertainty_penalty", self.uncertainty_penalty, 0.0)
        RolloutSchedule(*self.rollout_schedule)
        for key in self.sac:
            if (name := key.partition(".")[0]) in _SET_BY_MBPO:
                raise ValueError(f"sac.{name} is not for you to set: remove it; {_SET_BY_MBPO[name]}")
