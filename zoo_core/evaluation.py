"""Evaluation on fixed start states: every policy meets the same episodes, so that results compare in pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import optree
from stable_baselines3.common.vec_env import VecEnv

from zoo_core import spaces
from zoo_core.acting import as_vec_env
from zoo_core.env_state import write_all
from zoo_core.errors import NonFiniteError

if TYPE_CHECKING:
    import gymnasium as gym

Array = np.ndarray[Any, Any]

EVALUATION_SEED = 10_000  # far from the seeds of training, which count from 0
MAX_ENVS = 64  # environments stepped at once; more would cost memory, not time


@dataclass(frozen=True)
class EvaluationResult:
    """What a policy reached in N episodes.

    Attributes:
        returns: `[N]` float64, undiscounted and without reward normalisation.
        lengths: `[N]` int64, steps.
        first_obs: `[N, ...]` where each episode began.
        seed: Episode i began with `reset(seed=seed + i)`.
    """

    returns: Array
    lengths: Array
    first_obs: Any
    seed: int

    @property
    def mean(self) -> float:
        """Mean return."""
        return float(self.returns.mean())

    @property
    def std(self) -> float:
        """Standard deviation of the returns over episodes."""
        return float(self.returns.std())

    @property
    def min(self) -> float:
        """Lowest return."""
        return float(self.returns.min())

    @property
    def max(self) -> float:
        """Highest return."""
        return float(self.returns.max())

    def to_json(self) -> dict[str, Any]:
        """Returns everything but the first observations as plain JSON data."""
        return {
            "episodes": len(self.returns),
            "seed": self.seed,
            "mean": self.mean,
            "std": self.std,
            "min": self.min,
            "max": self.max,
            "mean_length": float(self.lengths.mean()),
            "returns": self.returns.tolist(),
            "lengths": self.lengths.tolist(),
        }

    def __str__(self) -> str:
        num = len(self.returns)
        return (
            f"return {self.mean:.2f} ± {self.std:.2f} (min {self.min:.2f}, max {self.max:.2f}), "
            f"length {self.lengths.mean():.1f}, over {num} episode{'s' if num > 1 else ''}"
        )


def evaluate(
    policy: Any,
    env: str | gym.Env[Any, Any] | VecEnv,
    *,
    episodes: int = 20,
    seed: int = EVALUATION_SEED,
    deterministic: bool = True,
    env_kwargs: dict[str, Any] | None = None,
    env_state: Any = None,
    num_envs: int | None = None,
) -> EvaluationResult:
    """Runs a policy for whole episodes, episode i from `reset(seed=seed + i)`.

    Episodes run side by side, one in each environment, so that the policy is asked for a batch of actions.

    Args:
        policy: Anything with SB3's `predict`: an agent, an SB3 algorithm; recurrent ones too.
        env: An id, a Gymnasium environment, or a VecEnv (a `VecNormalize` must not be training). In dreams, which
            share one stream of randomness, the seed begins a batch rather than an episode.
        episodes: Episodes to run.
        seed: Of the first episode.
        deterministic: Take the best action rather than a sample.
        env_kwargs: Arguments of the environment, where `env` is an id.
        env_state: What `get_state` of such an environment returned: what outlives an episode, such as a wall that has
            moved, is then as it was there.
        num_envs: Environments to make where `env` is an id; None for one an episode, at most 64.

    Raises:
        ValueError: There is no episode to run, or no environment to run it in.
        NonFiniteError: The environment gave a reward that is NaN or infinite.
    """
    if episodes < 1:
        raise ValueError(f"episodes must be at least 1, got {episodes}")
    num_envs = min(episodes, MAX_ENVS) if num_envs is None else num_envs
    if num_envs < 1:
        raise ValueError(f"num_envs must be at least 1, got {num_envs}")
    vec_env = as_vec_env(env, env_kwargs=env_kwargs, num_envs=num_envs)
    try:
        if env_state is not None:
            write_all(vec_env, env_state)
        batches: list[Any] = [
            _run_batch(policy, vec_env, seed + first, min(vec_env.num_envs, episodes - first), deterministic)
            for first in range(0, episodes, vec_env.num_envs)
        ]
    finally:
        if isinstance(env, str):
            vec_env.close()
    joined: Any = optree.tree_map(lambda *parts: np.concatenate(parts), *batches)
    returns, lengths, first_obs = joined
    return EvaluationResult(returns, lengths, first_obs, seed)


def _run_batch(policy: Any, env: VecEnv, seed: int, episodes: int, deterministic: bool) -> tuple[Array, Array, Any]:
    """Runs one episode in each of the first `episodes` environments; returns, lengths and first observations."""
    env.seed(seed)
    obs = env.reset()
    first_obs = spaces.map_space(env.observation_space, lambda _, leaf: np.array(leaf[:episodes]), obs)
    returns, lengths = np.zeros(episodes), np.zeros(episodes, dtype=np.int64)
    running = np.ones(episodes, dtype=bool)
    state, episode_start = None, np.ones(env.num_envs, dtype=bool)
    while running.any():
        action, state = policy.predict(obs, state=state, episode_start=episode_start, deterministic=deterministic)
        obs, reward, done, infos = env.step(action)
        if not np.isfinite(reward).all():
            raise NonFiniteError(f"the environment gave a reward that is NaN or infinite: {reward}")
        returns[running] += reward[:episodes][running]
        lengths[running] += 1
        for i in np.flatnonzero(running & done[:episodes]):
            if "episode" in infos[i]:  # Monitor has the return in float64, and before any VecNormalize
                returns[i], lengths[i] = infos[i]["episode"]["r"], infos[i]["episode"]["l"]
        running &= ~done[:episodes]
        episode_start = done
    return returns, lengths, first_obs
