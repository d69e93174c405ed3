"""Small latent models as arrays, so that they can be searched in one compiled loop, without torch.

A world model whose step and `evaluate` are made of dense layers has a method

    def dense(self) -> DenseModel | None

made by `pack`, or None where it is not of that kind. It is used if (see `latent_search.dense_of`)

- the planner was given the model's own method, `evaluate=model.evaluate`,
- one class defines `dense`, `step` and `evaluate` (a subclass that alters one of them is searched by calls),
- `model.features(state)` are the latents `[B, F]`, and
- below the root all actions are legal, all episodes go on, and the sign is always the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from zoo_mcts.compiled import Array

TRUNK, REWARD, VALUE, POLICY = range(4)  # parts of a model, in the order of their layers
LEAST_RANGE = 1e-5  # of a latent, that it is divided by where it is scaled
TRANSFORM_SLOPE = 1e-3  # ε of MuZero's transform h(x) = sign(x) (√(|x| + 1) - 1) + ε x


class DenseModel(NamedTuple):
    """The dynamics and the heads of a latent model; what a row goes through, in this order:

    1. x = [latent `[F]`, one-hot action `[A]`] through the trunk's layers, a ReLU after each, also the last if
       `trunk_relu`. What comes out is `[F]`.
    2. If `scaled`: x = (x - min x) / max(max x - min x, 1e-5), of each row; `scale_latent` is the same in torch. This
       is the next latent.
    3. The heads `reward`, `value` and `policy`, each on the next latent: layers with a ReLU after each but the last.
       The policy gives logits `[A]`. Reward and value give one number, or, if their support K is greater than 0, logits
       of 2 K + 1 bins at -K, ..., K: the number is h⁻¹ of their mean under the softmax, with MuZero's
       h⁻¹(x) = sign(x) (((√(1 + 4 ε (|x| + 1 + ε)) - 1) / 2 ε)² - 1), ε = 0.001.

    Attributes:
        weights: float32 `[W]`, all layers one after another: trunk, reward, value, policy; of each layer its weights
            `[outputs, inputs]` row by row, as torch has them, then its bias `[outputs]`. The trunk's first layer is in
            three pieces: the weights of the latent `[outputs, F]`, those of the actions `[A, outputs]`, the bias.
        sizes: int64 `[L, 2]`, inputs and outputs of each layer, in that order.
        depths: int64 `[4]`, number of layers of trunk, reward, value, policy; all at least 1.
        supports: int64 `[2]`, K of reward and value; 0: the head gives the number itself.
        trunk_relu: whether there is a ReLU after the trunk.
        scaled: whether the latent is scaled.
        sign: -1 where players alternate, else 1.
    """

    weights: Array
    sizes: Array
    depths: Array
    supports: Array
    trunk_relu: bool
    scaled: bool
    sign: float


def pack(
    trunk: Sequence[nn.Linear],
    reward: Sequence[nn.Linear],
    value: Sequence[nn.Linear],
    policy: Sequence[nn.Linear],
    *,
    trunk_relu: bool = False,
    scaled: bool = False,
    reward_support: int = 0,
    value_support: int = 0,
    sign: float = 1.0,
) -> DenseModel:
    """Returns the arrays of a model's layers, as they are now; all of them need a bias.

    Args:
        trunk: of latent and action, at least one layer.
        reward: head, at least one layer.
        value: head, at least one layer.
        policy: head, at least one layer.
        trunk_relu: whether there is a ReLU after the trunk's last layer.
        scaled: whether the next latent is scaled to [0, 1].
        reward_support: K of 2 K + 1 bins, 0 for a number.
        value_support: the same of the value.
        sign: -1 where players alternate, else 1.

    Raises:
        ValueError: the sizes do not fit each other.
    """
    parts = [list(part) for part in (trunk, reward, value, policy)]
    _check(parts, reward_support, value_support)
    layers = [layer for part in parts for layer in part]
    first, latent = layers[0].weight.detach(), parts[TRUNK][-1].out_features
    pieces = [first[:, :latent], first[:, latent:].T, layers[0].bias.detach()]
    pieces += [tensor.detach() for layer in layers[1:] for tensor in (layer.weight, layer.bias)]
    weights = torch.cat([piece.reshape(-1) for piece in pieces])
    return DenseModel(
        weights=weights.to(device="cpu", dtype=torch.float32).numpy(),
        sizes=np.array([[layer.in_features, layer.out_features] for layer in layers], np.int64),
        depths=np.array([len(part) for part in parts], np.int64),
        supports=np.array([reward_support, value_support], np.int64),
        trunk_relu=trunk_relu,
        scaled=scaled,
        sign=float(sign),
    )


def scale_latent(latent: Tensor) -> Tensor:
    """Scales latents `[B, F]` to [0, 1], each by its least and greatest number (MuZero, appendix G)."""
    low, high = latent.amin(-1, keepdim=True), latent.amax(-1, keepdim=True)
    return (latent - low) / (high - low).clamp_min(LEAST_RANGE)


def _check(parts: list[list[nn.Linear]], reward_support: int, value_support: int) -> None:
    names = "trunk", "reward", "value", "policy"
    for name, part in zip(names, parts, strict=True):
        if not part or any(layer.bias is None for layer in part):
            raise ValueError(f"{name} needs at least one layer, and each a bias")
        for before, after in itertools.pairwise(part):
            if before.out_features != after.in_features:
                raise ValueError(f"{name} has a layer of {after.in_features} inputs after one of {before.out_features}")
    latent, num_actions = parts[0][-1].out_features, parts[3][-1].out_features
    wanted = {
        "trunk inputs": (parts[0][0].in_features, latent + num_actions),
        "reward inputs": (parts[1][0].in_features, latent),
        "value inputs": (parts[2][0].in_features, latent),
        "policy inputs": (parts[3][0].in_features, latent),
        "reward outputs": (parts[1][-1].out_features, 2 * reward_support + 1),
        "value outputs": (parts[2][-1].out_features, 2 * value_support + 1),
    }
    for what, (got, right) in wanted.items():
        if got != right:
            raise ValueError(f"{what} must be {right} with a latent of {latent} and {num_actions} actions, got {got}")
