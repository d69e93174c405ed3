"""A batch of networks of one shape, evaluated in one matrix product a layer."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

ROWS_IN_CACHE = 256  # rows of a member; 4,096 rows of 5 networks of 200 units take 0.85 of the time of one piece


class BatchedLinear(nn.Module):
    """E linear layers side by side.

    Weights are drawn from a normal truncated at two deviations, of deviation `1 / (2 √num_in)` (Chua et al. 2018).
    """

    def __init__(self, num_members: int, num_in: int, num_out: int) -> None:
        super().__init__()
        std = 1.0 / (2.0 * math.sqrt(num_in))
        weight = nn.init.trunc_normal_(torch.empty(num_members, num_in, num_out), std=std, a=-2 * std, b=2 * std)
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.zeros(num_members, 1, num_out))

    def forward(self, x: Tensor) -> Tensor:
        """Maps `[E, N, num_in]` to `[E, N, num_out]`."""
        return torch.baddbmm(self.bias, x, self.weight)


class BatchedNetwork(nn.Module):
    """E multilayer perceptrons with swish activations.

    Args:
        num_members: E.
        sizes: units of each layer, input and output included.
    """

    def __init__(self, num_members: int, sizes: list[int]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(BatchedLinear(num_members, *pair) for pair in pairwise(sizes))

    def forward(self, x: Tensor) -> Tensor:
        """Maps `[E, N, in]` to `[E, N, out]`; without gradients on a CPU, as many rows at a time as its cache holds."""
        if torch.is_grad_enabled() or x.shape[1] <= ROWS_IN_CACHE or x.device.type != "cpu":
            return self._forward(x)
        return torch.cat([self._forward(rows) for rows in torch.split(x, ROWS_IN_CACHE, dim=1)], dim=1)

    def _forward(self, x: Tensor) -> Tensor:
        in_place = not torch.is_grad_enabled()  # nothing needs the old tensor, and a fresh one costs page faults
        *hidden, last = self.layers
        for layer in hidden:
            x = silu(layer(x), inplace=in_place)
        return last(x)  # type: ignore[no-any-return]


class Seating:
    """Where each of B rows sits in a batch `[E, N]` in which every member has its own rows.

    Args:
        member: `[B]` int64, the member of each row.
        num_members: E.
    """

    def __init__(self, member: Tensor, num_members: int) -> None:
        chosen = member[:, None] == torch.arange(num_members, device=member.device)
        rank = chosen.to(torch.int32).cumsum(0)
        self.num_members = num_members
        self.length = int(rank[-1].max())  # N, rows of the busiest member
        self.seat = member * self.length + rank.gather(1, member[:, None])[:, 0] - 1
        self.occupant = member.new_zeros(num_members * self.length)  # the row in each seat; row 0 in empty ones, too
        self.occupant[self.seat] = torch.arange(len(member), device=member.device)

    def spread(self, x: Tensor) -> Tensor:
        """Seats `[B, F]` in `[E, N, F]`; what is in empty seats is nobody's."""
        return x.index_select(0, self.occupant).view(self.num_members, self.length, -1)

    def gather(self, y: Tensor) -> Tensor:
        """Takes each row's `[B, F]` from `[E, N, F]`."""
        return y.reshape(self.num_members * self.length, -1).index_select(0, self.seat)
