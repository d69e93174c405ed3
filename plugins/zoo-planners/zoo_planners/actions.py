"""The actions that planners choose among: Box actions in units of their bounds, Discrete ones by number."""

from __future__ import annotations

from typing import Any

import numpy as np
import optree
import torch
from gymnasium.spaces import Box, Discrete
from torch import Tensor

from zoo_core.errors import UnsupportedSpaceError
from zoo_core.planner import Plan
from zoo_core.spaces import check_space
from zoo_core.world_model import WorldModel


class ActionBox:
    """A Box of actions as planners see it: vectors `[..., A]` in units of [-1, 1], from bound to bound.

    Args:
        model: whose actions these are.
        who: the planner, for messages.

    Raises:
        UnsupportedSpaceError: the actions are no Box, or have no finite bounds.
    """

    def __init__(self, model: WorldModel, who: str) -> None:
        space = model.action_space
        check_space(space, [Box], what="action", who=who)
        assert isinstance(space, Box)
        if not (np.isfinite(space.low).all() and np.isfinite(space.high).all()):
            raise UnsupportedSpaceError(
                f"{who} searches between the bounds of its actions, which must be finite, got {space}; "
                "gymnasium.wrappers.TransformAction(env, lambda action: action, Box(...)) gives an environment others"
            )
        self.shape = space.shape
        self.size = int(np.prod(space.shape))
        self._low, self._high = (
            torch.as_tensor(np.asarray(bound, np.float32).reshape(-1), device=model.device)
            for bound in (space.low, space.high)
        )
        self._middle, self._half = (self._low + self._high) / 2, (self._high - self._low) / 2

    def to_env(self, units: Tensor) -> Tensor:
        """Returns float32 actions `[..., *shape]` in the environment's units, of `[..., A]` in [-1, 1]."""
        actions = torch.lerp(self._low, self._high, (units + 1.0) / 2.0).clamp(self._low, self._high)
        return actions.reshape(*units.shape[:-1], *self.shape)

    def to_units(self, actions: Tensor) -> Tensor:
        """Returns `[..., A]` in [-1, 1] of actions `[..., *shape]`; 0 where an action has no choice."""
        flat = actions.flatten(-len(self.shape)) if self.shape else actions.unsqueeze(-1)
        return torch.where(self._half > 0, (flat - self._middle) / self._half, torch.zeros_like(flat)).clamp(-1.0, 1.0)


def num_actions(model: WorldModel, who: str) -> int:
    """Returns the number of Discrete actions.

    Raises:
        UnsupportedSpaceError: the actions are not Discrete.
    """
    check_space(model.action_space, [Discrete], what="action", who=who)
    return int(model.action_space.n)  # type: ignore[attr-defined]


def shift(sequence: Tensor, last: Tensor) -> Tensor:
    """Returns sequences `[B, H, ...]` as they are one step later, ending with `last`, broadcast to `[B, 1, ...]`."""
    return torch.cat([sequence[:, 1:], last.expand_as(sequence[:, :1])], dim=1)


def rest_of(previous: Plan | None, default: Tensor, who: str) -> Tensor:
    """Returns where a search begins, `[B, H, A]`: one step on from where the one before ended, or at `default`.

    Args:
        previous: a plan that remembers where its search ended, `[B, H, A]`; None where there is none.
        default: `[B, H, A]`, of which the first action also stands for the last one of what is left of `previous`.
        who: the planner, for messages.

    Raises:
        ValueError: `previous` is a plan of other roots, of another horizon or of another planner.
    """
    if previous is None:
        return default
    check_memory(previous.memory, Tensor, tuple(default.shape), who)
    return shift(previous.memory, default[:, :1])


def check_memory(memory: Any, kind: type, shape: tuple[int, ...], who: str) -> None:
    """Checks what a plan remembers: of type `kind`, and its first tensor `shape`, `[B, H, A]`.

    Raises:
        ValueError: it is the plan of other roots, of another horizon or of another planner.
    """
    shapes = [list(np.shape(leaf)) for leaf in optree.tree_leaves(memory)]
    if not isinstance(memory, kind) or shapes[0] != list(shape):
        got = " ".join([type(memory).__name__, *map(str, shapes)]) if shapes else "nothing"
        raise ValueError(
            f"previous must be a plan of {who} with horizon {shape[1]} from the same {shape[0]} roots, which remembers "
            f"{kind.__name__} {list(shape)}, got one that remembers {got}; where there is no such plan leave it out"
        )
