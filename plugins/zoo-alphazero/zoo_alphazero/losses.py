"""AlphaZero's loss, and what it is learned from."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from zoo_mcts.games.game import Array


def outcomes(reward: Array, player: Array) -> Array:
    """Returns how the game went on from each of its positions, for the player to move there: z.

    With a reward at the end alone it is the outcome of the game, its sign that of the player. Who moves twice keeps it.

    Args:
        reward: float `[T]`, for the player who moved.
        player: int `[T]`, who moved.

    Returns:
        float32 `[T]`, the sum of all rewards from there on.
    """
    sign = 1 - 2 * player.astype(np.int64)
    after: Array = np.cumsum((reward * sign)[::-1])[::-1] * sign
    return after.astype(np.float32)


def policy_loss(logits: Tensor, policy: Tensor, legal: Tensor) -> Tensor:
    """Returns -π · log p, `[B]`, with p among legal moves alone.

    Args:
        logits: `[B, A]`.
        policy: `[B, A]` π, what the search recommends; 0 where a move is illegal.
        legal: bool `[B, A]`.
    """
    log_prob = torch.log_softmax(logits.masked_fill(~legal, -torch.inf), 1)
    return -(policy * log_prob.masked_fill(~legal, 0.0)).sum(1)


def value_loss(value: Tensor, outcome: Tensor) -> Tensor:
    """Returns (z - v)², `[B]`."""
    return (outcome - value).square()


def entropy(policy: Tensor) -> Tensor:
    """Returns the entropy of policies `[B, A]`, `[B]`, in nats."""
    return -torch.xlogy(policy, policy).sum(1)
