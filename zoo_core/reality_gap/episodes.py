"""Real episodes of a policy, and the beliefs that a model filters from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import optree
import torch
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor

from zoo_core import seeding, spaces, world_model as beliefs
from zoo_core.acting import Collector
from zoo_core.errors import NonFiniteError
from zoo_core.replay import Replay, Transitions
from zoo_core.world_model import State, WorldModel

Array = np.ndarray[Any, Any]
_CHUNK = 32  # steps after which one looks whether all episodes are over


@dataclass(frozen=True)
class Episodes:
    """E real episodes, padded to the T steps of the longest; what lies past an episode's length means nothing.

    Attributes:
        obs: `[E, T + 1, ...]` NumPy nest, raw; `obs[e, length[e]]` is the final observation.
        action: `[E, T, ...]` in the layout of the action space; `action[e, t]` was chosen at `obs[e, t]`.
        reward: `[E, T]` float32, followed `action[e, t]`.
        length: `[E]` steps.
        terminated: `[E]` bool, the episode ended by itself.
        truncated: `[E]` bool, the environment cut it; where neither is true, the horizon did.
    """

    obs: Any
    action: Any
    reward: Array
    length: Array
    terminated: Array
    truncated: Array

    def obs_at(self, episode: Array, time: Array | int) -> Any:
        """Returns the observations `[N, ...]` of these episodes at these times."""
        return optree.tree_map(lambda leaf: leaf[episode, time], self.obs)

    def action_at(self, model: WorldModel, episode: Any, time: Any) -> Tensor:
        """Returns the actions `[N, ...]` chosen there, as the model takes them."""
        action: Tensor = spaces.to_tensor(model.action_space, self.action[episode, time], model.device)
        return action

    def all_obs(self) -> Any:
        """Returns every real observation `[N, ...]`, finals among them."""
        return self.obs_at(*np.nonzero(np.arange(self.reward.shape[1] + 1) <= self.length[:, None]))


def collect_episodes(
    begin: Callable[[int], Any],
    env: VecEnv,
    model: WorldModel,
    *,
    episodes: int,
    horizon: int,
    seed: int,
    deterministic: bool,
) -> Episodes:
    """Runs a policy for at most `horizon` steps an episode, episode i from `reset(seed=seed + i)`.

    Args:
        begin: Returns the policy, from the seed of a batch of `env.num_envs` episodes.
        env: The reality.
        model: That the episodes are for.
        episodes: E.
        horizon: Steps at most.
        seed: Of the first episode.
        deterministic: Passed on to the policy.
    """
    batches = []
    for first in range(0, episodes, env.num_envs):
        with seeding.GlobalStreams(seed + first):  # what SB3's policies draw is the same in both worlds
            policy = begin(seed + first)
            batches.append(
                _collect_batch(policy, env, model, horizon=horizon, seed=seed + first, deterministic=deterministic)
            )
    num_steps = max(batch.reward.shape[1] for batch in batches)

    def join(*leaves: Array) -> Array:
        padded = [leaf[:, np.minimum(np.arange(num_steps), leaf.shape[1] - 1)] for leaf in leaves]
        return np.concatenate(padded)[:episodes]

    parts: list[Any] = batches
    return _as_episodes(Transitions(*optree.tree_map(join, *parts)))


def _collect_batch(
    policy: Any, env: VecEnv, model: WorldModel, *, horizon: int, seed: int, deterministic: bool
) -> Transitions:
    """Returns the steps `[num_envs, T, ...]` from one reset, until all first episodes are over."""
    replay = Replay(model.observation_space, model.action_space, num_envs=env.num_envs)
    collector = Collector(env, replay)
    env.seed(seed)
    for made in range(0, horizon, _CHUNK):
        collector.collect(policy, min(_CHUNK, horizon - made) * env.num_envs, deterministic=deterministic)
        steps: Any = replay.transitions()
        steps = optree.tree_map(lambda leaf: leaf.reshape(env.num_envs, -1, *leaf.shape[1:]), steps)
        if (steps.terminated | steps.truncated).any(1).all():
            break
    return Transitions(*steps)


def _as_episodes(steps: Transitions) -> Episodes:
    """Keeps the first episode of each row."""
    ended = steps.terminated | steps.truncated
    length = np.where(ended.any(1), ended.argmax(1) + 1, ended.shape[1])
    rows, last = np.arange(len(length)), length - 1
    first_and_next: Any = (steps.obs, steps.next_obs)
    return Episodes(
        # Within an episode what followed a step is what the next one began with; after the last, the final observation.
        obs=optree.tree_map(
            lambda obs, after: np.concatenate([obs[:, :1], after[:, : length.max()]], axis=1), *first_and_next
        ),
        action=steps.action[:, : length.max()],
        reward=steps.reward[:, : length.max()],
        length=length,
        terminated=steps.terminated[rows, last],
        truncated=steps.truncated[rows, last],
    )


@dataclass(frozen=True)
class Filtered:
    """What a model believes along real episodes.

    Attributes:
        states: Beliefs at all N real steps, before the action.
        episode: `[N]` which episode each is of.
        time: `[N]` its step in that episode; rows are in order of time.
        features: `[E, T + 1, F]` float32 of the beliefs, finals among them.
    """

    states: State
    episode: Array
    time: Array
    features: Array

    def spread(self, num: int) -> Array:
        """Returns about `num` rows, evenly spaced within episodes; each episode's first is among them."""
        rate = min(1.0, num / len(self.time))
        return np.flatnonzero(np.floor(self.time * rate) != np.floor((self.time - 1) * rate))


def filter_episodes(model: WorldModel, real: Episodes, *, rng: torch.Generator) -> Filtered:
    """Runs `observe` along all episodes at once."""
    states, rows, features, state = [], [], [], None
    everyone = np.arange(len(real.length))
    for t in range(real.reward.shape[1] + 1):
        obs = spaces.to_tensor(model.observation_space, real.obs_at(everyone, t), model.device)
        action = real.action_at(model, everyone, t - 1) if t else None
        over = torch.as_tensor(t > real.length, device=model.device) if t else None  # begins anew with the padding
        state = model.observe(state, action, obs, over, rng=rng)
        features.append(finite(model, "a feature", model.features(state)))
        going = np.flatnonzero(real.length > t)
        if len(going):
            states.append(beliefs.index(state, going))
            rows.append(going)
    time = np.repeat(np.arange(len(rows)), [len(each) for each in rows])
    return Filtered(beliefs.stack(states), np.concatenate(rows), time, np.stack(features, axis=1))


def finite(model: WorldModel, what: str, tensor: Tensor) -> Array:
    """Returns float32 NumPy.

    Raises:
        NonFiniteError: The model predicted NaN or infinity.
    """
    array = tensor.detach().cpu().numpy().astype(np.float32)
    if not np.isfinite(array).all():
        raise NonFiniteError(f"{type(model).__name__} predicted {what} that is NaN or infinite")
    return array
