"""The three functions of MuZero: representation h, dynamics g, prediction f; of dense layers, or of convolutions."""

from __future__ import annotations

import itertools
import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot, relu

from zoo_mcts.dense import DenseModel, pack, scale_latent

MAX_SIDE = 16  # cells; larger images are halved by strides until they fit
ACTION_PLANES = 4  # in which the dynamics sees an action, learned for each
HEAD_CHANNELS = 8  # of a head's convolution of 1 x 1


class Prediction(NamedTuple):
    """What f and the reward of g say of hidden states, as logits: value and reward over bins, policy over actions."""

    value: Tensor
    policy: Tensor
    reward: Tensor


class Sizes(NamedTuple):
    """Sizes of the networks; see `MuZeroModelConfig`."""

    history: int
    latent: int
    hidden: int
    num_layers: int
    channels: int
    num_blocks: int
    value_support: int
    reward_support: int


class Network(nn.Module):
    """What both kinds share: the past actions, and heads that see the hidden state.

    Args:
        num_actions: A.
        heads: one that makes `[B, n]` of hidden states for each of value, policy, reward.
    """

    def __init__(self, num_actions: int, heads: Sequence[nn.Module]) -> None:
        super().__init__()
        self.num_actions = num_actions
        self.value, self.policy, self.reward = heads
        for head in heads:  # nothing is preferred, and all is worth nothing, before something was learned
            for parameter in cast(nn.Sequential, head)[-1].parameters():
                nn.init.zeros_(parameter)

    @abstractmethod
    def represent(self, frames: Tensor, actions: Tensor | None) -> Tensor:
        """Returns hidden states of the last observations (h).

        Args:
            frames: `[B, history, ...]`, the newest last; 0 before the episode.
            actions: int64 `[B, history - 1]` chosen between them, -1 before the episode; None without history.
        """

    @abstractmethod
    def dynamics(self, hidden: Tensor, action: Tensor) -> Tensor:
        """Returns the hidden states after actions, int64 `[B]` (g)."""

    def predict(self, hidden: Tensor) -> Prediction:
        """Returns value, policy, and the reward of the step that led to each hidden state (f, and the rest of g)."""
        return Prediction(self.value(hidden), self.policy(hidden), self.reward(hidden))

    def dense(self, *, value_support: int, reward_support: int, sign: float) -> DenseModel | None:
        """Returns the network for the compiled search, if it is of dense layers."""
        return None


class DenseNetwork(Network):
    """Dense layers, for vectors.

    Args:
        inputs: numbers in an observation.
        num_actions: A.
        sizes: of the layers.
    """

    def __init__(self, inputs: int, num_actions: int, sizes: Sizes) -> None:
        latent, inner = sizes.latent, [sizes.hidden] * sizes.num_layers
        outputs = (2 * sizes.value_support + 1, num_actions, 2 * sizes.reward_support + 1)
        super().__init__(num_actions, [dense_layers(latent, sizes.hidden, each) for each in outputs])
        seen = sizes.history * inputs + (sizes.history - 1) * num_actions
        self.representation = dense_layers(seen, *inner, latent)
        self.trunk = dense_layers(latent + num_actions, *inner, latent)

    def represent(self, frames: Tensor, actions: Tensor | None) -> Tensor:
        """Maps flat observations to hidden states `[B, latent]`, scaled to [0, 1]."""
        seen = [frames.flatten(1).float()]
        if actions is not None:
            seen.append(past_one_hot(actions, self.num_actions).flatten(1))
        return scale_latent(self.representation(torch.cat(seen, 1)))

    def dynamics(self, hidden: Tensor, action: Tensor) -> Tensor:
        """Maps hidden states and actions to hidden states, scaled to [0, 1]."""
        chosen = one_hot(action, self.num_actions).to(hidden.dtype)
        return scale_latent(self.trunk(torch.cat([hidden, chosen], 1)))

    def dense(self, *, value_support: int, reward_support: int, sign: float) -> DenseModel:
        """Returns the layers of dynamics and heads as arrays."""
        parts = (self.trunk, self.reward, self.value, self.policy)
        trunk, reward, value, policy = (
            [each for each in part.modules() if isinstance(each, nn.Linear)] for part in parts
        )
        return pack(
            trunk,
            reward,
            value,
            policy,
            scaled=True,
            reward_support=reward_support,
            value_support=value_support,
            sign=sign,
        )


