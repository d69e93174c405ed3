"""What the checks feed a model or an agent with, and how they describe what it returns."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import optree
import torch
from stable_baselines3.common.vec_env import VecEnvWrapper
from torch import Tensor

from zoo_core import seeding, spaces, world_model as beliefs
from zoo_core.acting import RandomPolicy, as_vec_env
from zoo_core.errors import Undecodable
from zoo_core.testing.checks.expect import expect
from zoo_core.world_model import State, WorldModel


def check_rng(model: WorldModel) -> torch.Generator:
    """Returns the same fresh stream each time."""
    return seeding.rng(0, "check", device=model.device)


def sample_actions(model: WorldModel, state: State, *, seed: int = 0) -> Tensor:
    """Returns random actions for a batch of beliefs, legal where the model knows what is legal."""
    legal = model.legal_actions(state)
    if legal is not None:
        weights = torch.where(legal.any(-1, keepdim=True), legal, True).float()
        return torch.multinomial(weights, 1, generator=seeding.rng(seed, "actions", device=model.device))[:, 0]
    space = copy.deepcopy(model.action_space)  # the model's own keeps its stream
    space.seed(seed)
    actions = spaces.batch_of(space, [space.sample() for _ in range(beliefs.batch_size(state))])
    tensor: Tensor = spaces.to_tensor(space, actions, model.device)
    return tensor


def sample_observations(model: WorldModel, state: State) -> Any:
    """Returns first observations if the model remembers some, else what it decodes, else zeros; a tensor nest."""
    num, space = beliefs.batch_size(state), model.observation_space
    if model.starts is not None:
        pool = len(optree.tree_leaves(model.starts)[0])
        obs = spaces.index(space, model.starts, np.arange(num) % pool)
    else:
        try:
            obs = spaces.to_numpy(space, model.decode(state))
        except Undecodable:
            obs = spaces.zeros(space, num)
    return spaces.to_tensor(space, obs, model.device)


def layout_of(nest: Any) -> Any:
    """Returns the nest with each leaf replaced by its dtype and shape."""
    return optree.tree_map(describe, nest)


def describe(leaf: Any) -> str:
    """Returns dtype and shape of a tensor or array, else the name of the type."""
    return f"{leaf.dtype} {list(leaf.shape)}" if isinstance(leaf, Tensor | np.ndarray) else type(leaf).__name__


def detached(state: State) -> State:
    """Returns the belief without its gradients."""
    return optree.tree_map(lambda leaf: leaf.detach() if isinstance(leaf, Tensor) else leaf, state)


def check_leaves(model: WorldModel, state: State, num: int, what: str) -> None:
    """Checks that a state is a pytree of `[num, ...]` tensors on the model's device; positions may be arrays."""
    leaves = optree.tree_leaves(state)
    expect(leaves, f"{what} returns a pytree with leaves", state, "put tensors into a NamedTuple")
    for leaf in leaves:
        position = isinstance(leaf, np.ndarray) and (model.num_players > 1 or (leaf.dtype == object and leaf.ndim == 1))
        expect(
            isinstance(leaf, Tensor) or position,
            "leaves of a state are tensors, or NumPy arrays of games' positions",
            f"{what} returned a {type(leaf).__name__}",
            "make tensors of arrays and numbers; games for two may have arrays, others object arrays [B]",
        )
        expect(
            len(leaf) == num if leaf.ndim else False,
            "every leaf of a state has the leading dimension B",
            f"{what} returned {describe(leaf)} for B = {num}",
            "expand what all rows share",
        )
        if isinstance(leaf, Tensor):
            expect(
                leaf.device.type == model.device.type,
                "states are on the model's device",
                f"{leaf.device}, the model is on {model.device}",
                "make tensors with device=self.device",
            )


class SameSeed(VecEnvWrapper):
    """An environment with one seed, whatever it is told."""

    def seed(self, seed: int | None = None) -> Any:
        """Seeds it with 0."""
        return self.venv.seed(0)

    def reset(self) -> Any:
        """Passes it on."""
        return self.venv.reset()

    def step_wait(self) -> Any:
        """Passes it on."""
        return self.venv.step_wait()


def walk_observations(env_id: str, num: int) -> Any:
    """Returns what a random walk shows, `[num, ...]`."""
    vec_env = as_vec_env(env_id, seed=5)
    policy, seen = RandomPolicy(vec_env.action_space), [vec_env.reset()]
    for _ in range(num - 1):
        seen.append(vec_env.step(policy.predict(seen[-1])[0])[0])
    vec_env.close()
    space = vec_env.observation_space
    return spaces.batch_of(space, [spaces.index(space, obs, 0) for obs in seen])
