"""MuZero's loss: K steps of the dynamics, and at each what the search, the return and the reward say."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from zoo_muzero.networks import Network
from zoo_muzero.support import two_hot_loss

DYNAMICS_GRADIENT = 0.5  # of the gradient into the hidden state that a step begins with


class Batch(NamedTuple):
    """What an update learns from: B positions, and K actions from each.

    Attributes:
        frames: `[B, history, ...]` last observations, the newest last; 0 before the episode.
        past_actions: int64 `[B, history - 1]` between them, -1 before the episode; None without history.
        action: int64 `[B, K]`; after the end of an episode any.
        reward: `[B, K]` that followed, for the player who moved; 0 after the end.
        value: `[B, K + 1]` return from each position, for the player who moves there; 0 after the end.
        policy: `[B, K + 1, A]` what the search recommends; uniform after the end.
        known: bool `[B, K + 1]`, false after a position beyond which nothing was seen, though the episode went on.
        weight: `[B]` importance of each row.
    """

    frames: Tensor
    past_actions: Tensor | None
    action: Tensor
    reward: Tensor
    value: Tensor
    policy: Tensor
    known: Tensor
    weight: Tensor


class Losses(NamedTuple):
    """Losses of B rows, each `[B]` summed over the K + 1 positions with their scales."""

    value: Tensor
    policy: Tensor
    reward: Tensor


def scale_gradient(x: Tensor, scale: float) -> Tensor:
    """Returns x, through which only `scale` of a gradient passes."""
    return x * scale + x.detach() * (1.0 - scale)


def unroll(network: Network, batch: Batch) -> list[Tensor]:
    """Returns the hidden states `[B, ...]` of the K + 1 positions.

    The gradient into the state that a step of the dynamics begins with is halved, so that of the k-th position reaches
    the first with 1 / 2^k of its strength (appendix G).
    """
    hidden = network.represent(batch.frames, batch.past_actions)
    states = [hidden]
    for action in batch.action.unbind(1):
        hidden = network.dynamics(scale_gradient(hidden, DYNAMICS_GRADIENT), action)
        states.append(hidden)
    return states


def position_scale(unroll_steps: int, like: Tensor) -> Tensor:
    """Returns `[K + 1]`: 1 for the first position, 1 / K for each that was imagined (appendix G)."""
    scale = torch.full((unroll_steps + 1,), 1.0 / unroll_steps, dtype=like.dtype, device=like.device)
    scale[0] = 1.0
    return scale


def muzero_losses(network: Network, batch: Batch, *, value_support: int, reward_support: int) -> Losses:
    """Returns the cross-entropies of value, policy and reward (eq. 1).

    The heads see all K + 1 positions in one call.
    """
    num, unroll_steps = batch.action.shape
    said = network.predict(torch.cat(unroll(network, batch)))
    value, policy, reward = (logits.reshape(unroll_steps + 1, num, -1).transpose(0, 1) for logits in said)
    scale = position_scale(unroll_steps, batch.value) * batch.known
    return Losses(
        value=(two_hot_loss(value, batch.value, value_support) * scale).sum(1),
        policy=(-(batch.policy * log_softmax(policy, -1)).sum(-1) * scale).sum(1),
        reward=(two_hot_loss(reward[:, 1:], batch.reward, reward_support) * scale[:, 1:]).sum(1),
    )
