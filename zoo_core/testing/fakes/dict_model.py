"""Models of Dict observations: a plain one, and a goal-conditioned one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium import spaces as gym_spaces
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from zoo_core import spaces
from zoo_core.seeding import construction_rng
from zoo_core.testing.fakes.corridor import Corridor
from zoo_core.world_model import ModelStep, WorldModel

_SURE = 15.0  # largest logit of a termination


@dataclass(frozen=True)
class DictModelConfig:
    """Sizes."""

    hidden: int = 32
    learning_rate: float = 3e-3
    num_updates: int = 60
    batch_size: int = 64


class Seen(NamedTuple):
    """The observation itself: a dict of `[B, ...]`."""

    obs: dict[str, Tensor]


class DictModel(WorldModel):
    """A network on the flat observation: Box parts (bounded) get their change, Discrete parts logits."""

    config_class = DictModelConfig
    kept: tuple[str, ...] = ()  # parts that never change

    def __init__(self, observation_space: Any, action_space: Any, config: Any = None, *, seed: int = 0) -> None:
        super().__init__(observation_space, action_space, config, seed=seed)
        spaces.check_space(observation_space, (gym_spaces.Dict,), what="observation", who=type(self).__name__)
        self.widths = [spaces.flat_dim(part) for part in observation_space.spaces.values()]
        inputs, hidden = sum(self.widths) + spaces.flat_dim(action_space), self.config.hidden
        with construction_rng(seed):
            self.network = nn.Sequential(nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, sum(self.widths) + 2))
        self.optimizer = torch.optim.Adam(self.parameters(), self.config.learning_rate)

    def sample_batch(self, replay: Any, *, rng: torch.Generator) -> Any:
        """Single steps are enough."""
        return replay.sample_transitions(self.config.batch_size, rng=rng, device=self.device)

    def update(self, batch: Any, *, rng: torch.Generator) -> dict[str, float]:
        """Makes one gradient step on the sum over parts, reward and termination; mean over B."""
        parts, reward, logit = self._outputs(batch.obs, batch.action)
        loss = (reward - batch.reward).square().mean()
        loss = loss + binary_cross_entropy_with_logits(logit, (~batch.terminated).float())
        for key, part in self.observation_space.spaces.items():  # type: ignore[attr-defined]
            if isinstance(part, gym_spaces.Discrete):
                loss = loss + cross_entropy(parts[key], batch.next_obs[key])
            else:
                loss = loss + (batch.obs[key] + parts[key] - batch.next_obs[key]).square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"loss": loss.item()}

    def observe(self, state: Any, action: Any, obs: Any, is_first: Any, *, rng: torch.Generator) -> Seen:
        """Believes what it sees."""
        return Seen({key: part.clone() for key, part in obs.items()})

    def step(
        self, state: Any, action: Tensor, *, rng: torch.Generator, temperature: float = 1.0, uncertainty: bool = False
    ) -> ModelStep:
        """Draws the Discrete parts, moves the Box parts; all stays within the bounds of the space."""
        parts, reward, logit = self._outputs(state.obs, action)
        after = dict(state.obs)
        for key, part in self.observation_space.spaces.items():  # type: ignore[attr-defined]
            if isinstance(part, gym_spaces.Discrete):
                chance = torch.rand(len(action), 1, generator=rng, device=self.device)
                below = (parts[key] / max(temperature, 1e-6)).softmax(-1).cumsum(-1) <= chance
                after[key] = below.sum(-1).clamp_max(int(part.n) - 1) if temperature else parts[key].argmax(-1)
            elif key not in self.kept:
                low, high = (torch.as_tensor(side, device=self.device) for side in (part.low, part.high))
                after[key] = torch.minimum(torch.maximum(state.obs[key] + parts[key], low), high)
        return ModelStep(Seen(after), reward, logit.sigmoid())

    def decode(self, state: Any) -> dict[str, Tensor]:
        """Returns the observation."""
        return state.obs  # type: ignore[no-any-return]

    def _outputs(self, obs: Any, action: Tensor) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """Returns a change or logits for each part, the reward and the logit of going on."""
        flat = [spaces.flatten(self.observation_space, obs), spaces.flatten(self.action_space, action)]
        *parts, rest = self.network(torch.cat(flat, -1)).split([*self.widths, 2], -1)
        keys = self.observation_space.spaces  # type: ignore[attr-defined]
        return dict(zip(keys, parts, strict=True)), rest[:, 0], rest[:, 1].clamp(-_SURE, _SURE)


class GoalModel(DictModel):
    """The same for goal-conditioned environments: the goal stays, and the reward is `compute_reward`.

    Serves `HerReplayBuffer` through `env_method("compute_reward")`. It knows the reward of `Corridor`.
    """

    kept = ("desired_goal",)

    def step(self, state: Any, action: Tensor, **kwargs: Any) -> ModelStep:
        """Moves, and looks how far the goal is; such episodes never terminate."""
        step = super().step(state, action, **kwargs)
        achieved, desired = (step.state.obs[key].detach().cpu().numpy() for key in ("achieved_goal", "desired_goal"))
        reward = torch.as_tensor(self.compute_reward(achieved, desired, {}), device=self.device)
        return step._replace(reward=reward, continues=torch.ones_like(reward))

    def compute_reward(self, achieved_goal: Any, desired_goal: Any, info: Any) -> Any:
        """Returns the reward of single goals or of a batch, in NumPy."""
        return np.asarray(Corridor.compute_reward(achieved_goal, desired_goal, info))
