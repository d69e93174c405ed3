"""The earlier selves that the learning policy plays against."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from zoo_core import packing


class Pool:
    """Copies of a policy, taken on the way.

    Args:
        template: a policy of the same shape.
    """

    def __init__(self, template: nn.Module) -> None:
        self._template = template
        self.selves: list[nn.Module] = []

    def __len__(self) -> int:
        """Returns how many there are."""
        return len(self.selves)

    def add(self, policy: nn.Module) -> None:
        """Takes up a copy."""
        self.selves.append(copy.deepcopy(policy).eval().requires_grad_(False))

    def clear(self) -> None:
        """Forgets all of them."""
        self.selves.clear()

    def draw(self, rng: torch.Generator) -> int:
        """Draws the number of one; each is as likely."""
        return int(torch.randint(len(self.selves), (1,), generator=rng))

    def to_file(self) -> dict[str, Tensor]:
        """Returns all weights."""
        return {
            f"{i}/{name}": tensor for i, each in enumerate(self.selves) for name, tensor in each.state_dict().items()
        }

    def load_file(self, tensors: dict[str, Tensor]) -> None:
        """Restores what `to_file` returned."""
        self.selves.clear()
        for i in range(len({name.partition("/")[0] for name in tensors})):
            self.add(self._template)
            packing.load_weights(self.selves[-1], packing.with_prefix(tensors, f"{i}/"))
