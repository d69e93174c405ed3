"""What dreams promise, and what reality gives: the same policy from the same first observations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from zoo_core import seeding, world_model as beliefs
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
        standard_error: Of that mean; None for a single pair.
        difference_std: Deviation of dream minus real over pairs.
        correlation: Over pairs; None if either is constant.
        held_fraction: Part of the dream steps that the model held back to stay in the world.
    """

    dream: tuple[float, ...]
    real: tuple[float, ...]
    dream_length: tuple[int, ...]
    real_length: tuple[int, ...]
    difference: float
    standard_error: float | None
    difference_std: float
    correlation: float | None
    held_fraction: float


def dream_returns(
    begin: Callable[[int], Any],
    model: WorldModel,
    real: Episodes,
    filtered: Filtered,
    *,
    num_dreams: int,
    horizon: int,
    seed: int,
    deterministic: bool,
    observation: str,
    temperature: float,
    show: Any = None,
) -> Returns:
    """Runs the policy in one dream for each real episode, and compares the returns.

    A dream goes on until it terminates, but no longer than `horizon`, nor than its real episode where the environment
    cut that one. Dreams run in batches like those of the real episodes, so that a policy draws the same in both worlds.

    Args:
        begin: Returns the policy, anything with SB3's `predict`, from the seed of a batch.
        model: To dream in.
        real: Real episodes of the policy.
        filtered: Beliefs along them; the dreams begin at the first ones.
        num_dreams: Of a batch, as many as environments were stepped at once.
        horizon: Steps at most.
        seed: Of the first dream.
        deterministic: Passed on to the policy.
        observation: What the policy sees, "decoded" or "latent".
        temperature: Of the model's randomness.
        show: Makes of the dream's observations what the policy sees, such as `VecNormalize.normalize_obs`.
    """
    episodes = len(real.length)
    begun = beliefs.index(filtered.states, slice(0, episodes))  # rows are in order of time
    limit = np.where(real.truncated, real.length, horizon)
    totals, lengths = np.zeros(episodes), np.zeros(episodes, dtype=np.int64)
    held = steps = 0
    for first in range(0, episodes, num_dreams):
        rows = (first + np.arange(num_dreams)) % episodes  # the last batch is filled up, and cut again

        def starts(num: int, *, rng: torch.Generator, rows: Array = rows) -> State:
            return beliefs.index(begun, rows[np.arange(num) % num_dreams])

        dreams = DreamVecEnv(
            model,
            num_dreams,
            horizon,
            observation=observation,
            starts=starts,
            temperature=temperature,
            seed=seed + first,
        )
        with seeding.GlobalStreams(seed + first):
            policy = begin(seed + first)
            found = _run_dreams(policy, dreams, limit[rows], deterministic=deterministic, show=show)
        batch = rows[: episodes - first]
        totals[batch], lengths[batch] = (each[: len(batch)] for each in found)
        held, steps = held + dreams.imagination.held, steps + dreams.imagination.steps
        dreams.close()
    return compare_returns(totals, lengths, real, held / steps)


def _run_dreams(
    policy: Any, dreams: DreamVecEnv, limit: Array, *, deterministic: bool, show: Any
) -> tuple[Array, Array]:
    """Returns the return and the length of the first dream in each row, cut after `limit` `[B]` steps."""
    num = dreams.num_envs
    totals, lengths = np.zeros(num), np.zeros(num, dtype=np.int64)
    running, episode_start, state = np.ones(num, dtype=bool), np.ones(num, dtype=bool), None
    obs: Any = dreams.reset()
    while running.any():
        seen = obs if show is None else show(obs)
        action, state = policy.predict(seen, state=state, episode_start=episode_start, deterministic=deterministic)
        obs, reward, episode_start, _ = dreams.step(action)
        totals[running] += reward[running]
        lengths[running] += 1
        running &= ~episode_start & (lengths < limit)
    return totals, lengths


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
        standard_error=std / (len(dream) - 1) ** 0.5 if len(dream) > 1 else None,
        difference_std=std,
        correlation=correlation(dream, returns),
        held_fraction=held_fraction,
    )
