"""What the data says about units: standardisation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

MIN_STD = 1e-6  # a dimension that varies less is constant, and is not divided


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
