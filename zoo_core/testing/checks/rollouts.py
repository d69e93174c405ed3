"""Random walks through dreams."""

from __future__ import annotations

import copy
from typing import Any

import gymnasium as gym
import numpy as np
import optree

from zoo_core.dream import DreamVecEnv


class RandomActions:
    """Random actions for a batch of dreams; legal ones where the model masks them."""

    def __init__(self, env: Any, seed: int) -> None:
        self.env, self.rng = env, np.random.default_rng(seed)
        single = env.single_action_space if hasattr(env, "single_action_space") else env.action_space
        self.space = copy.deepcopy(single)
        self.space.seed(seed)
        self.masked = isinstance(single, gym.spaces.Discrete)

    def draw(self) -> np.ndarray[Any, Any]:
        """Returns one action for each dream."""
        num = getattr(self.env, "num_envs", 1)
        if not self.masked:
            return np.stack([self.space.sample() for _ in range(num)])
        masks = np.atleast_2d(self.env.action_masks())
        scores = self.rng.random(masks.shape) * np.where(masks.any(-1, keepdims=True), masks, True)
        actions: np.ndarray[Any, Any] = scores.argmax(-1) + int(self.space.start)
        return actions


def rollout(env: DreamVecEnv, steps: int, *, spoils: bool = False) -> list[Any]:
    """Returns copies of all that a rollout showed; with `spoils`, what was returned is then overwritten."""
    obs: Any = env.reset()
    history = [copy.deepcopy(obs)]
    actions = RandomActions(env, seed=0)
    for _ in range(steps):
        chosen = actions.draw()
        if spoils:
            _overwrite(obs)
        obs, reward, done, infos = env.step(chosen)
        finals = [info["terminal_observation"] for info in infos if "terminal_observation" in info]
        history.append(copy.deepcopy((obs, reward, done, finals)))
        if spoils:
            _overwrite((reward, done, finals))
    return history


def _overwrite(nest: Any) -> None:
    for leaf in optree.tree_leaves(nest):
        if isinstance(leaf, np.ndarray):
            leaf[...] = 1
