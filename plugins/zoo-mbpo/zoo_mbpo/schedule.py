"""How long branched rollouts are: short while the model knows little, longer later."""

from __future__ import annotations

from dataclasses import dataclass

from zoo_core.config import check_range


@dataclass(frozen=True)
class RolloutSchedule:
    """Linear from one length to another over a range of epochs, constant before and after, in whole steps (Janner et
    al. 2019, arXiv:1906.08253, table 1: "x → y over epochs a → b").
    """

    first_epoch: int  # a, up to which rollouts have the first length
    last_epoch: int  # b, from which on they have the last
    first_length: int  # x, steps
    last_length: int  # y, steps

    def __post_init__(self) -> None:
        check_range("first_epoch of the rollout schedule", self.first_epoch, 0)
        if self.last_epoch <= self.first_epoch:
            raise ValueError(
                "the rollout schedule is (first_epoch, last_epoch, first_length, last_length) with first_epoch < "
                f"last_epoch, got first_epoch={self.first_epoch}, last_epoch={self.last_epoch}"
            )
        for name in ("first_length", "last_length"):
            check_range(f"{name} of the rollout schedule", getattr(self, name), 1)

    def length_at(self, epoch: int) -> int:
        """Returns the steps of a rollout in an epoch, counted from 0."""
        passed = min(max(epoch, self.first_epoch), self.last_epoch) - self.first_epoch
        gained = passed * (self.last_length - self.first_length) // (self.last_epoch - self.first_epoch)
        return self.first_length + gained
