"""Dream environments: one engine (`Imagination`) with three faces, and wrappers for latent policies."""

from typing import Any

from zoo_core.dream.env import DreamEnv
from zoo_core.dream.imagination import DreamStep, Imagination
from zoo_core.dream.latent import LatentObservation, LatentVecEnv
from zoo_core.dream.sb3 import DreamVecEnv
from zoo_core.dream.vector_env import DreamVectorEnv

__all__ = [
    "DreamEnv",
    "DreamStep",
    "DreamVecEnv",
    "DreamVectorEnv",
    "Imagination",
    "LatentObservation",
    "LatentVecEnv",
    "make_dream_env",
    "make_dream_vector_env",
]


def make_dream_env(model: Any, **kwargs: Any) -> DreamEnv:
    """Entry point of `gymnasium.make("zoo_core:Dream-v0", model=PATH or object, ...)`."""
    return DreamEnv(model, **kwargs)


def make_dream_vector_env(num_envs: int, model: Any, **kwargs: Any) -> DreamVectorEnv:
    """Entry point of `gymnasium.make_vec("zoo_core:Dream-v0", num_envs, model=PATH or object, ...)`."""
    return DreamVectorEnv(model, num_envs, **kwargs)
