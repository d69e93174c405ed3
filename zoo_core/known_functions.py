"""What a user knows of an environment and a model need not learn: its reward, and when an episode terminates."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from zoo_core import spaces
from zoo_core.config import resolve_function

if TYPE_CHECKING:
    from zoo_core.world_model import WorldModel

NUM_TRIED = 7  # rows on which a function is tried; few spaces have so many numbers, or a mix-up would not show


class KnownFunction:
    """A function `(obs [B, ...], action [B, ...], next_obs [B, ...]) -> [B]`, held to its word at every call.

    Args:
        function: the function.
        name: of the option that gave it, for messages.
    """

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        self.function = function
        self.name = name

    def __call__(self, obs: Any, action: Any, next_obs: Any) -> Tensor:
        """Returns `[B]` float32, B being the rows of `action`; a termination is 1 where the episode is over.

        Raises:
            ValueError: the function returned no tensor, or one of another shape.
        """
        num = len(action)
        values = self.function(obs, action, next_obs)
        if not isinstance(values, Tensor) or values.shape != (num,):
            got = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
            raise ValueError(f"{self.name} must return a tensor of shape ({num},) for {num} rows, got {got}")
        return values.to(torch.float32)


def known_function(function: str | Callable[..., Any] | None, name: str) -> KnownFunction | None:
    """Returns what a config names, `"module:function"` or the function itself, as a KnownFunction; None for None.

    Raises:
        ConfigError: the name is of another form, or names no function.
    """
    found = resolve_function(function)
    return None if found is None else KnownFunction(found, name)


def try_known_functions(model: WorldModel) -> None:
    """Calls the known functions that are attributes of a model, on neutral elements of its spaces, so that a wrong one
    is told before anybody collects data for it.

    Raises:
        ValueError: a function returned no tensor, or one of another shape.
    """
    functions = [each for each in vars(model).values() if isinstance(each, KnownFunction)]
    if functions:
        obs, action = (
            spaces.to_tensor(space, spaces.zeros(space, NUM_TRIED), model.device)
            for space in (model.observation_space, model.action_space)
        )
        for function in functions:
            function(obs, action, obs)
