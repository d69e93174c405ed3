"""A small recurrent state-space model."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from zoo_core import spaces
from zoo_core.testing.fakes.recurrent import LEAST_STD, RecurrentModel
from zoo_core.world_model import ModelStep, select


class RSSMState(NamedTuple):
    """Deterministic `[B, hidden]` and stochastic part `[B, latent]`."""

    hidden: Tensor
    latent: Tensor


class SmallRSSM(RecurrentModel):
    """A recurrent state-space model with Gaussian latents (Hafner et al. 2019, arXiv:1811.04551); images too."""

    def build(self) -> None:
        """Makes cell, prior, posterior and one head for observation, reward and continuation."""
        hidden, latent = self.config.hidden, self.config.latent
        self.cell = nn.GRUCell(latent + self.action_dim, hidden)
        self.prior = nn.Linear(hidden, 2 * latent)
        self.posterior = nn.Linear(hidden + self.obs_dim, 2 * latent)
        self.head = nn.Sequential(nn.Linear(hidden + latent, hidden), nn.SiLU(), nn.Linear(hidden, self.obs_dim + 2))

    def observe(self, state: Any, action: Any, obs: Tensor, is_first: Any, *, rng: torch.Generator) -> RSSMState:
        """Draws from the posterior."""
        blank = RSSMState(
            *(torch.zeros(len(obs), n, device=self.device) for n in (self.config.hidden, self.config.latent))
        )
        hidden = blank.hidden
        if state is not None and is_first is not None:
            hidden = select(is_first, blank, RSSMState(self._advance(state, action), state.latent)).hidden
        mean, std = self._gaussian(self.posterior(torch.cat([hidden, self.units(obs)], -1)))
        return RSSMState(hidden, mean + std * self.noise(len(obs), self.config.latent, rng))

    def step(
        self,
        state: Any,
        action: Tensor,
        *,
        rng: torch.Generator,
        temperature: float = 1.0,
        uncertainty: bool = False,
    ) -> ModelStep:
        """Draws from the prior."""
        hidden = self._advance(state, action)
        mean, std = self._gaussian(self.prior(hidden))
        noise = self.noise(len(action), self.config.latent, rng)
        after = RSSMState(hidden, mean + temperature**0.5 * std * noise)
        return ModelStep(after, *self.outcome(self.head(self.features(after))[:, -2:]))

    def features(self, state: Any) -> Tensor:
        """Returns both parts, side by side."""
        return torch.cat([state.hidden, state.latent], -1)

    def decode(self, state: Any) -> Tensor:
        """Returns what the state looks like."""
        return self.to_observation(self.head(self.features(state))[:, :-2].sigmoid())

    def loss(self, batch: Any, rng: torch.Generator) -> Tensor:
        """Sums reconstruction, reward, termination and KL divergence from prior to posterior; mean over B and T."""
        state: Any = None
        losses = []
        for t in range(batch.obs.shape[1]):
            first = batch.is_first[:, t]
            action = batch.action[:, t - 1] if t else None
            state = self.observe(state, action, batch.obs[:, t], first if t else None, rng=rng)
            output = self.head(self.features(state))
            units = self.units(batch.obs[:, t])
            losses.append(
                (output[:, :-2].sigmoid() - units).square().mean(-1) + 0.1 * self._divergence(state.hidden, units)
            )
            if t:
                losses.append(torch.where(first, 0.0, self.outcome_loss(output[:, -2:], batch, t - 1)))
        return torch.stack(losses).mean()

    def _advance(self, state: Any, action: Tensor) -> Tensor:
        inputs = torch.cat([state.latent, spaces.flatten(self.action_space, action)], -1)
        return self.cell(inputs, state.hidden)  # type: ignore[no-any-return]

    def _divergence(self, hidden: Tensor, units: Tensor) -> Tensor:
        mean, std = self._gaussian(self.posterior(torch.cat([hidden, units], -1)))
        prior_mean, prior_std = self._gaussian(self.prior(hidden))
        ratio = (std / prior_std).square()
        return 0.5 * (ratio + ((mean - prior_mean) / prior_std).square() - 1.0 - ratio.log()).sum(-1)

    @staticmethod
    def _gaussian(outputs: Tensor) -> tuple[Tensor, Tensor]:
        mean, raw = outputs.chunk(2, -1)
        return mean, softplus(raw) + LEAST_STD
