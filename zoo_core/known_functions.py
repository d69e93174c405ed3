"""What a user knows of an environment and a model need not learn: its reward, and when an episode terminates."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from zoo_core import spaces
from zoo_core.config import resolve_function

if TYPE_CHECKING:
    from zoo_core.world_model import WorldModel

NUM_TRIED = 7  # rows on which a function is tried; few spaces have so many numbers, or a mix-up would not show

Option = Literal["reward_fn", "termination_fn"]


class KnownFunction:
    """A function `(obs [B, ...], action [B, ...], next_obs [B, ...]) -> [B]`, held to its word at every call.

    Args:
        function: the function.
        name: of the option that gave it, for messages.
        terminates: whether it says which rows terminate, in bool; otherwise it returns floating point numbers.
    """

    def __init__(self, function: Callable[..., Any], name: str, *, terminates: bool = False) -> None:
        self.function = function
        self.name = name
        self.terminates = terminates

    def __str__(self) -> str:
        """Returns the option, and the function where it has a name."""
        module, name = (getattr(self.function, key, None) for key in ("__module__", "__qualname__"))
        return f"{self.name} {module}:{name}" if module and name else self.name

    def __call__(self, obs: Any, action: Any, next_obs: Any) -> Tensor:
        """Returns `[B]` float32, B being the rows of `action`; a termination is 1 where the episode is over.

        Raises:
            ValueError: the function returned no tensor, or one of another shape, dtype or device.
        """
        return self._checked(self.function(obs, action, next_obs), action)

    def try_on(self, obs: Any, action: Any, next_obs: Any) -> None:
        """Calls it on elements of the spaces that it is for.

        Raises:
            ValueError: it raised, returned nothing but NaN, or not what `__call__` takes.
        """
        try:
            values = self.function(obs, action, next_obs)
        except Exception as error:  # of any class: it is a user's function
            raise ValueError(f"{self} raised {type(error).__name__}: {error}") from error
        if self._checked(values, action).isnan().all():
            raise ValueError(
                f"{self} returned NaN for neutral elements of the spaces, such as action {action[0].tolist()}"
            )

    def _checked(self, values: Any, action: Any) -> Tensor:
        num = len(action)
        if not isinstance(values, Tensor) or values.shape != (num,):
            got = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
            raise ValueError(f"{self.name} must return a tensor of shape ({num},) for {num} rows, got {got}")
        fits, expected = values.is_floating_point(), "floating point numbers, of any precision"
        if self.terminates:
            fits, expected = values.dtype == torch.bool, "bool, True where the step ended in a terminal state"
        if not fits:
            raise ValueError(f"{self} must return {expected}, got {values.dtype}")
        if values.device != action.device:
            raise ValueError(f"{self} must return a tensor on {action.device}, as it is given, got {values.device}")
        return values.to(torch.float32)


def known_function(function: str | Callable[..., Any] | None, name: Option) -> KnownFunction | None:
    """Returns what a config names, `"module:function"` or the function itself, as a KnownFunction; None for None.

    Raises:
        ConfigError: the name is of another form, or names no function.
    """
    found = resolve_function(function)
    return None if found is None else KnownFunction(found, name, terminates=name == "termination_fn")


def try_known_functions(model: WorldModel) -> None:
    """Calls the known functions that are attributes of a model, on neutral elements of its spaces, so that a wrong one
    is told before anybody collects data for it.

    Raises:
        ValueError: a function raised, or returned something else than a number a row; the message names it.
    """
    functions = [each for each in vars(model).values() if isinstance(each, KnownFunction)]
    if functions:
        obs, action = (
            spaces.to_tensor(space, spaces.zeros(space, NUM_TRIED), model.device)
            for space in (model.observation_space, model.action_space)
        )
        for function in functions:
            function.try_on(obs, action, obs)
