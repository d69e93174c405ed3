"""A value-equivalent model: latents that predict rewards and never what is seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from zoo_core import spaces
from zoo_core.seeding import construction_rng
from zoo_core.world_model import ModelStep, WorldModel

_SURE = 15.0  # largest logit of a termination


@dataclass(frozen=True)
class ValueEquivalentConfig:
    """Sizes."""

    latent: int = 16
    learning_rate: float = 3e-3
    num_updates: int = 40
    batch_size: int = 16
    sequence_length: int = 5  # steps unrolled, K


class Latent(NamedTuple):
    """What is left of the observation `[B, latent]`, in [0, 1]."""

    latent: Tensor


class ValueEquivalentModel(WorldModel):
    """Representation and dynamics of MuZero (Schrittwieser et al. 2020, arXiv:1911.08265), without value and policy.

    It begins a new belief from every observation, and has no `decode`.
    """

    config_class = ValueEquivalentConfig

    def __init__(self, observation_space: Any, action_space: Any, config: Any = None, *, seed: int = 0) -> None:
        super().__init__(observation_space, action_space, config, seed=seed)
        latent = self.config.latent
        with construction_rng(seed):
            self.representation = _mlp(spaces.flat_dim(observation_space), latent)
            self.dynamics = _mlp(latent + spaces.flat_dim(action_space), latent + 2)
        self.optimizer = torch.optim.Adam(self.parameters(), self.config.learning_rate)

    def observe(self, state: Any, action: Any, obs: Any, is_first: Any, *, rng: torch.Generator) -> Latent:
        """Encodes what is seen; the past is forgotten."""
        return Latent(self.representation(spaces.flatten(self.observation_space, obs)).sigmoid())

    def step(
        self, state: Any, action: Tensor, *, rng: torch.Generator, temperature: float = 1.0, uncertainty: bool = False
    ) -> ModelStep:
        """Runs the dynamics."""
        after, reward, logit = self._outputs(state, action)
        return ModelStep(after, reward, logit.sigmoid())

    def features(self, state: Any) -> Tensor:
        """Returns the latent."""
        return state.latent  # type: ignore[no-any-return]

    def update(self, batch: Any, *, rng: torch.Generator) -> dict[str, float]:
        """Unrolls the dynamics from the first observation of each sequence, up to the end of its episode."""
        state = self.observe(None, None, _at(self.observation_space, batch.obs, 0), None, rng=rng)
        same_episode = torch.ones_like(batch.is_first[:, 0])
        losses = []
        for t in range(batch.action.shape[1]):
            state, reward, logit = self._outputs(state, batch.action[:, t])
            same_episode = same_episode & ~batch.is_first[:, t + 1]
            ended = binary_cross_entropy_with_logits(logit, (~batch.terminated[:, t]).float(), reduction="none")
            losses.append(torch.where(same_episode, (reward - batch.reward[:, t]).square() + ended, 0.0))
        loss = torch.stack(losses).mean()
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return {"loss": loss.item()}

    def _outputs(self, state: Any, action: Tensor) -> tuple[Latent, Tensor, Tensor]:
        outputs = self.dynamics(torch.cat([state.latent, spaces.flatten(self.action_space, action)], -1))
        return Latent(outputs[:, :-2].sigmoid()), outputs[:, -2], outputs[:, -1].clamp(-_SURE, _SURE)


def _mlp(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, 32), nn.SiLU(), nn.Linear(32, outputs))


def _at(space: Any, obs: Any, t: int) -> Any:
    """Returns the observations of time t out of `[B, T, ...]`."""
    return spaces.map_space(space, lambda _, leaf: leaf[:, t], obs)
