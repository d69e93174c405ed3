"""What a leaf is worth: rollouts by a simulation policy, and what `evaluate` says of where they end."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo_core.planner import Evaluate
from zoo_core.world_model import State, WorldModel, batch_size, repeat


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
    """
    copies = num_rollouts if depth > 0 else 1
    state = repeat(state, copies) if copies > 1 else state
    num = batch_size(state)
    total, weight = torch.zeros(num, device=rng.device), torch.ones(num, device=rng.device)
    for _ in range(depth):
        logits = None if evaluate is None else evaluate(state, rng=rng).logits
        action = sample_actions(model, state, logits, rng=rng)
        step = model.step(state, action, rng=rng)
        total = total + _weighted(step.reward, weight)
        weight = weight * (gamma * step.continues * step.sign)
        state = step.state
        if not weight.any():
            break
    if evaluate is not None:
        total = total + _weighted(evaluate(state, rng=rng).value, weight)
    return total.reshape(-1, copies).mean(1)


def sample_actions(model: WorldModel, state: State, logits: Tensor | None, *, rng: torch.Generator) -> Tensor:
    """Samples legal actions `[B]` from the softmax of `logits` `[B, A]`, uniformly if that is None (Gumbel-max)."""
    shape = batch_size(state), int(model.action_space.n)  # type: ignore[attr-defined]
    score = torch.rand(shape, generator=rng, device=rng.device)
    if logits is not None:
        score = logits - torch.log(-torch.log(score))
    legal = legal_actions(model, state)
    return score.argmax(1) if legal is None else score.masked_fill(~legal, -torch.inf).argmax(1)


def legal_actions(model: WorldModel, state: State) -> Tensor | None:
    """Returns the model's mask `[B, A]`, all true where nothing is legal: there the episode is over."""
    legal = model.legal_actions(state)
    return None if legal is None else legal | ~legal.any(1, keepdim=True)


def _weighted(value: Tensor, weight: Tensor) -> Tensor:
    """Returns the product, 0 where the weight is 0, whatever the value: nothing comes after an end."""
    return torch.where(weight == 0.0, 0.0, weight * value)
