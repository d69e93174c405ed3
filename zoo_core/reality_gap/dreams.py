"""What dreams promise, and what reality gives: the same policy from the same first observations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from zoo_core import world_model as beliefs
from zoo_core.dream import DreamVecEnv
from zoo_core.reality_gap.calibration import correlation
from zoo_core.reality_gap.episodes import Episodes, Filtered
from zoo_core.world_model import State, WorldModel

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Returns:
    """Undiscounted returns of E episodes in both worlds, in pairs that begin alike.

    Attributes:
        dream: Return of each dream.
        real: Return of each real episode.
        dream_length: Steps.
        real_length: Steps.
        difference: Mean of dream minus real.
        standard_error: Of that mean; 0 for a single pair.
        difference_std: Deviation of dream minus real over pairs.
        correlation: Over pairs; None if either is constant.
        held_fraction: Part of the dream steps that the model held back to stay in the world.
    """

    dream: tuple[float, ...]
    real: tuple[float, ...]
    dream_length: tuple[int, ...]
    real_length: tuple[int, ...]
    difference: float
    standard_error: float
    difference_std: float
    correlation: float | None
    held_fraction: float


def dream_returns(
    policy: Any,
    model: WorldModel,
    real: Episodes,
    filtered: Filtered,
    *,
    horizon: int,
    seed: int,
    deterministic: bool,
    observation: str,
    temperature: float,
    show: Any = None,
) -> Returns:
    """Runs the policy in one dream for each real episode, and compares the returns.

    A dream goes on until it terminates, but no longer than `horizon`, nor than its real episode where the environment
    cut that one.

    Args:
        policy: Anything with SB3's `predict`.
        model: To dream in.
        real: Real episodes of the policy.
        filtered: Beliefs along them; the dreams begin at the first ones.
        horizon: Steps at most.
        seed: Of the dreams.
        deterministic: Passed on to the policy.
        observation: What the policy sees, "decoded" or "latent".
        temperature: Of the model's randomness.
        show: Makes of the dream's observations what the policy sees, such as `VecNormalize.normalize_obs`.
    """
    episodes = len(real.length)
    begun = beliefs.index(filtered.states, slice(0, episodes))  # rows are in order of time

    def starts(num: int, *, rng: torch.Generator) -> State:
        return beliefs.index(begun, np.arange(num) % episodes)

    dreams = DreamVecEnv(
        model, episodes, horizon, observation=observation, starts=starts, temperature=temperature, seed=seed
    )
    limit = np.where(real.truncated, real.length, horizon)
    totals, lengths = np.zeros(episodes), np.zeros(episodes, dtype=np.int64)
    running, episode_start, state = np.ones(episodes, dtype=bool), np.ones(episodes, dtype=bool), None
    obs: Any = dreams.reset()
    while running.any():
        seen = obs if show is None else show(obs)
        action, state = policy.predict(seen, state=state, episode_start=episode_start, deterministic=deterministic)
        obs, reward, episode_start, _ = dreams.step(action)
        totals[running] += reward[running]
        lengths[running] += 1
        running &= ~episode_start & (lengths < limit)
    dreams.close()
    return compare_returns(totals, lengths, real, dreams.imagination.held_fraction)


def compare_returns(dream: Array, dream_length: Array, real: Episodes, held_fraction: float) -> Returns:
    """Compares dreams' returns `[E]` with those of the real episodes."""
    happened = np.arange(real.reward.shape[1]) < real.length[:, None]
    returns = np.where(happened, real.reward, 0.0).sum(1, dtype=np.float64)
    difference = dream - returns
    std = float(difference.std())
    return Returns(
        dream=tuple(dream.tolist()),
        real=tuple(returns.tolist()),
        dream_length=tuple(dream_length.tolist()),
        real_length=tuple(real.length.tolist()),
        difference=float(difference.mean()),
        standard_error=std / max(1, len(dream) - 1) ** 0.5,
        difference_std=std,
        correlation=correlation(dream, returns),
        held_fraction=held_fraction,
    )
