"""The expectation of a table: distributions over states, moved on exactly."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from zoo_core.errors import UnsupportedSpaceError
from zoo_core.world_model import ModelStep, select
from zoo_tabular.table import MAX_NUMBERS, Table


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
        before = belief.probability
        going_on = _moved(before, action, self.to_going_on)
        continues = going_on.sum(-1)
        # The residue that rounding leaves of a certain end is no way to go on.
        ends = continues < torch.finfo(continues.dtype).eps * len(self.reward)
        after = going_on / continues.clamp_min(1e-30)[:, None]
        if bool(ends.any()):
            after = after.index_put((ends,), _moved(before[ends], action[ends], self.to_any))
        over = belief.terminal
        state = select(over, belief, Belief(after, ends | over))
        doubts = None
        if uncertainty:
            spread = (1.0 - after.square().sum(-1)).clamp_min(0.0).sqrt()
            doubt = (before * self.doubt[action]).sum(-1)
            doubts = {"epistemic": doubt.to(torch.float32), "aleatoric": spread.to(torch.float32)}
        return ModelStep(
            state,
            (before * self.reward[action]).sum(-1).masked_fill(over, 0.0).to(torch.float32),
            continues.masked_fill(ends | over, 0.0).clamp(0.0, 1.0).to(torch.float32),
            uncertainty=doubts,
        )


def _moved(probability: Tensor, action: Tensor, matrices: Tensor) -> Tensor:
    """Returns distributions `[B, S]`, each multiplied by the one of the matrices `[A, S, S]` that is its action's."""
    order = action.argsort(stable=True)
    sizes = action.bincount(minlength=len(matrices)).tolist()
    groups = zip(torch.split(probability[order], sizes), matrices, strict=True)
    return torch.cat([group @ matrix for group, matrix in groups if len(group)])[order.argsort()]
