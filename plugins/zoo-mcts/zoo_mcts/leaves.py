"""What a leaf is worth: rollouts by a simulation policy, and what `evaluate` says of where they end."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from zoo_core.planner import Evaluate, Evaluation
from zoo_core.world_model import State, WorldModel, batch_size, repeat


@runtime_checkable
class PlaysAtRandom(Protocol):
    """A model that makes a whole rollout of uniformly random legal actions by itself, faster than step by step."""

    def random_returns(self, state: State, *, depth: int, gamma: float, rng: torch.Generator) -> Tensor:
        """Returns the returns `[B]` of rollouts of at most `depth` steps, for the player to move in each state."""


def leaf_values(
    model: WorldModel,
    state: State,
    *,
    depth: int,
    num_rollouts: int,
    gamma: float,
    evaluate: Evaluate | None,
    rng: torch.Generator,
) -> Tensor:
    """Returns the mean return `[B]` of rollouts from B states, for the player who moves there.

    The simulation policy is uniform over the legal actions, or the softmax of the logits of `evaluate`.

    Args:
        model: to imagine in.
        state: beliefs of B leaves.
        depth: steps of a rollout.
        num_rollouts: from each leaf.
        gamma: discount γ.
        evaluate: value of where a rollout ends (0 without it), and policy of the way there.
        rng: source of randomness, on the model's device.

    Raises:
        ValueError: what `evaluate` says is of another shape, or its logits are no policy.
    """
    num_actions = int(model.action_space.n)  # type: ignore[attr-defined]
    copies = num_rollouts if depth > 0 else 1
    state = repeat(state, copies) if copies > 1 else state
    if evaluate is None and isinstance(model, PlaysAtRandom):
        return model.random_returns(state, depth=depth, gamma=gamma, rng=rng).reshape(-1, copies).mean(1)
    num = batch_size(state)
    total, weight = torch.zeros(num, device=rng.device), torch.ones(num, device=rng.device)
    for _ in range(depth):
        logits = None if evaluate is None else evaluate_all(evaluate, state, num_actions, rng=rng).logits
        action = sample_actions(model, state, logits, rng=rng)
        step = model.step(state, action, rng=rng)
        total = total + _weighted(step.reward, weight)
        weight = weight * (gamma * step.continues * step.sign)
        state = step.state
        if not weight.any():
            break
    if evaluate is not None:
        total = total + _weighted(evaluate_all(evaluate, state, num_actions, rng=rng).value, weight)
    return total.reshape(-1, copies).mean(1)


def evaluate_all(evaluate: Evaluate, state: State, num_actions: int, *, rng: torch.Generator) -> Evaluation:
    """Returns what `evaluate` says of B states.

    Raises:
        ValueError: its value is not `[B]`, or its logits are not `[B, A]`.
    """
    evaluation, num = evaluate(state, rng=rng), batch_size(state)
    value, logits = evaluation.value, evaluation.logits
    if value.shape != (num,) or (logits is not None and logits.shape != (num, num_actions)):
        raise ValueError(
            f"`evaluate` must return value [{num}] and logits [{num}, {num_actions}] or None for {num} states, "
            f"got value {list(value.shape)}" + ("" if logits is None else f" and logits {list(logits.shape)}")
        )
    return evaluation


def check_policy(logits: Tensor) -> Tensor:
    """Returns logits `[B, A]` if their softmax is a distribution; -inf rules an action out.

    Raises:
        ValueError: there is NaN or inf in a row, or nothing but -inf.
    """
    proper = logits.amax(1).isfinite()
    if not proper.all():
        row = int(proper.int().argmin())
        raise ValueError(
            "`evaluate` must return logits, or None, of which each row's greatest is a finite number, got "
            f"{logits[row].tolist()} for row {row}"
        )
    return logits


def sample_actions(model: WorldModel, state: State, logits: Tensor | None, *, rng: torch.Generator) -> Tensor:
    """Samples legal actions `[B]` from the softmax of `logits` `[B, A]`, uniformly if that is None (Gumbel-max).

    Raises:
        ValueError: the logits of the legal actions are no policy.
    """
    shape = batch_size(state), int(model.action_space.n)  # type: ignore[attr-defined]
    score = torch.rand(shape, generator=rng, device=rng.device)
    legal = model.legal_actions(state)
    if logits is None:
        return _masked(score, legal).argmax(1)
    gumbel = -torch.log(-torch.log(score.clamp_min(torch.finfo(score.dtype).tiny)))  # finite: -inf would be illegal
    return (check_policy(_masked(logits, legal)) + gumbel).argmax(1)


def legal_actions(model: WorldModel, state: State) -> Tensor | None:
    """Returns the model's mask `[B, A]`, all true where nothing is legal: there the episode is over."""
    legal = model.legal_actions(state)
    return None if legal is None else legal | ~legal.any(1, keepdim=True)


def _weighted(value: Tensor, weight: Tensor) -> Tensor:
    """Returns the product, 0 where the weight is 0, whatever the value: nothing comes after an end."""
    return torch.where(weight == 0.0, 0.0, weight * value)


def _masked(score: Tensor, legal: Tensor | None) -> Tensor:
    """Returns the scores `[B, A]` with -inf where an action is illegal; all 0 where all are: there it is over."""
    if legal is None:
        return score
    return torch.where(legal.any(1, keepdim=True), score.masked_fill(~legal, -torch.inf), 0.0)
