"""The parametric model: known equations, unknown constants."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from gymnasium import Space, spaces
from torch import Tensor

from zoo_core.bounds import Bounds
from zoo_core.errors import ConfigError, UnsupportedSpaceError, did_you_mean
from zoo_core.known_functions import known_function
from zoo_core.spaces import check_space
from zoo_core.world_model import ModelStep, State, WorldModel, select
from zoo_parametric.config import ParametricConfig
from zoo_parametric.coordinates import Coordinates
from zoo_parametric.identification import identify
from zoo_parametric.one_step_errors import Data, OneStepErrors
from zoo_parametric.system import Constants, System, Unknown
from zoo_parametric.systems import check_system, make_system

if TYPE_CHECKING:
    from zoo_core.replay import Replay

REACH = 1e6  # widths of the data's range from it within which limits of the space are believed: where equations hold


class ParametricState(NamedTuple):
    """Belief: what was observed or predicted.

    Attributes:
        obs: `[B, D]` float32.
        terminal: `[B]` bool.
    """

    obs: Tensor
    terminal: Tensor


class Parametric(WorldModel):
    """Known equations whose constants are fitted to data, which is grey-box system identification (Ljung 1999, System
    Identification: Theory for the User).

    The constants make the squared errors of one-step predictions least, in units of the deviations of what is
    predicted; next observations and rewards count, rewards not if `reward_fn` is given. Dreams are deterministic.

    Predicted observations are held to the world, rewards are not: an equation of the reward is right anywhere, also
    where no data was.

    Args:
        observation_space: a Box with one dimension.
        action_space: Box or Discrete.
        config: fields of `ParametricConfig`.
        seed: of nothing; the model has no initial weights.
    """

    config_class = ParametricConfig
    config: ParametricConfig
    values: Tensor
    errors: Tensor

    def __init__(
        self, observation_space: Space[Any], action_space: Space[Any], config: Any = None, *, seed: int = 0
    ) -> None:
        super().__init__(observation_space, action_space, config, seed=seed)
        _check_spaces(observation_space, action_space)
        self.system = make_system(self.config.system, observation_space, action_space)
        self.unknowns = _with_guesses(self.system, self.config.guesses)
        self.register_buffer("values", torch.tensor([each.guess for each in self.unknowns], dtype=torch.float32))
        self.register_buffer("errors", torch.full_like(self.values, math.inf))
        self.bounds = Bounds(observation_space)  # type: ignore[arg-type]  # checked
        self._reward_fn = known_function(self.config.reward_fn, "reward_fn")
        self._termination_fn = known_function(self.config.termination_fn, "termination_fn")
        check_system(self.system, self._tensors(), observation_space, action_space)

    @property
    def constants(self) -> dict[str, float]:
        """The constants by their names: the guesses, until `fit`."""
        return {each.name: float(value) for each, value in zip(self.unknowns, self.values, strict=True)}

    @property
    def std_errors(self) -> dict[str, float]:
        """The standard errors of the constants: infinite of what the data could not tell, and until `fit`."""
        return {each.name: float(error) for each, error in zip(self.unknowns, self.errors, strict=True)}

    # -- learning ------------------------------------------------------------------------------------------------------

    def fit(
        self,
        replay: Replay,
        *,
        rng: torch.Generator,
        max_updates: int | None = None,
        callback: Callable[[int, dict[str, float]], None] | None = None,
    ) -> dict[str, float]:
        """Finds the constants, in float64 on the CPU; the search begins at the present ones and around the guesses.

        Warns of constants that the data cannot tell: they stay near their guesses.

        Returns:
            `unexplained`, the error that is left in units of the outputs' deviations: 0 where the equations are
            right and nothing is noisy; `untold`, how many constants the data cannot tell; each constant, and the
            standard error of those that the data can tell, `<name>_std_error`.

        Raises:
            NonFiniteError: the equations give NaN or infinity wherever the search begins.
        """
        self.remember(replay)
        steps = replay.tensors()
        order = torch.randperm(len(steps.reward), generator=rng, device=rng.device).cpu()
        action = steps.action.double() if isinstance(self.action_space, spaces.Box) else steps.action
        data = Data(steps.obs.double(), action, steps.reward.double(), steps.next_obs.double()).rows(order)
        coordinates = Coordinates(self.unknowns)
        limit = self.config.max_iterations
        found = identify(
            OneStepErrors(self.system, coordinates, data, with_reward=self._reward_fn is None),
            coordinates,
            self._starts(coordinates, rng=rng),
            max_iterations=limit if max_updates is None else min(limit, max_updates),
            callback=callback,
        )
        seen = torch.cat([steps.obs, steps.next_obs]).float().to(self.device)
        self.bounds.fit(seen, None, self.config.margin, reach=REACH)
        self.values.copy_(found.values)
        self.errors.copy_(found.std_errors)
        return self._metrics(found.unexplained)

    def _starts(self, coordinates: Coordinates, *, rng: torch.Generator) -> Tensor:
        """Returns the points `[S, P]` where the search begins: the present constants, and draws around the guesses."""
        shape = (self.config.num_starts - 1, len(self.unknowns))
        drawn = torch.randn(shape, generator=rng, device=rng.device).cpu().double() * math.log(self.config.spread)
        return torch.cat([coordinates.point(self.values.cpu().double())[None], drawn])

    def _metrics(self, unexplained: float) -> dict[str, float]:
        untold = [name for name, error in self.std_errors.items() if math.isinf(error)]
        if untold:
            warnings.warn(
                f"the data cannot tell {', '.join(untold)} of {type(self.system).__name__}: what is predicted hardly "
                "changes with them, or with some of them together. Collect data in which it does, or make them known",
                stacklevel=3,
            )
        told = {f"{name}_std_error": error for name, error in self.std_errors.items() if name not in untold}
        return {"unexplained": unexplained, "untold": float(len(untold)), **self.constants, **told}

    # -- filtering and imagining ---------------------------------------------------------------------------------------

    def observe(
        self, state: State | None, action: Tensor | None, obs: Tensor, is_first: Tensor | None, *, rng: torch.Generator
    ) -> ParametricState:
        """The environment is taken to be Markov: the belief is what was seen."""
        return ParametricState(obs.float().clone(), torch.zeros(len(obs), dtype=torch.bool, device=obs.device))

    def step(
        self,
        state: State,
        action: Tensor,
        *,
        rng: torch.Generator,
        temperature: float = 1.0,
        uncertainty: bool = False,
    ) -> ModelStep:
        """Follows the equations; nothing is drawn, at any temperature."""
        constants = self._tensors()
        next_obs, held = self.bounds.hold_obs(self.system.next_obs(state.obs, action, constants))
        if self._reward_fn is not None:
            reward = self._reward_fn(state.obs, action, next_obs)
        else:
            reward = self.system.reward(state.obs, action, next_obs, constants)
        if self._termination_fn is not None:
            ended = self._termination_fn(state.obs, action, next_obs)
        else:
            ended = self.system.termination(state.obs, action, next_obs, constants).to(torch.float32)
        over = state.terminal
        continues = (1.0 - ended).masked_fill(over, 0.0)
        after = ParametricState(select(over, state.obs, next_obs), continues == 0.0)
        return ModelStep(after, reward.masked_fill(over, 0.0), continues, held=held)

    def decode(self, state: State) -> Tensor:
        """Returns the observation `[B, D]`."""
        return state.obs  # type: ignore[no-any-return]

    def _tensors(self) -> Constants:
        return {each.name: value for each, value in zip(self.unknowns, self.values.unbind(), strict=True)}


def _with_guesses(system: System, guesses: Mapping[str, float]) -> tuple[Unknown, ...]:
    """Returns the unknown constants of a system, with the guesses of a config in place of its own."""
    names = [each.name for each in system.unknowns]
    for name in guesses:
        if name not in names:
            raise ConfigError(f"guesses: {type(system).__name__} has no unknown {name!r}{did_you_mean(name, names)}")
    try:
        return tuple(replace(each, guess=guesses.get(each.name, each.guess)) for each in system.unknowns)
    except ValueError as error:
        raise ConfigError(f"guesses: {error}") from error


def _check_spaces(observation_space: Space[Any], action_space: Space[Any]) -> None:
    who = "Parametric (a model of vectors)"
    check_space(observation_space, [spaces.Box], what="observation", who=who)
    check_space(action_space, [spaces.Box, spaces.Discrete], what="action", who=who)
    if len(observation_space.shape) != 1 or not np.issubdtype(observation_space.dtype, np.floating):  # type: ignore[arg-type]
        raise UnsupportedSpaceError(
            f"{who} takes Box observations of one dimension and floating point type, got {observation_space}"
        )
