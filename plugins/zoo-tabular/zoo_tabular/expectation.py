"""The expectation of a table: distributions over states, moved on exactly."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from zoo_core.errors import UnsupportedSpaceError
from zoo_core.world_model import ModelStep, select
from zoo_tabular.table import Table

MAX_NUMBERS = 2**26  # of a transition matrix [S, A, S]


class Belief(NamedTuple):
    """A distribution over states, given that the episode goes on.

    Attributes:
        probability: `[B, S]` float64: sums to 1 to the last bit or two, so what never ends is not thought to.
        terminal: `[B]` bool.
    """

    probability: Tensor
    terminal: Tensor


class Expectation:
    """Moves distributions over states on: the probability of every way at once, no sampling.

    With one-hot features the distribution is the expected feature vector, so this is the expectation model of the table
    (Sutton et al. 2008, arXiv:1206.3285), and its rewards and terminations are exact expectations.

    Args:
        table: what is known.
        tries: `[S, A]` how often each pair was tried.
        device: of the matrices.

    Raises:
        UnsupportedSpaceError: the matrix of all pairs and next states would be too large.
    """

    def __init__(self, table: Table, tries: Tensor, device: torch.device) -> None:
        if (numbers := table.num_states**2 * table.num_actions) > MAX_NUMBERS:
            raise UnsupportedSpaceError(
                f'outcomes="expected" needs a matrix of {numbers:,} numbers, at most {MAX_NUMBERS:,}: take '
                'outcomes="sampled"'
            )

        def by_action(values: object) -> Tensor:  # [A, S, ...]
            return torch.as_tensor(values, dtype=torch.float64, device=device).transpose(0, 1).contiguous()

        self.to_any, self.to_going_on = by_action(table.transition_matrix()), by_action(table.continuing_matrix())
        self.reward, self.doubt = by_action(table.expected_reward()), by_action((1.0 + tries).rsqrt())

    def certain(self, index: Tensor) -> Belief:
        """Returns the belief of rows that are seen to be in states `[B]`."""
        probability = one_hot(index, self.reward.shape[1]).to(torch.float64)
        return Belief(probability, torch.zeros_like(index, dtype=torch.bool))

    def step(self, belief: Belief, action: Tensor, *, uncertainty: bool) -> ModelStep:
        """Returns the expected reward, the probability to go on, and the distribution of where, for actions `[B]`."""
        chosen = one_hot(action, len(self.reward)).to(torch.float64)  # [B, A]
        before = chosen.T[:, :, None] * belief.probability  # [A, B, S], rows of other actions are 0
        going_on = torch.bmm(before, self.to_going_on).sum(0)
        continues = going_on.sum(-1)
        # The residue that rounding leaves of a certain end is no way to go on.
        ends = continues < torch.finfo(continues.dtype).eps * len(self.reward)
        anywhere = torch.bmm(before, self.to_any).sum(0)
        after = torch.where(ends[:, None], anywhere, going_on / continues.clamp_min(1e-30)[:, None])
        over = belief.terminal
        state = select(over, belief, Belief(after, ends | over))
        doubts = None
        if uncertainty:
            spread = (1.0 - after.square().sum(-1)).clamp_min(0.0).sqrt()
            doubt = torch.einsum("abs,as->b", before, self.doubt)
            doubts = {"epistemic": doubt.to(torch.float32), "aleatoric": spread.to(torch.float32)}
        return ModelStep(
            state,
            torch.einsum("abs,as->b", before, self.reward).masked_fill(over, 0.0).to(torch.float32),
            continues.masked_fill(ends | over, 0.0).clamp(0.0, 1.0).to(torch.float32),
            uncertainty=doubts,
        )
