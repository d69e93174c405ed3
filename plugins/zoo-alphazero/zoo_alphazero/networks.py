"""Networks of board games: a residual tower or an MLP, with heads for policy and value.

The norm is batch normalisation, as in the papers. In evaluation it is a fixed scale and shift, so rows do not know of
each other, whatever the batch; `fold` puts it into the convolution before it, and it costs a search nothing.
"""

from __future__ import annotations

import copy
import math
from typing import cast

import torch
from gymnasium.spaces import Box
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from zoo_core.seeding import construction_rng

NETWORKS = ("residual", "mlp")


class ConvNorm(nn.Module):
    """A convolution that keeps the size of the board, and its norm."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Maps `[B, inputs, H, W]` to `[B, outputs, H, W]`."""
        return cast(Tensor, self.norm(self.conv(x)))

    def fold(self) -> None:
        """Puts the norm's scale and shift into the convolution."""
        if isinstance(self.norm, nn.BatchNorm2d):
            self.conv, self.norm = fuse_conv_bn_eval(self.conv, self.norm), nn.Identity()


class ResidualBlock(nn.Module):
    """Two convolutions of 3 x 3, and a way around them (Silver et al. 2017, doi:10.1038/nature24270, methods)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = ConvNorm(channels, channels, 3)
        self.second = ConvNorm(channels, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Maps `[B, channels, H, W]` to the same shape."""
        return functional.relu(self.second(functional.relu(self.first(x), inplace=True)).add_(x), inplace=True)


class Tower(nn.Module):
    """A convolution and residual blocks, on planes as a player sees them.

    Args:
        planes: C of the view.
        num_blocks: residual blocks.
        channels: filters of every convolution.
    """

    def __init__(self, planes: int, num_blocks: int, channels: int) -> None:
        super().__init__()
        self.stem = ConvNorm(planes, channels, 3)
        self.blocks = nn.Sequential(*(ResidualBlock(channels) for _ in range(num_blocks)))

    def forward(self, planes: Tensor) -> Tensor:
        """Maps planes `[B, H, W, C]` to features `[B, channels, H, W]`, in the memory format "channels last"."""
        return cast(Tensor, self.blocks(functional.relu(self.stem(planes.permute(0, 3, 1, 2)), inplace=True)))


class BoardHead(nn.Module):
    """A convolution of 1 x 1, then a linear layer over the whole board, with hidden units before it or without.

    Args:
        inputs: channels of the features.
        channels: filters of the convolution.
        board: cells of the board.
        outputs: numbers that come out.
        hidden: units of a layer in between; 0 for none.
    """

    def __init__(self, inputs: int, channels: int, board: int, outputs: int, hidden: int = 0) -> None:
        super().__init__()
        self.conv = ConvNorm(inputs, channels, 1)
        last = nn.Linear(hidden or channels * board, outputs)
        self.layers = nn.Sequential(nn.Linear(channels * board, hidden), nn.ReLU(), last) if hidden else last

    def forward(self, features: Tensor) -> Tensor:
        """Maps features `[B, inputs, H, W]` to `[B, outputs]`."""
        return cast(Tensor, self.layers(functional.relu(self.conv(features), inplace=True).flatten(1)))


class MLP(nn.Sequential):
    """Layers of equal width, on a flat view.

    Args:
        inputs: numbers in the view.
        num_layers: hidden layers.
        width: units of each.
    """

    def __init__(self, inputs: int, num_layers: int, width: int) -> None:
        layers: list[nn.Module] = [nn.Flatten()]
        for i in range(num_layers):
            layers += [nn.Linear(inputs if i == 0 else width, width), nn.ReLU()]
        super().__init__(*layers)


class PolicyValueNetwork(nn.Module):
    """One body, two heads: f(s) = (p, v).

    Args:
        view: space of the planes.
        num_actions: A.
        network: "residual", for planes `[H, W, C]`, or "mlp", for any view.
        num_blocks: residual blocks, or hidden layers of the MLP.
        channels: filters, or units of a layer.
        policy_channels: filters of the policy head; the MLP has none.
        value_channels: filters of the value head; the MLP has none.
        value_hidden: units of the value head's hidden layer; the MLP has none.

    Raises:
        ValueError: there is no such network, or the tower is asked for on a view without a board.
    """

    def __init__(
        self,
        view: Box,
        num_actions: int,
        *,
        network: str,
        num_blocks: int,
        channels: int,
        policy_channels: int = 2,
        value_channels: int = 1,
        value_hidden: int = 256,
    ) -> None:
        super().__init__()
        if network not in NETWORKS:
            raise ValueError(f"network must be one of {', '.join(NETWORKS)}, got {network!r}")
        self.dtype = torch.float32  # of the body
        self.body: nn.Module
        if network == "mlp":
            self.body = MLP(math.prod(view.shape), num_blocks, channels)
            self.policy_head: nn.Module = nn.Linear(channels, num_actions)
            self.value_head: nn.Module = nn.Linear(channels, 1)
            return
        if len(view.shape) != 3:
            raise ValueError(
                f"a residual tower needs planes [H, W, C], the view is {list(view.shape)}: set network=mlp"
            )
        height, width, planes = view.shape
        self.body = Tower(planes, num_blocks, channels)
        self.policy_head = BoardHead(channels, policy_channels, height * width, num_actions)
        self.value_head = BoardHead(channels, value_channels, height * width, 1, value_hidden)

    def forward(self, planes: Tensor) -> tuple[Tensor, Tensor]:
        """Judges positions.

        Args:
            planes: `[B, ...]` as a player sees them, of any type.

        Returns:
            The value `[B]` in (-1, 1) for the player to move, and logits `[B, A]`.
        """
        features = self.body(planes.to(self.dtype)).float()
        return torch.tanh(self.value_head(features).squeeze(1)), self.policy_head(features)


def make_network(
    view: Box, num_actions: int, *, seed: int, device: torch.device, **size: str | int
) -> PolicyValueNetwork:
    """Makes a network whose weights depend on the seed alone; `size` as of `PolicyValueNetwork`."""
    with construction_rng(seed):
        network = PolicyValueNetwork(view, num_actions, **size)  # type: ignore[arg-type]
    return network.to(device)


def fold(network: PolicyValueNetwork, dtype: torch.dtype = torch.float32) -> PolicyValueNetwork:
    """Returns a copy for evaluation alone, with the same output: norms are folded into convolutions.

    Args:
        network: to copy.
        dtype: of the body; with bfloat16 the output is the same to about two digits.
    """
    folded = copy.deepcopy(network).eval().requires_grad_(False)
    for module in folded.modules():
        if isinstance(module, ConvNorm):
            module.fold()
    folded.body.to(dtype)
    folded.dtype = dtype
    for parameter in folded.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return folded
