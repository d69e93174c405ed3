"""What the data says about units and limits: standardisation, and the range that dreams stay in."""

from __future__ import annotations

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn

MIN_STD = 1e-6  # a dimension that varies less is constant, and is not divided
REACH = 10.0  # a limit of the space farther from the data than so many of its widths says nothing


class Standardizer(nn.Module):
    """Maps values `[..., D]` to zero mean and unit deviation, and back; the identity until `fit`."""

    mean: Tensor
    std: Tensor

    def __init__(self, num: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(num))
        self.register_buffer("std", torch.ones(num))

    def fit(self, values: Tensor) -> None:
        """Takes mean and deviation from `[N, D]`; constant dimensions keep a deviation of 1."""
        std = values.std(0, unbiased=False)
        self.mean.copy_(values.mean(0))
        self.std.copy_(torch.where(std < MIN_STD, torch.ones_like(std), std))

    def forward(self, values: Tensor) -> Tensor:
        """Standardises."""
        return (values - self.mean) / self.std


class Bounds(nn.Module):
    """The box in which predicted observations and rewards are held; infinite until `fit`.

    A dream that leaves the data feeds on its own errors: without bounds, returns grow without limit.
    """

    obs_low: Tensor
    obs_high: Tensor
    reward_low: Tensor
    reward_high: Tensor

    def __init__(self, space: spaces.Box) -> None:
        super().__init__()
        self.register_buffer("obs_low", torch.tensor(np.asarray(space.low, np.float32)))
        self.register_buffer("obs_high", torch.tensor(np.asarray(space.high, np.float32)))
        self.register_buffer("reward_low", torch.tensor(-torch.inf))
        self.register_buffer("reward_high", torch.tensor(torch.inf))
        self._space = space

    def fit(self, obs: Tensor, reward: Tensor, margin: float) -> None:
        """Takes the range of observations `[N, D]`, widened on both sides by `margin` times its width, or up to the
        limits of the space where those are finite and within reach. Rewards `[N]` give their range.
        """
        low, high = obs.amin(0), obs.amax(0)
        for bound, of_space in ((self.obs_low, self._space.low), (self.obs_high, self._space.high)):
            limit = torch.as_tensor(of_space, dtype=obs.dtype, device=obs.device)
            reach = torch.where(limit.isfinite(), REACH, margin) * (high - low)
            bound.copy_(torch.clamp(limit, low - reach, high + reach))
        self.reward_low.copy_(reward.min())
        self.reward_high.copy_(reward.max())

    def hold_obs(self, obs: Tensor) -> tuple[Tensor, Tensor]:
        """Returns observations `[B, D]` inside the box, and which rows `[B]` had to be held."""
        inside = torch.clamp(obs, self.obs_low, self.obs_high)
        return inside, (inside != obs).any(-1)

    def hold_reward(self, reward: Tensor) -> Tensor:
        """Returns rewards within the range seen."""
        return torch.clamp(reward, self.reward_low, self.reward_high)
