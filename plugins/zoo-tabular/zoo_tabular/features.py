"""What a linear model is linear in: features φ of observations, and how an expectation of them moves on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn
from torch.nn.functional import one_hot

from zoo_core.bounds import range_within_reach

MIN_MASS = 1e-6  # a probability below this is what rounding and the ridge leave of 0


class Moved(NamedTuple):
    """Where features went.

    Attributes:
        features: `[B, F]`.
        ended: `[B]` probability in [0, 1] that the episode is over.
        held: `[B]` bool, rows that were held back to stay in the world; None if never.
    """

    features: Tensor
    ended: Tensor
    held: Tensor | None


class AffineFeatures(nn.Module):
    """φ = (1, obs, extra): linear in these is affine in the observation.

    Predictions are held to the range of the data: of observations as far as the finite limits of their space, if those
    are near, else with a margin.

    Args:
        space: of observations `[D]`.
        function: obs `[B, D]` -> extra features `[B, E]`; None for none.
    """

    num_endings = 1  # regressed beside the features: whether the episode is over
    intercept = True
    low: Tensor
    high: Tensor
    _low_of_space: Tensor
    _high_of_space: Tensor

    def __init__(self, space: spaces.Box, function: Callable[..., Any] | None = None) -> None:
        super().__init__()
        self._function = function
        self.obs_dim = int(space.shape[0])
        self.size = self.encode(torch.zeros(1, self.obs_dim)).shape[1]
        for name, limit, of_space in (("low", -np.inf, space.low), ("high", np.inf, space.high)):
            values = np.full(self.size, limit, np.float32)
            values[1 : 1 + self.obs_dim] = of_space
            self.register_buffer(name, torch.from_numpy(values))
            self.register_buffer(f"_{name}_of_space", torch.from_numpy(values.copy()), persistent=False)

    def encode(self, obs: Tensor) -> Tensor:
        """Returns φ `[B, F]`, float32, of observations `[B, D]`.

        Raises:
            ValueError: the function of extra features returned something else than it should.
        """
        obs = obs.to(torch.float32)
        parts = [torch.ones_like(obs[:, :1]), obs]
        if self._function is not None:
            extra = self._function(obs)
            if not isinstance(extra, Tensor) or extra.ndim != 2 or len(extra) != len(obs):
                found = list(extra.shape) if isinstance(extra, Tensor) else type(extra).__name__
                raise ValueError(f"features must return a tensor [{len(obs)}, number of features], got {found}")
            parts.append(extra.to(torch.float32))
        return torch.cat(parts, dim=1)

    def decode(self, features: Tensor) -> Tensor:
        """Returns the observation among the features, `[B, D]`."""
        return features[:, 1 : 1 + self.obs_dim]

    def fit(self, features: Tensor, margin: float) -> None:
        """Takes the range of features `[N, F]`, widened by `margin` times its width, or up to limits of the space."""
        low, high = range_within_reach(features, self._low_of_space, self._high_of_space, margin)
        self.low.copy_(low)
        self.high.copy_(high)

    def targets(self, before: Tensor, after: Tensor, terminated: Tensor) -> tuple[Tensor, Tensor]:
        """Returns what is regressed of features `[N, F]`: change `[N, F]`, and endings `[N, 1]`."""
        return after - before, terminated[:, None].to(before.dtype)

    def move(self, before: Tensor, change: Tensor, ending: Tensor) -> Moved:
        """Moves features `[B, F]` by a predicted change `[B, F]`, with endings `[B, 1]`."""
        after = before + change
        inside = torch.clamp(after, self.low, self.high)
        return Moved(inside, ending[:, 0].clamp(0.0, 1.0), (inside != after).any(-1))


class OneHotFeatures(nn.Module):
    """φ is one-hot in the state, and its expectation the distribution over states, given that the episode goes on.

    The regression is that of the table: what goes on, and what ends, is regressed for each next state on its own, so
    expectations are exact after any number of steps.

    Args:
        space: of observations.
    """

    intercept = False

    def __init__(self, space: spaces.Discrete) -> None:
        super().__init__()
        self.size = self.num_endings = int(space.n)

    def encode(self, obs: Tensor) -> Tensor:
        """Returns φ `[B, S]`, float32, of states `[B]`."""
        return one_hot(obs, self.size).to(torch.float32)

    def decode(self, features: Tensor) -> Tensor:
        """Returns the most probable state `[B]`."""
        return features.argmax(-1)

    def fit(self, features: Tensor, margin: float) -> None:
        """Needs no range: distributions have their own."""

    def targets(self, before: Tensor, after: Tensor, terminated: Tensor) -> tuple[Tensor, Tensor]:
        """Returns what is regressed of features `[N, S]`: change to what goes on, and endings, `[N, S]` each."""
        ends = terminated[:, None].to(before.dtype)
        return (1.0 - ends) * after - before, ends * after

    def move(self, before: Tensor, change: Tensor, ending: Tensor) -> Moved:
        """Moves distributions `[B, S]` by a predicted change, with endings, `[B, S]` each."""
        going_on, ending = (before + change).clamp_min(0.0), ending.clamp_min(0.0)
        mass, ended = going_on.sum(-1, keepdim=True), ending.sum(-1, keepdim=True)
        certain = mass < MIN_MASS
        after = torch.where(certain, ending, going_on)
        probability = torch.where(certain, 1.0, ended / (mass + ended))
        return Moved(after / after.sum(-1, keepdim=True), probability[:, 0], None)
