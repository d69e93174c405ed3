"""Two small recurrent models, trained by gradient: an RSSM and an MDN-RNN."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from gymnasium import spaces as gym_spaces
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from zoo_core import spaces
from zoo_core.seeding import construction_rng
from zoo_core.testing.fakes.data_range import DataRange
from zoo_core.world_model import ModelStep, WorldModel, select

_SURE = 15.0  # largest logit of a termination: a sigmoid never quite says that an episode is over
_LEAST_STD = 0.01  # in units of the data's range


@dataclass(frozen=True)
class RecurrentConfig:
    """Sizes of both models."""

    hidden: int = 32  # recurrent units
    latent: int = 8  # stochastic units of the RSSM
    mixtures: int = 3  # components of the MDN-RNN's density
    learning_rate: float = 3e-3
    num_updates: int = 40
    batch_size: int = 16
    sequence_length: int = 8


class RecurrentModel(WorldModel):
    """What the two share: observations in units of the data's range, and the default `fit`."""

    config_class = RecurrentConfig

    def __init__(self, observation_space: Any, action_space: Any, config: Any = None, *, seed: int = 0) -> None:
        super().__init__(observation_space, action_space, config, seed=seed)
        spaces.check_space(observation_space, (gym_spaces.Box,), what="observation", who=type(self).__name__)
        self.obs_dim, self.action_dim = spaces.flat_dim(observation_space), spaces.flat_dim(action_space)
        self.obs_range, self.reward_range = DataRange(observation_space), DataRange()
        with construction_rng(seed):
            self.build()
        self.optimizer = torch.optim.Adam(self.parameters(), self.config.learning_rate)

    def build(self) -> None:
        """Makes the networks."""
        raise NotImplementedError

    def fit(self, replay: Any, **kwargs: Any) -> dict[str, float]:
        """Takes the ranges of the data, then trains on batches of sequences."""
        steps = replay.tensors(self.device)
        seen = spaces.to_tensor(self.observation_space, replay.observations(), self.device)
        self.obs_range.fit(seen.reshape(len(seen), -1).float())
        self.reward_range.fit(steps.reward[:, None])
        return super().fit(replay, **kwargs)

    def update(self, batch: Any, *, rng: torch.Generator) -> dict[str, float]:
        """Makes one gradient step on the model's loss."""
        loss = self.loss(batch, rng)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.parameters(), 10.0)
        self.optimizer.step()
        return {"loss": loss.item()}

    def loss(self, batch: Any, rng: torch.Generator) -> Tensor:
        """Returns the mean loss of a batch of sequences."""
        raise NotImplementedError

    def units(self, obs: Tensor) -> Tensor:
        """Returns observations `[B, ...]` flat, in units of the data's range."""
        return self.obs_range.to_unit(obs.reshape(len(obs), -1).float())

    def outcome(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """Reads reward and continuation probability from two outputs `[B, 2]`."""
        reward = self.reward_range.from_unit(outputs[:, :1].sigmoid())[:, 0]
        return reward, torch.sigmoid(outputs[:, 1].clamp(-_SURE, _SURE))

    def outcome_loss(self, outputs: Tensor, batch: Any, t: int) -> Tensor:
        """Returns the loss `[B]` of reward and termination of step t."""
        reward = self.reward_range.to_unit(batch.reward[:, t, None])[:, 0]
        goes_on = (~batch.terminated[:, t]).float()
        ended = binary_cross_entropy_with_logits(outputs[:, 1].clamp(-_SURE, _SURE), goes_on, reduction="none")
        return (outputs[:, 0].sigmoid() - reward).square() + ended

    def to_observation(self, units: Tensor) -> Tensor:
        """Returns observations in the layout of the space."""
        return self.obs_range.from_unit(units).reshape(-1, *self.observation_space.shape)  # type: ignore[misc]

    def noise(self, num: int, width: int, rng: torch.Generator) -> Tensor:
        """Returns standard normal numbers `[num, width]`."""
        return torch.randn(num, width, generator=rng, device=self.device)


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
        return mean, softplus(raw) + _LEAST_STD


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
            density = torch.distributions.Normal(mean, std).log_prob(state.units[:, None]).sum(-1)
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
            softplus(raw.reshape(shape) - 2) + _LEAST_STD,
            rest,
        )
