"""The range that dreams are held in: a dream that leaves its data feeds on its own errors, and returns grow without
limit.
"""

from __future__ import annotations

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn

REACH = 10.0  # a limit of the space farther from the data than so many of its widths says nothing


def range_within_reach(
    values: Tensor, low: Tensor, high: Tensor, margin: float, *, reach: float = REACH
) -> tuple[Tensor, Tensor]:
    """Returns the limits of a space where those are finite and near the data, else the range of the data, widened.

    Args:
        values: `[N, F]` data.
        low: `[F]` least values of the space; -inf for no limit.
        high: `[F]` greatest values of the space; inf for no limit.
        margin: by how much the range is widened on both sides, as a fraction of its width, where there is no limit.
        reach: the same where there is one, but farther off than this.

    Returns:
        Least and greatest values `[F]` to hold predictions to.
    """
    least, most = values.amin(0), values.amax(0)
    width = most - least

    def within(limit: Tensor) -> Tensor:
        far = torch.where(limit.isfinite(), reach, margin) * width
        return torch.clamp(limit, least - far, most + far)

    return within(low), within(high)


class Bounds(nn.Module):
    """The box in which predicted observations and rewards are held: that of the space, until `fit`.

    Args:
        space: of observations.
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

    def fit(self, obs: Tensor, reward: Tensor | None, margin: float, *, reach: float = REACH) -> None:
        """Takes the range of observations `[N, D]`, as `range_within_reach` has it, and that of rewards `[N]`; None
        leaves rewards free.
        """
        limits = torch.as_tensor(np.stack([self._space.low, self._space.high]), dtype=obs.dtype, device=obs.device)
        low, high = range_within_reach(obs, limits[0], limits[1], margin, reach=reach)
        self.obs_low.copy_(low)
        self.obs_high.copy_(high)
        if reward is not None:
            self.reward_low.copy_(reward.min())
            self.reward_high.copy_(reward.max())

    def hold_obs(self, obs: Tensor) -> tuple[Tensor, Tensor]:
        """Returns observations `[B, D]` inside the box, and which rows `[B]` had to be held."""
        inside = torch.clamp(obs, self.obs_low, self.obs_high)
        return inside, (inside != obs).any(-1)

    def hold_reward(self, reward: Tensor) -> Tensor:
        """Returns rewards within the range seen."""
        return torch.clamp(reward, self.reward_low, self.reward_high)
