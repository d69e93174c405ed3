"""What `evaluate` says of states, checked: a value or logits of another shape would be spread over the wrong rows."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo_core.planner import Evaluate
from zoo_core.world_model import State, batch_size


def state_values(evaluate: Evaluate | None, state: State, rng: torch.Generator) -> Tensor:
    """Returns what B states are worth, `[B]`; 0 without `evaluate`.

    Raises:
        ValueError: the values are not `[B]`.
    """
    num = batch_size(state)
    if evaluate is None:
        return torch.zeros(num, device=rng.device)
    return _checked(evaluate(state, rng=rng).value, [num], "value")


def policy_logits(evaluate: Evaluate | None, state: State, num_actions: int, rng: torch.Generator) -> Tensor:
    """Returns logits `[B, A]` of a policy over Discrete actions; 0 where `evaluate` has none.

    Raises:
        ValueError: the logits are not `[B, A]`.
    """
    shape = [batch_size(state), num_actions]
    logits = None if evaluate is None else evaluate(state, rng=rng).logits
    return torch.zeros(shape, device=rng.device) if logits is None else _checked(logits, shape, "logits")


def _checked(said: Tensor, shape: list[int], what: str) -> Tensor:
    if list(said.shape) != shape:
        raise ValueError(f"`evaluate` must return {what} {shape} for {shape[0]} states, got {list(said.shape)}")
    return said
