"""Fitting the networks: hold-out, bootstrap, early stopping, elites (Janner et al. 2019, arXiv:1906.08253, appendix
C).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

IMPROVEMENT = 0.01  # relative gain of a member's hold-out losses, on average, that counts
NOTHING_LEFT = 1e-6  # a loss (of standardised values: an error of 0.1 %) below which nothing is to be gained


class Dataset(NamedTuple):
    """Network inputs `[N, I]` and what they should predict.

    Attributes:
        inputs: `[N, I]` observation and action.
        targets: `[N, D + 1]` change of the observation and reward, standardised.
        next_obs: `[N, D]` standardised.
        terminated: `[N]` 1 where the episode ended.
    """

    inputs: Tensor
    targets: Tensor
    next_obs: Tensor
    terminated: Tensor

    def rows(self, chosen: Tensor) -> Dataset:
        """Returns the chosen rows; an index `[E, N]` gives each member its own."""
        return Dataset(*(values[chosen] for values in self))


class FitResult(NamedTuple):
    """Geometric mean of each member's hold-out losses `[E]` at its best, and the gradient steps and epochs made."""

    holdout_loss: Tensor
    updates: int
    epochs: int


def split(num: int, holdout: float, max_holdout: int, *, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Splits `num` rows at random; returns indices for training and for the hold-out set (at least one each).

    Raises:
        ValueError: there are fewer than two rows.
    """
    if num < 2:
        raise ValueError(f"a fit needs at least 2 transitions, got {num}")
    num_holdout = min(max(1, int(num * holdout)), max_holdout)
    order = torch.randperm(num, generator=rng, device=rng.device)
    return order[num_holdout:], order[:num_holdout]


def bootstrap_indices(num: int, num_members: int, *, rng: torch.Generator) -> Tensor:
    """Returns `[E, num]` row numbers, drawn with replacement for each member: it sees about 63.2 % of the rows."""
    return torch.randint(num, (num_members, num), generator=rng, device=rng.device)


def fit_members(
    parameters: list[nn.Parameter],
    loss: Callable[[Dataset], Tensor],
    holdout_loss: Callable[[Dataset], Tensor],
    penalty: Callable[[], Tensor],
    train: Dataset,
    holdout: Dataset,
    *,
    members: Tensor,
    learning_rate: float,
    weight_decay: float,
    batch_size: int,
    max_epochs: int,
    patience: int,
    max_updates: int | None,
    rng: torch.Generator,
    callback: Callable[[int, dict[str, float]], None] | None = None,
) -> FitResult:
    """Trains all members until none has gained for `patience` epochs, and leaves each at its best.

    Each hold-out loss of a member counts by the share of itself that it gains: in a sum, one that cannot be predicted,
    such as a reward that comes once an episode, would hide what the others gain, and end the fit.

    Args:
        parameters: each with leading dimension E, but for those shared by all.
        loss: loss of each member `[E]` on its rows of a dataset, for training.
        holdout_loss: losses of each member `[E, L]`, one for each thing that is predicted, for judging.
        penalty: added to the training loss; a scalar.
        train: what is learned from.
        holdout: what judges.
        members: `[E, N]` rows of `train` for each member.
        learning_rate: of Adam.
        weight_decay: of Adam.
        batch_size: rows a member and a gradient step.
        max_epochs: passes at most.
        patience: epochs without gain.
        max_updates: gradient steps at most; None for no limit.
        rng: shuffles.
        callback: called with the number of gradient steps and metrics after every epoch.
    """
    optimizer = torch.optim.Adam(parameters, lr=learning_rate, weight_decay=weight_decay, fused=True)
    num_members = len(members)
    everyone = torch.arange(len(holdout.targets), device=members.device).expand(num_members, -1)
    best = _evaluate(holdout_loss, holdout.rows(everyone))
    kept = [parameter.detach().clone() for parameter in parameters]
    updates = epochs = since_gain = 0
    while epochs < max_epochs and since_gain < patience and updates != max_updates:
        for batch in _batches(members, batch_size, rng=rng):
            optimizer.zero_grad()
            total = loss(train.rows(batch)).sum() + penalty()
            total.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            updates += 1
            if updates == max_updates:
                break
        epochs += 1
        now = _evaluate(holdout_loss, holdout.rows(everyone))
        gained = best - now > IMPROVEMENT
        _keep(parameters, kept, gained)
        best = torch.where(gained, now, best)
        since_gain = 0 if bool(gained.any()) else since_gain + 1
        if callback is not None:
            callback(updates, {"holdout_loss": float(best.exp().mean()), "epochs": float(epochs)})
    with torch.no_grad():
        for parameter, saved in zip(parameters, kept, strict=True):
            parameter.copy_(saved)
    return FitResult(best.exp(), updates, epochs)


def _evaluate(losses: Callable[[Dataset], Tensor], data: Dataset) -> Tensor:
    """Returns the mean logarithm `[E]` of the losses of each member."""
    with torch.no_grad():
        return losses(data).clamp_min(NOTHING_LEFT).log().mean(-1)


def _batches(members: Tensor, batch_size: int, *, rng: torch.Generator) -> Iterator[Tensor]:
    """Yields `[E, batch_size]` rows, each member's shuffled on its own; the last batch may be shorter."""
    order = torch.rand(members.shape, generator=rng, device=rng.device).argsort(1)
    shuffled = members.gather(1, order)
    for begin in range(0, members.shape[1], batch_size):
        yield shuffled[:, begin : begin + batch_size]


def _keep(parameters: list[nn.Parameter], kept: list[Tensor], gained: Tensor) -> None:
    """Copies the parameters of the members that gained; those shared by all whenever one did."""
    for parameter, saved in zip(parameters, kept, strict=True):
        if parameter.ndim == 3:
            saved[gained] = parameter.detach()[gained]
        elif bool(gained.any()):
            saved.copy_(parameter.detach())
