"""A batch of networks of one shape, evaluated in one matrix product a layer."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

ROWS_IN_CACHE = 256  # rows of a member; 4,096 rows of 5 networks of 200 units take 0.85 of the time of one piece
ROWS_WORTH_A_CHOICE = 64  # rows of a member from which on it is cheaper to copy the weights of those that have any


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

    def of(self, members: Tensor | None) -> tuple[Tensor, Tensor]:
        """Returns weights `[K, num_in, num_out]` and biases `[K, 1, num_out]` of K members; None for all."""
        return (self.weight, self.bias) if members is None else (self.weight[members], self.bias[members])


class BatchedNetwork(nn.Module):
    """E multilayer perceptrons with swish activations.

    Args:
        num_members: E.
        sizes: units of each layer, input and output included.
    """

    def __init__(self, num_members: int, sizes: list[int]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(BatchedLinear(num_members, *pair) for pair in pairwise(sizes))

    def forward(self, x: Tensor, members: Tensor | None = None) -> Tensor:
        """Maps `[E, N, in]` to `[E, N, out]`; without gradients on a CPU, as many rows at a time as its cache holds.

        Args:
            x: inputs.
            members: `[K]` int64, whose `x` `[K, N, in]` is; None for all.
        """
        layers = [layer.of(members) for layer in self.layers]  # type: ignore[operator]
        if torch.is_grad_enabled() or x.shape[1] <= ROWS_IN_CACHE or x.device.type != "cpu":
            return self._forward(x, layers)
        return torch.cat([self._forward(rows, layers) for rows in torch.split(x, ROWS_IN_CACHE, dim=1)], dim=1)

    def _forward(self, x: Tensor, layers: list[tuple[Tensor, Tensor]]) -> Tensor:
        in_place = not torch.is_grad_enabled()  # nothing needs the old tensor, and a fresh one costs page faults
        *hidden, (last_weight, last_bias) = layers
        for weight, bias in hidden:
            x = silu(torch.baddbmm(bias, x, weight), inplace=in_place)
        return torch.baddbmm(last_bias, x, last_weight)


class Seating:
    """Where each of B rows sits in a batch `[K, N]` in which every member has its own rows.

    Members without a row have no seats, where there are so many that this saves time.

    Args:
        member: `[B]` int64, the member of each row.
        num_members: E.
    """

    def __init__(self, member: Tensor, num_members: int) -> None:
        chosen = member == torch.arange(num_members, device=member.device)[:, None]
        rank = chosen.to(torch.int32).cumsum(1)
        place = rank.gather(0, member[None])[0] - 1
        self.length = int(rank[:, -1].max())  # N, rows of the busiest member
        self.members: Tensor | None = None  # [K] those with seats; None for all
        present = rank[:, -1] > 0
        if self.length >= ROWS_WORTH_A_CHOICE and not bool(present.all()):
            self.members = torch.nonzero(present)[:, 0]
            member, num_members = (present.cumsum(0) - 1)[member], len(self.members)
        self.seat = member * self.length + place
        self.occupant = member.new_zeros(num_members * self.length)  # the row in each seat; row 0 in empty ones, too
        self.occupant[self.seat] = torch.arange(len(member), device=member.device)

    def through(self, network: BatchedNetwork, x: Tensor) -> Tensor:
        """Runs each row `[B, in]` through its own member; returns `[B, out]`."""
        return self.gather(network(self.spread(x), self.members))

    def spread(self, x: Tensor) -> Tensor:
        """Seats `[B, F]` in `[K, N, F]`; what is in empty seats is nobody's."""
        return x.index_select(0, self.occupant).view(-1, self.length, x.shape[1])

    def gather(self, y: Tensor) -> Tensor:
        """Takes each row's `[B, F]` from `[K, N, F]`."""
        return y.flatten(0, 1).index_select(0, self.seat)
