"""What `evaluate` says of states, checked: what has another shape would be spread over the wrong rows."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo_core.planner import Evaluate, Evaluation
from zoo_core.world_model import State, batch_size


def state_values(evaluate: Evaluate | None, state: State, rng: torch.Generator) -> Tensor:
    """Returns what B states are worth, `[B]`; 0 without `evaluate`.

    Raises:
        TypeError: `evaluate` returns no `Evaluation`.
        ValueError: the values are not `[B]`.
    """
    num = batch_size(state)
    if evaluate is None:
        return torch.zeros(num, device=rng.device)
    return _checked(_ask(evaluate, state, rng).value, [num], "value")


def policy_logits(evaluate: Evaluate | None, state: State, num_actions: int, rng: torch.Generator) -> Tensor:
    """Returns logits `[B, A]` of a policy over Discrete actions; 0 where `evaluate` has none.

    Raises:
        TypeError: `evaluate` returns no `Evaluation`.
        ValueError: the logits are not `[B, A]`.
    """
    shape = [batch_size(state), num_actions]
    logits = None if evaluate is None else _ask(evaluate, state, rng).logits
    return torch.zeros(shape, device=rng.device) if logits is None else _checked(logits, shape, "logits")


def policy_actions(
    evaluate: Evaluate | None, state: State, shape: tuple[int, ...], rng: torch.Generator
) -> Tensor | None:
    """Returns a policy's Box actions `[B, *shape]`, float32; None where `evaluate` has none.

    Raises:
        TypeError: `evaluate` returns no `Evaluation`.
        ValueError: the actions are not `[B, *shape]`.
    """
    action = None if evaluate is None else _ask(evaluate, state, rng).action
    return None if action is None else _checked(action, [batch_size(state), *shape], "action").float()


def _ask(evaluate: Evaluate, state: State, rng: torch.Generator) -> Evaluation:
    said = evaluate(state, rng=rng)
    if not isinstance(said, Evaluation):
        raise TypeError(
            "`evaluate` must return a zoo_core.Evaluation(value, logits=None, action=None), got "
            f"{type(said).__name__}: {said!r:.60}"
        )
    return said


def _checked(said: Tensor, shape: list[int], what: str) -> Tensor:
    if list(said.shape) != shape:
        raise ValueError(f"`evaluate` must return {what} {shape} for {shape[0]} states, got {list(said.shape)}")
    return said
