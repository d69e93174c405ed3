"""The range of data: what keeps a dream in the world."""

from __future__ import annotations

from typing import Any

import torch
from gymnasium import spaces
from torch import Tensor, nn


class DataRange(nn.Module):
    """The range of the values that were seen, with a margin, inside the bounds of their space.

    Args:
        space: Box whose values are held, flattened; None: one unbounded number, such as a reward.
    """

    low: Tensor
    high: Tensor

    def __init__(self, space: spaces.Box | None = None) -> None:
        super().__init__()
        low, high = (space.low, space.high) if space is not None else ([-torch.inf], [torch.inf])
        self.register_buffer("low", torch.tensor(low, dtype=torch.float32).reshape(-1))
        self.register_buffer("high", torch.tensor(high, dtype=torch.float32).reshape(-1))
        self._bounds = self.low.clone(), self.high.clone()

    def fit(self, values: Tensor, *, margin: float = 0.05) -> None:
        """Takes the range of `values` `[N, F]`, widened by `margin` of its width and cut to the bounds of the space."""
        least, most = values.amin(0), values.amax(0)
        width = (most - least).clamp_min(1e-3)  # a constant still needs a range
        self.low.copy_(torch.maximum(self._bounds[0].to(values.device), least - margin * width))
        self.high.copy_(torch.minimum(self._bounds[1].to(values.device), most + margin * width))

    def hold(self, values: Tensor) -> Tensor:
        """Returns `values` `[B, F]`, moved into the range."""
        return values.clamp(self.low, self.high)

    def to_unit(self, values: Tensor) -> Tensor:
        """Maps the range to [0, 1]."""
        return (values - self.low) / (self.high - self.low)

    def from_unit(self, units: Any) -> Tensor:
        """Maps [0, 1] to the range; what lies outside is moved to its ends."""
        return self.low + (self.high - self.low) * units.clamp(0.0, 1.0)  # type: ignore[no-any-return]
