"""A replay buffer for SB3's off-policy algorithms that mixes real and imagined steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import BaseBuffer, ReplayBuffer
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from stable_baselines3.common.vec_env import VecNormalize
from torch import Tensor

from zoo_core.config import check_range
from zoo_core.errors import UnsupportedSpaceError
from zoo_core.replay import Replay
from zoo_core.replay.experience import Transitions
from zoo_core.spaces import check_space
from zoo_mbpo.ring import Ring

Array = np.ndarray[Any, Any]


class MixedReplayBuffer(ReplayBuffer):
    """Batches of which a fixed part is real, and the rest imagined (Janner et al. 2019, arXiv:1906.08253, appendix C).

    Real steps are kept once, in `replay`, which a world model can be fitted to: in the environment's units, whereas SB3
    hands over and expects actions in [-1, 1]. Imagined ones are in `dreams`, laid out as SB3 wants them; there is no
    way from them into `replay`. While there are no dreams, batches are real.

    Args:
        buffer_size: real steps kept, over all environments.
        observation_space: a Box of floating point numbers.
        action_space: a Box with finite bounds.
        device: of the batches and of the dreams.
        n_envs: environments that are stepped together.
        optimize_memory_usage: must be False: no observation is stored twice as it is.
        real_ratio: part of a batch that is real, rounded to whole steps.
        replay: real experience to go on with; by default a new one.

    Raises:
        UnsupportedSpaceError: a space is of another kind.
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        buffer_size: int,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        device: torch.device | str = "auto",
        n_envs: int = 1,
        optimize_memory_usage: bool = False,
        *,
        real_ratio: float = 0.05,
        replay: Replay | None = None,
    ) -> None:
        check_range("real_ratio", real_ratio, 0.0, 1.0)
        if optimize_memory_usage:
            raise ValueError("optimize_memory_usage must be False: MixedReplayBuffer stores no observation twice")
        check_spaces(observation_space, action_space, who="MixedReplayBuffer")
        BaseBuffer.__init__(self, buffer_size, observation_space, action_space, device, n_envs)  # without arrays
        self.optimize_memory_usage, self.handle_timeout_termination = False, True
        self.real_ratio = real_ratio
        if replay is None:
            replay = Replay(observation_space, action_space, num_envs=n_envs, capacity=buffer_size)
        self.replay = replay
        self._bounds = tuple(
            torch.as_tensor(bound.reshape(-1), dtype=torch.float32, device=self.device)
            for bound in (action_space.low, action_space.high)  # type: ignore[attr-defined]
        )
        num_obs = int(np.prod(self.obs_shape))
        self._widths = [num_obs, self.action_dim, num_obs, 1, 1]  # of a row: as in ReplayBufferSamples
        self.dreams = Ring(sum(self._widths), device=self.device)

    def add(
        self, obs: Array, next_obs: Array, action: Array, reward: Array, done: Array, infos: list[dict[str, Any]]
    ) -> None:
        """Adds a real step of every environment, as SB3 hands it over: `action` in [-1, 1]."""
        truncated = done & np.array([info.get("TimeLimit.truncated", False) for info in infos], dtype=bool)
        low, high = self.action_space.low, self.action_space.high  # type: ignore[attr-defined]
        taken = low + 0.5 * (action.reshape(self.n_envs, *low.shape) + 1.0) * (high - low)
        self.replay.add(obs, taken, reward, done & ~truncated, truncated, next_obs)

    def add_dreams(self, steps: Transitions) -> None:
        """Adds imagined steps: tensors `[N, ...]`, actions in the environment's units."""
        self.dreams.add(self._rows(steps))

    def sample(self, batch_size: int, env: VecNormalize | None = None) -> ReplayBufferSamples:
        """Samples a batch, from torch's global stream; `dones` are terminations, so that SB3 bootstraps through
        timeouts.

        Raises:
            ValueError: `env` normalises what the world model must see raw.
        """
        check_raw(env)
        num_real = round(self.real_ratio * batch_size) if len(self.dreams) else batch_size
        parts = []
        if num_real:
            real = self.replay.sample_transitions(num_real, rng=torch.default_generator)
            parts.append(self._rows(real))
        if num_real < batch_size:
            parts.append(self.dreams.sample(batch_size - num_real))
        obs, action, next_obs, done, reward = torch.split(torch.cat(parts), self._widths, dim=1)
        obs, next_obs = (each.reshape(batch_size, *self.obs_shape) for each in (obs, next_obs))
        return ReplayBufferSamples(obs, action, next_obs, done, reward)

    def size(self) -> int:
        """Returns the number of real steps."""
        return len(self.replay)

    def reset(self) -> None:
        """Drops everything."""
        self.replay.restore([])
        self.dreams.clear()

    def scale(self, action: Tensor) -> Tensor:
        """Maps actions `[B, A]` in the environment's units to [-1, 1], as SB3's policies do."""
        low, high = self._bounds
        return 2.0 * ((action - low) / (high - low)) - 1.0

    def unscale(self, action: Tensor) -> Tensor:
        """Maps actions `[B, A]` in [-1, 1] to the environment's units and shape, as SB3's policies do."""
        low, high = self._bounds
        units: Tensor = low + 0.5 * (action + 1.0) * (high - low)
        return units.reshape(len(action), *self.action_space.shape)  # type: ignore[misc]

    def _rows(self, steps: Transitions) -> Tensor:
        """Lays out steps as rows `[N, width]` of float32, on the buffer's device."""
        columns = steps.obs, steps.action, steps.next_obs, steps.terminated, steps.reward
        rows = torch.cat([each.reshape(len(each), -1).float() for each in columns], dim=1).to(self.device)
        action = torch.split(rows, self._widths, dim=1)[1]
        action.copy_(self.scale(action))
        return rows


def check_raw(env: VecNormalize | None) -> None:
    """Checks that observations and rewards are what the environment gave.

    Raises:
        ValueError: they are normalised.
    """
    if env is not None and (env.norm_obs or env.norm_reward):
        raise ValueError(
            "MBPO mixes real steps with imagined ones, which are in the units of the environment: take it out of "
            "VecNormalize, or set norm_obs=False and norm_reward=False"
        )


def check_spaces(observation_space: spaces.Space[Any], action_space: spaces.Space[Any], *, who: str) -> None:
    """Checks that observations and actions are what dreams are made of.

    Raises:
        UnsupportedSpaceError: observations are no Box of floating point numbers, or actions none with finite bounds.
    """
    check_space(observation_space, [spaces.Box], what="observation", who=who)
    check_space(action_space, [spaces.Box], what="action", who=who)
    if not np.issubdtype(observation_space.dtype, np.floating):
        raise UnsupportedSpaceError(f"{who} takes observations of floating point type, got {observation_space}")
    if not action_space.is_bounded():  # type: ignore[attr-defined]
        raise UnsupportedSpaceError(
            f"{who} takes actions with finite bounds, got {action_space}; "
            "gymnasium.wrappers.TransformAction(env, lambda action: action, Box(...)) gives an environment others"
        )
