"""A batch of networks of one shape, evaluated in one matrix product a layer."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Self

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
        table: `[B]` int64, which of the K members each row has.
        place: `[B]` int64, its place among the rows of that member.
        num_tables: K.
        length: N, rows of the busiest member.
        members: `[K]` those with seats; None for all.
    """

    def __init__(self, table: Tensor, place: Tensor, num_tables: int, length: int, members: Tensor | None) -> None:
        self.length, self.members = length, members
        self.seat = table * length + place
        self.occupant = table.new_zeros(num_tables * length)  # the row in each seat; row 0 in empty ones, too
        self.occupant[self.seat] = torch.arange(len(table), device=table.device)

    @classmethod
    def of(cls, member: Tensor, num_members: int) -> Self:
        """Seats rows by the member `[B]` int64 of each; a GPU is waited for, to know how many seats there must be."""
        chosen = member == torch.arange(num_members, device=member.device)[:, None]
        rank = chosen.to(torch.int32).cumsum(1)
        place = rank.gather(0, member[None])[0] - 1
        length, present = int(rank[:, -1].max()), rank[:, -1] > 0
        if length < ROWS_WORTH_A_CHOICE or bool(present.all()):
            return cls(member, place, num_members, length, None)
        members = torch.nonzero(present)[:, 0]
        return cls((present.cumsum(0) - 1)[member], place, len(members), length, members)

    @classmethod
    def shared_out(cls, drawn: Tensor, among: Tensor, num_members: int) -> Self:
        """Seats rows that K members share out evenly, of whom row b has `among[drawn[b] % K]`; nothing is waited for.

        Args:
            drawn: `[B]` int64, the first B of a permutation of the least multiple of K that is not below B.
            among: `[K]` int64, the members.
            num_members: E.
        """
        length = -(-len(drawn) // len(among))
        table, place = drawn % len(among), drawn // len(among)
        if len(among) == num_members or length < ROWS_WORTH_A_CHOICE:
            return cls(among[table], place, num_members, length, None)
        return cls(table, place, len(among), length, among)

    def through(self, network: BatchedNetwork, x: Tensor) -> Tensor:
        """Runs each row `[B, in]` through its own member; returns `[B, out]`."""
        return self.gather(network(self.spread(x), self.members))

    def spread(self, x: Tensor) -> Tensor:
        """Seats `[B, F]` in `[K, N, F]`; what is in empty seats is nobody's."""
        return x.index_select(0, self.occupant).view(-1, self.length, x.shape[1])

    def gather(self, y: Tensor) -> Tensor:
        """Takes each row's `[B, F]` from `[K, N, F]`."""
        return y.flatten(0, 1).index_select(0, self.seat)
