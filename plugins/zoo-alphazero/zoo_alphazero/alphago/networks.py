"""AlphaGo's networks: policies p_σ and p_ρ, and the value v_θ, each with a body of its own."""

from __future__ import annotations

import copy
import math

import numpy as np
import torch
from gymnasium.spaces import Box
from torch import Tensor, nn
from torch.nn import functional

from zoo_alphazero.networks import MLP, NETWORKS, BoardHead, ConvNorm, Tower
from zoo_core.seeding import construction_rng
from zoo_mcts.games.game import Array, Game

_POLICY_CHANNELS, _VALUE_CHANNELS = 8, 4  # filters of the heads


class OneHead(nn.Module):
    """A body and a head.

    Args:
        view: space of the planes.
        outputs: numbers that come out.
        network: "residual", for planes `[H, W, C]`, or "mlp", for any view.
        num_blocks: residual blocks, or hidden layers of the MLP.
        channels: filters, or units of a layer.
        head_channels: filters of the head; the MLP has none.
        hidden: units of a layer before the last; 0 for none.

    Raises:
        ValueError: there is no such network, or the tower is asked for on a view without a board.
    """

    def __init__(
        self,
        view: Box,
        outputs: int,
        *,
        network: str,
        num_blocks: int,
        channels: int,
        head_channels: int,
        hidden: int = 0,
    ) -> None:
        super().__init__()
        if network not in NETWORKS:
            raise ValueError(f"network must be one of {', '.join(NETWORKS)}, got {network!r}")
        self.body: nn.Module
        self.head: nn.Module
        if network == "mlp":
            self.body = MLP(math.prod(view.shape), num_blocks, channels)
            self.head = nn.Linear(channels, outputs)
            return
        if len(view.shape) != 3:
            raise ValueError(
                f"a residual tower needs planes [H, W, C], the view is {list(view.shape)}: set network=mlp"
            )
        height, width, planes = view.shape
        self.body = Tower(planes, num_blocks, channels)
        self.head = BoardHead(channels, head_channels, height * width, outputs, hidden)

    def forward(self, planes: Tensor) -> Tensor:
        """Maps planes `[B, ...]` of any type to `[B, outputs]`."""
        out: Tensor = self.head(self.body(planes.float()))
        return out


def make_policy(game: Game, *, seed: int, network: str, num_blocks: int, channels: int) -> OneHead:
    """Makes a policy: planes `[B, ...]` to logits `[B, A]` that know nothing of the rules."""
    size = {"network": network, "num_blocks": num_blocks, "channels": channels}
    with construction_rng(seed):
        return OneHead(game.view, game.num_actions, head_channels=_POLICY_CHANNELS, **size)  # type: ignore[arg-type]


def make_value(game: Game, *, seed: int, network: str, num_blocks: int, channels: int) -> OneHead:
    """Makes a value network: planes `[B, ...]` to `[B, 1]`, of which `value_of` makes v_θ."""
    size = {"network": network, "num_blocks": num_blocks, "channels": channels}
    with construction_rng(seed):
        return OneHead(game.view, 1, head_channels=_VALUE_CHANNELS, hidden=channels, **size)  # type: ignore[arg-type]


def value_of(network: nn.Module, planes: Tensor) -> Tensor:
    """Returns v_θ `[B]` in (-1, 1), for the player to move."""
    return torch.tanh(network(planes).squeeze(1))


class LinearPolicy(nn.Module):
    """The rollout policy p_π: a softmax of numbers that are linear in the planes; much faster, and less right.

    Args:
        game: the rules.
    """

    def __init__(self, game: Game) -> None:
        super().__init__()
        self.linear = nn.Linear(math.prod(game.view.shape), game.num_actions)
        nn.init.zeros_(self.linear.weight)  # it begins uniform
        nn.init.zeros_(self.linear.bias)

    def forward(self, planes: Tensor) -> Tensor:
        """Maps planes `[B, ...]` of any type to logits `[B, A]`."""
        logits: Tensor = self.linear(planes.flatten(1).float())
        return logits

    def arrays(self) -> tuple[Array, Array]:
        """Returns what rollouts compute with: weights `[F, A]` and bias `[A]`."""
        weight, bias = (tensor.detach().cpu().numpy() for tensor in (self.linear.weight, self.linear.bias))
        return np.ascontiguousarray(weight.T), bias.copy()


def freeze(network: nn.Module) -> nn.Module:
    """Returns a copy for evaluation alone, with the same output: norms are folded into convolutions."""
    frozen = copy.deepcopy(network).eval().requires_grad_(False)
    for module in frozen.modules():
        if isinstance(module, ConvNorm):
            module.fold()
    return frozen.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def log_policy(logits: Tensor, legal: Tensor) -> Tensor:
    """Returns log p `[B, A]`: the softmax over the legal moves, -inf for the others."""
    return functional.log_softmax(logits.masked_fill(~legal, -torch.inf), dim=1)
