"""Configs of the two models; they share the network and the procedure of fitting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from zoo_core.config import check_choice, check_range

Function = Callable[..., Any]


PROPAGATIONS = ("ts-infinity", "ts1")
MAX_LAYERS = 64  # hidden layers; more of them learn nothing, and a file could ask for any number


@dataclass(frozen=True)
class MLPConfig:
    """One network, mean squared error: an expectation model (Nagabandi et al. 2018, arXiv:1708.02596)."""

    hidden: int = 200  # units a layer
    num_layers: int = 3  # hidden layers
    termination_hidden: int = 64  # units of the two layers that predict termination
    learning_rate: float = 2e-3  # of Adam; PETS has 1e-3, which needs twice the epochs on a thousand transitions
    weight_decay: float = 5e-5  # of Adam; PETS has 2.5e-5 to 1e-4 by layer
    batch_size: int = 64  # transitions a gradient step, for each member
    max_epochs: int = 200  # passes through the data in one fit, at most
    patience: int = 15  # epochs without a 1 % better hold-out loss after which a fit stops (MBPO: 5, on larger data)
    holdout: float = 0.1  # fraction of the transitions that only judges
    max_holdout: int = 5_000  # transitions held out, at most (MBPO)
    margin: float = 0.25  # how far dreams may leave the data's range, as a fraction of it, where the space has no limit
    reward_fn: str | Function | None = None  # known reward (obs, action, next_obs) -> [B], or "module:function"
    termination_fn: str | Function | None = None  # known termination (obs, action, next_obs) -> bool [B]

    def __post_init__(self) -> None:
        for name in (
            "hidden",
            "termination_hidden",
            "batch_size",
            "max_epochs",
            "patience",
            "max_holdout",
        ):
            check_range(name, getattr(self, name), 1)
        check_range("num_layers", self.num_layers, 1, MAX_LAYERS)
        check_range("learning_rate", self.learning_rate, 0.0, low_open=True)
        check_range("weight_decay", self.weight_decay, 0.0)
        check_range("holdout", self.holdout, 0.0, 0.5, low_open=True)
        check_range("margin", self.margin, 0.0)

    @property
    def probabilistic(self) -> bool:
        """Whether the network predicts variances."""
        return False

    @property
    def bootstrap(self) -> bool:
        """Whether each member has its own sample of the data."""
        return False

    @property
    def redraws_members(self) -> bool:
        """Whether every step of a dream draws anew which network carries a row."""
        return False

    @property
    def num_members(self) -> int:
        """Networks."""
        return 1

    @property
    def num_elites(self) -> int:
        """Networks that dreams run through."""
        return 1


@dataclass(frozen=True)
class EnsembleConfig(MLPConfig):
    """Probabilistic ensemble (Chua et al. 2018, arXiv:1805.12114), with the hold-out and the elites of MBPO
    (Janner et al. 2019, arXiv:1906.08253).
    """

    num_members: int = 5  # networks E
    num_elites: int = 5  # of these, the best on the hold-out set carry dreams (MBPO: 5 of 7; here all)
    bootstrap: bool = True  # each member draws its own sample of the data, with replacement
    bound_weight: float = 0.01  # pull on the learned bounds of the log-variance
    propagation: str = "ts-infinity"  # a row keeps the member of its first step; "ts1": each step draws one anew

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("num_members", self.num_members, 1)
        check_range("num_elites", self.num_elites, 1, self.num_members)
        check_range("bound_weight", self.bound_weight, 0.0)
        check_choice("propagation", self.propagation, PROPAGATIONS)

    @property
    def probabilistic(self) -> bool:
        """Whether the networks predict variances."""
        return True

    @property
    def redraws_members(self) -> bool:
        """Whether every step of a dream draws anew which member carries a row (Chua et al. 2018, section 5)."""
        return self.propagation == "ts1"
