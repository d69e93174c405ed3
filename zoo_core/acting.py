"""Acting in real environments: from an id to an SB3 VecEnv, and from a policy to stored experience."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import Space
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecNormalize, unwrap_vec_normalize

from zoo_core import seeding, spaces
from zoo_core.plugins import make_env
from zoo_core.replay import Replay

Array = np.ndarray[Any, Any]
MAX_ENVS = 2**20  # stepped together; a larger number in a file is none of ours


def as_vec_env(
    env: str | gym.Env[Any, Any] | VecEnv,
    *,
    seed: int | None = None,
    env_kwargs: dict[str, Any] | None = None,
    num_envs: int = 1,
) -> VecEnv:
    """Returns an SB3 VecEnv for an id, a Gymnasium environment (wrapped in Monitor) or a VecEnv (as it is).

    Args:
        env: what to act in.
        seed: seeds the next reset; None leaves it open.
        env_kwargs: arguments of the environment, where `env` is an id.
        num_envs: copies to make, where `env` is an id.

    Raises:
        TypeError: `env` is none of the three.
    """
    vec_env: VecEnv
    if isinstance(env, str):
        env_name = env
        vec_env = DummyVecEnv([lambda: Monitor(make_env(env_name, **(env_kwargs or {})))] * num_envs)
    elif isinstance(env, VecEnv):
        vec_env = env
    elif isinstance(env, gym.Env):
        monitored = env if _has_monitor(env) else Monitor(env)
        vec_env = DummyVecEnv([lambda: monitored])
    else:
        raise TypeError(f"env must be an id, a gymnasium.Env or a stable_baselines3 VecEnv, got {type(env).__name__}")
    if seed is not None:
        vec_env.seed(seed)
    return vec_env


def env_id_of(env: VecEnv) -> str | None:
    """Returns the id under which the environments of `env` were made, if they were made by id."""
    try:
        spec = env.get_attr("spec")[0]
    except (AttributeError, IndexError):
        return None
    return None if spec is None else str(spec.id)


def env_kwargs_of(env: VecEnv) -> dict[str, Any]:
    """Returns the arguments with which the environments of `env` were made by id, but for how they are drawn."""
    try:
        spec = env.get_attr("spec")[0]
    except (AttributeError, IndexError):
        return {}
    kwargs = {} if spec is None else spec.kwargs
    return {name: value for name, value in kwargs.items() if name != "render_mode"}


class SpacesOnly(VecEnv):
    """Stands in for the environment of an agent that was loaded without one: it has spaces and cannot be stepped."""

    def __init__(self, observation_space: Space[Any], action_space: Space[Any], num_envs: int = 1) -> None:
        if not 1 <= num_envs <= MAX_ENVS:
            raise ValueError(f"num_envs must be in [1, {MAX_ENVS}], got {num_envs}")
        self.render_mode = None
        super().__init__(num_envs, observation_space, action_space)

    def _refuse(self, *args: Any, **kwargs: Any) -> Any:
        raise ValueError("the agent has no environment: pass one to load(path, env=...) or call set_env(env)")

    reset = step_async = step_wait = set_attr = env_method = _refuse

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Returns None, whatever was asked for."""
        return [None] * self.num_envs

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Returns False: there is nothing to wrap."""
        return [False] * self.num_envs

    def close(self) -> None:
        """Does nothing."""


class RandomPolicy:
    """Acts uniformly at random, from a stream of its own; it has SB3's `predict`.

    Args:
        action_space: to draw from.
        seed: of the stream.
    """

    def __init__(self, action_space: Space[Any], *, seed: int = 0) -> None:
        self._space = copy.deepcopy(action_space)
        self._space.seed(seeding.stream_seed(seed, "random-policy") % 2**31)

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = False
    ) -> tuple[Any, Any]:
        """Returns a batch of random actions, as long as `episode_start`, and the unchanged state."""
        num = 1 if episode_start is None else len(episode_start)
        return spaces.batch_of(self._space, [self._space.sample() for _ in range(num)]), state

    def to_checkpoint(self) -> list[dict[str, Any]]:
        """Returns where the stream stands, JSON-able."""
        return seeding.space_streams(self._space)

    def load_checkpoint(self, state: list[dict[str, Any]]) -> None:
        """Sets the stream to where it stood."""
        seeding.set_space_streams(self._space, state)


class Collector:
    """Acts in a VecEnv and stores what happens; it remembers where it stands between calls.

    Behind a VecNormalize, the policy sees normalised observations and the replay stores raw ones: the statistics drift,
    and a world model should not learn yesterday's units.
    """

    def __init__(self, env: VecEnv, replay: Replay) -> None:
        self.env = env
        self.replay = replay
        self._normalize: VecNormalize | None = unwrap_vec_normalize(env)
        self.restart()

    def restart(self) -> None:
        """Resets the environments before the next step; running episodes are stored as truncated."""
        self.replay.cut()
        self._obs: Any = None
        self._raw_obs: Any = None
        self._policy_state: Any = None
        self._episode_start = np.ones(self.env.num_envs, dtype=bool)

    def collect(
        self,
        policy: Any,
        steps: int,
        *,
        deterministic: bool = False,
        callback: Callable[[int], bool | None] | None = None,
    ) -> list[dict[str, float]]:
        """Makes `steps` decisions (rounded up to a multiple of the number of environments).

        Args:
            policy: anything with SB3's `predict`.
            steps: decisions, over all environments.
            deterministic: passed on to the policy.
            callback: called with the number of decisions made so far; where it returns False, it was the last.

        Returns:
            The `info["episode"]` records of episodes that ended.
        """
        if self._obs is None:
            self._obs = self.env.reset()
            self._raw_obs = self._obs if self._normalize is None else self._normalize.get_original_obs()
        records: list[dict[str, float]] = []
        for made in range(0, steps, self.env.num_envs):
            action, self._policy_state = policy.predict(
                self._obs,
                state=self._policy_state,
                episode_start=self._episode_start,
                deterministic=deterministic,
            )
            obs, reward, done, infos = self.env.step(action)
            self._store(action, obs, reward, done, infos)
            self._obs, self._episode_start = obs, done
            records += [info["episode"] for info in infos if "episode" in info]
            if callback is not None and callback(made + self.env.num_envs) is False:
                break
        return records

    def _store(self, action: Any, obs: Any, reward: Array, done: Array, infos: list[dict[str, Any]]) -> None:
        space = self.replay.observation_space
        raw_obs = obs
        if self._normalize is not None:
            raw_obs, reward = self._normalize.get_original_obs(), self._normalize.get_original_reward()
        next_obs = spaces.map_space(space, lambda _, leaf: np.array(leaf), raw_obs)
        truncated = np.zeros(len(done), dtype=bool)
        for i in np.flatnonzero(done):
            final = infos[i]["terminal_observation"]
            if self._normalize is not None:
                final = self._normalize.unnormalize_obs(final)
            spaces.put(space, next_obs, int(i), final)
            truncated[i] = infos[i].get("TimeLimit.truncated", False)
        self.replay.add(self._raw_obs, action, reward, done & ~truncated, truncated, next_obs)
        self._raw_obs = raw_obs


def _has_monitor(env: gym.Env[Any, Any]) -> bool:
    while isinstance(env, gym.Wrapper):
        if isinstance(env, Monitor):
            return True
        env = env.env
    return False
