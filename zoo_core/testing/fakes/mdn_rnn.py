"""A small recurrent network with a mixture density."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from zoo_core import spaces
from zoo_core.testing.fakes.recurrent import LEAST_STD, RecurrentModel
from zoo_core.world_model import ModelStep, select


class MDNState(NamedTuple):
    """LSTM state `[B, hidden]` twice, and the observation `[B, F]` in units of the data's range."""

    hidden: Tensor
    cell: Tensor
    units: Tensor


class MDNRNN(RecurrentModel):
    """An LSTM with a mixture of Gaussians over the next observation (Ha & Schmidhuber 2018, arXiv:1803.10122)."""

    def build(self) -> None:
        """Makes the LSTM and its head: logits, means and deviations of each mixture, reward and continuation."""
        self.lstm = nn.LSTMCell(self.obs_dim + self.action_dim, self.config.hidden)
        self.head = nn.Linear(self.config.hidden, self.config.mixtures * (1 + 2 * self.obs_dim) + 2)

    def observe(self, state: Any, action: Any, obs: Tensor, is_first: Any, *, rng: torch.Generator) -> MDNState:
        """Runs the LSTM over what happened, and puts what was seen where the prediction would be."""
        units = self.units(obs)
        blank = torch.zeros(len(obs), self.config.hidden, device=self.device)
        begin = MDNState(blank, blank.clone(), units)
        if state is None or is_first is None:
            return begin
        hidden, cell = self._advance(state, action)
        return select(is_first, begin, MDNState(hidden, cell, units))  # type: ignore[no-any-return]

    def step(
        self,
        state: Any,
        action: Tensor,
        *,
        rng: torch.Generator,
        temperature: float = 1.0,
        uncertainty: bool = False,
    ) -> ModelStep:
        """Draws a component, then from it; temperature 0 takes the mean of the mixture."""
        hidden, cell = self._advance(state, action)
        logits, mean, std, outputs = self._mixture(hidden, state.units)
        chance, noise = (
            torch.rand(len(action), generator=rng, device=self.device),
            self.noise(len(action), self.obs_dim, rng),
        )
        if temperature == 0:
            units = (logits.softmax(-1)[..., None] * mean).sum(1)
        else:
            below = (logits / temperature).softmax(-1).cumsum(-1) <= chance[:, None]
            chosen = (
                torch.arange(len(action), device=self.device),
                below.sum(-1).clamp_max(self.config.mixtures - 1),
            )
            units = mean[chosen] + temperature**0.5 * std[chosen] * noise
        held = ((units < 0) | (units > 1)).any(-1)
        return ModelStep(MDNState(hidden, cell, units.clamp(0, 1)), *self.outcome(outputs), held=held)

    def features(self, state: Any) -> Tensor:
        """Returns the LSTM's output and the observation, side by side."""
        return torch.cat([state.hidden, state.units], -1)

    def decode(self, state: Any) -> Tensor:
        """Returns the observation."""
        return self.to_observation(state.units)

    def loss(self, batch: Any, rng: torch.Generator) -> Tensor:
        """Returns the mean over B and T of the negative log-likelihood, and of the losses of reward and termination."""
        state = self.observe(None, None, batch.obs[:, 0], None, rng=rng)
        losses = []
        for t in range(batch.action.shape[1]):
            before, first = state, batch.is_first[:, t + 1]
            state = self.observe(before, batch.action[:, t], batch.obs[:, t + 1], first, rng=rng)
            hidden, _ = self._advance(before, batch.action[:, t])
            logits, mean, std, outputs = self._mixture(hidden, before.units)
            density = -(
                0.5 * ((state.units[:, None] - mean) / std).square() + std.log() + 0.5 * math.log(2 * math.pi)
            ).sum(-1)
            likelihood = torch.logsumexp(logits.log_softmax(-1) + density, -1)
            losses.append(torch.where(first, 0.0, self.outcome_loss(outputs, batch, t) - 0.1 * likelihood))
        return torch.stack(losses).mean()

    def _advance(self, state: Any, action: Tensor) -> tuple[Tensor, Tensor]:
        inputs = torch.cat([state.units, spaces.flatten(self.action_space, action)], -1)
        return self.lstm(inputs, (state.hidden, state.cell))  # type: ignore[no-any-return]

    def _mixture(self, hidden: Tensor, units: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Returns logits `[B, K]`, means and deviations `[B, K, F]` of the next observation, and the other outputs."""
        num = self.config.mixtures
        outputs = self.head(hidden)
        logits, moves, raw, rest = outputs.split([num, num * self.obs_dim, num * self.obs_dim, 2], -1)
        shape = (len(hidden), num, self.obs_dim)
        return (
            logits,
            units[:, None] + moves.reshape(shape),
            softplus(raw.reshape(shape) - 2) + LEAST_STD,
            rest,
        )
