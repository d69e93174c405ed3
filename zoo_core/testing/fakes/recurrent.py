"""What the recurrent models share: units of the data's range, heads for reward and end, the gradient step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from gymnasium import spaces as gym_spaces
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from zoo_core import spaces
from zoo_core.seeding import construction_rng
from zoo_core.testing.fakes.data_range import DataRange
from zoo_core.world_model import WorldModel

_SURE = 15.0  # largest logit of a termination: a sigmoid never quite says that an episode is over
LEAST_STD = 0.01  # in units of the data's range


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
