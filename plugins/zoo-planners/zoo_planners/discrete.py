"""Discrete actions: which may be taken, and how one is drawn."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from zoo_core.world_model import State, WorldModel, batch_size


def legal_actions(model: WorldModel, state: State, num_actions: int) -> Tensor:
    """Returns a mask `[B, A]`, true where an action is legal; all are where none is: there the episode is over."""
    legal = model.legal_actions(state)
    if legal is None:
        return torch.ones(batch_size(state), num_actions, dtype=torch.bool, device=model.device)
    return legal | ~legal.any(-1, keepdim=True)


def each_action(legal: Tensor) -> Tensor:
    """Returns every action of every row, `[B, A]`; a legal one in place of those that are not."""
    every = torch.arange(legal.shape[-1], device=legal.device).expand_as(legal)
    return torch.where(legal, every, legal.int().argmax(-1, keepdim=True))


def draw_action(logits: Tensor, legal: Tensor, rng: torch.Generator) -> Tensor:
    """Draws legal actions `[B]` from the softmax of logits `[B, A]`, as the greatest of the perturbed logits (Gumbel).

    Raises:
        ValueError: the logits of a row's legal actions are no policy; -inf rules an action out.
    """
    logits = logits.masked_fill(~legal, -torch.inf)
    proper = logits.amax(-1).isfinite()
    if not bool(proper.all()):
        row = int(proper.int().argmin())
        raise ValueError(
            "`evaluate` must return logits, or None, of which the greatest of each row's legal actions is a finite "
            f"number, got {logits[row].tolist()} for row {row}"
        )
    return (logits + gumbel(logits.shape, rng)).argmax(-1)


def gumbel(shape: Sequence[int], rng: torch.Generator) -> Tensor:
    """Draws from the standard Gumbel distribution: the greatest of perturbed logits is a sample of their softmax."""
    exponential = -torch.log1p(-torch.rand(tuple(shape), generator=rng, device=rng.device))  # rand is in [0, 1)
    return -exponential.clamp_min(torch.finfo(exponential.dtype).tiny).log()