class ConvNetwork(Network):
    """Convolutions and residual blocks, for images and boards.

    Args:
        shape: H, W, C of an observation.
        num_actions: A.
        sizes: of the layers.
        bright: what an observation is divided by: 255 for bytes.
    """

    def __init__(self, shape: tuple[int, int, int], num_actions: int, sizes: Sizes, *, bright: float) -> None:
        height, width, planes = shape
        halvings = max(0, math.ceil(math.log2(max(height, width) / MAX_SIDE)))
        self_height, self_width = (_halved(side, halvings) for side in (height, width))
        board, channels = self_height * self_width, sizes.channels
        outputs = (2 * sizes.value_support + 1, num_actions, 2 * sizes.reward_support + 1)
        super().__init__(num_actions, [board_head(channels, board, sizes.hidden, each) for each in outputs])
        self.bright, self.board = bright, (self_height, self_width)
        stem = ConvNorm(sizes.history * planes + sizes.history - 1, channels)
        smaller = [ConvNorm(channels, channels, stride=2) for _ in range(halvings)]
        self.representation = nn.Sequential(stem, *smaller, *(Residual(channels) for _ in range(sizes.num_blocks)))
        self.action = nn.Embedding(num_actions, ACTION_PLANES * board)
        self.trunk = nn.Sequential(
            ConvNorm(channels + ACTION_PLANES, channels), *(Residual(channels) for _ in range(sizes.num_blocks))
        )

    def represent(self, frames: Tensor, actions: Tensor | None) -> Tensor:
        """Maps observations `[B, history, H, W, C]` to hidden states `[B, channels, h, w]`, scaled to [0, 1].

        A past action is a plane of (a + 1) / A, 0 where there was none.
        """
        num, _, height, width, _ = frames.shape
        planes = [frames.movedim(-1, 2).reshape(num, -1, height, width).float() / self.bright]
        if actions is not None:
            level = (actions + 1).float() / self.num_actions
            planes.append(level[:, :, None, None].expand(-1, -1, height, width))
        return scale_board(self.representation(torch.cat(planes, 1)))

    def dynamics(self, hidden: Tensor, action: Tensor) -> Tensor:
        """Maps hidden states and actions to hidden states, scaled to [0, 1]; they go around the layers too."""
        chosen = self.action(action).reshape(-1, ACTION_PLANES, *self.board)
        return scale_board(self.trunk(torch.cat([hidden, chosen], 1)) + hidden)


class ConvNorm(nn.Sequential):
    """A convolution of 3 x 3, a norm over each row's planes, a ReLU."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1) -> None:
        conv = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        super().__init__(conv, nn.GroupNorm(1, outputs), nn.ReLU())


class Residual(nn.Module):
    """Two convolutions, and a way around them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = ConvNorm(channels, channels)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.GroupNorm(1, channels))

    def forward(self, x: Tensor) -> Tensor:
        """Maps `[B, channels, H, W]` to the same shape."""
        return relu(x + self.second(self.first(x)))


def make_network(shape: tuple[int, ...], num_actions: int, sizes: Sizes, *, kind: str, bright: float) -> Network:
    """Makes the networks of a kind, "mlp" or "conv"; "auto": convolutions where there are planes.

    Raises:
        ValueError: convolutions are asked for, and an observation has no planes.
    """
    if kind == "conv" and len(shape) != 3:
        raise ValueError(f"convolutions need observations [H, W, C], got {list(shape)}: set network=mlp")
    if kind == "conv" or (kind == "auto" and len(shape) == 3):
        return ConvNetwork(cast(Any, shape), num_actions, sizes, bright=bright)
    return DenseNetwork(math.prod(shape), num_actions, sizes)


def dense_layers(*sizes: int) -> nn.Sequential:
    """Returns dense layers with a ReLU between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def board_head(channels: int, board: int, hidden: int, outputs: int) -> nn.Sequential:
    """Returns a convolution of 1 x 1, and dense layers over the whole board."""
    return nn.Sequential(
        nn.Conv2d(channels, HEAD_CHANNELS, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(HEAD_CHANNELS * board, hidden),
        nn.ReLU(),
        nn.Linear(hidden, outputs),
    )


def scale_board(hidden: Tensor) -> Tensor:
    """Scales hidden states `[B, C, H, W]` to [0, 1], each by its least and greatest number (appendix G)."""
    return scale_latent(hidden.flatten(1)).reshape(hidden.shape)


def past_one_hot(actions: Tensor, num_actions: int) -> Tensor:
    """Returns float32 `[B, T, A]`; all 0 where there was no action (-1)."""
    return one_hot(actions + 1, num_actions + 1)[..., 1:].float()


def _halved(side: int, times: int) -> int:
    for _ in range(times):
        side = (side + 1) // 2
    return side
