"""Wrappers that let a policy trained on latents act in the real environment: they filter what it shows into beliefs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces as gym_spaces
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn
from torch import Tensor

from zoo_core import spaces, world_model as beliefs
from zoo_core.world_model import State, WorldModel

Array = np.ndarray[Any, Any]


class LatentFilter:
    """Filters a batch of real observations into beliefs, and shows their features.

    It has a random stream of its own, so filtering changes nothing else.
    """

    def __init__(self, model: WorldModel, *, seed: int = 0) -> None:
        self.model = model
        self.seed(seed)

    def seed(self, seed: int) -> None:
        """Begins its random stream anew."""
        self.rng = beliefs.stream(self.model, seed, "filter")

    def begin(self, obs: Any) -> State:
        """Returns the beliefs after first observations `[B, ...]`."""
        with torch.no_grad():
            return self.model.observe(None, None, self._obs(obs), None, rng=self.rng)

    def update(self, state: State, action: Any, obs: Any, is_first: Array | None = None) -> State:
        """Returns the beliefs after `action` `[B, ...]` led to `obs` `[B, ...]`; rows with `is_first` begin anew."""
        num = beliefs.batch_size(state)
        first = np.zeros(num, dtype=bool) if is_first is None else is_first
        taken = spaces.to_tensor(self.model.action_space, action, self.model.device)
        mask = torch.as_tensor(np.asarray(first), device=self.model.device)
        with torch.no_grad():
            return self.model.observe(state, taken, self._obs(obs), mask, rng=self.rng)

    def features(self, state: State) -> Array:
        """Returns `[B, F]` float32."""
        with torch.no_grad():
            return np.array(self.model.features(state).cpu().numpy(), dtype=np.float32)

    def _obs(self, obs: Any) -> Any:
        return spaces.to_tensor(self.model.observation_space, obs, self.model.device)


def latent_space(model: WorldModel) -> gym_spaces.Box:
    """Returns the space of one row of the model's features."""
    probe = LatentFilter(model)
    num = probe.features(probe.begin(spaces.zeros(model.observation_space, 1))).shape[-1]
    return gym_spaces.Box(-np.inf, np.inf, (num,), np.float32)


class LatentPolicy:
    """Lets a policy on features act on observations: the belief and the last action travel in `predict`'s `state`.

    Args:
        policy: anything with SB3's `predict`, on features.
        model: whose belief it sees.
        seed: of the filter's randomness.
    """

    def __init__(self, policy: Any, model: WorldModel, *, seed: int = 0) -> None:
        self._policy = policy
        self._filter = LatentFilter(model, seed=seed)

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = False
    ) -> tuple[Any, Any]:
        """Updates the belief and chooses actions, for one observation or a batch."""
        space = self._filter.model.observation_space
        batched: list[bool] = []
        spaces.map_space(space, lambda leaf, v: batched.append(np.ndim(v) > len(leaf.shape)), observation)
        if not batched[0]:
            observation = spaces.map_space(space, lambda _, leaf: np.asarray(leaf)[None], observation)
        if state is None:
            belief = self._filter.begin(observation)
        else:
            before, taken = state
            belief = self._filter.update(before, taken, observation, episode_start)
        action, _ = self._policy.predict(self._filter.features(belief), deterministic=deterministic)
        state = (belief, action)  # the array itself: who then changes an action in place, to explore, is believed
        return (action if batched[0] else spaces.index(self._filter.model.action_space, action, 0)), state

    def to_checkpoint(self) -> Tensor:
        """Returns where the filter's random stream stands."""
        return self._filter.rng.get_state()

    def load_checkpoint(self, state: Tensor) -> None:
        """Sets the filter's random stream to where it stood."""
        self._filter.rng.set_state(state)


class LatentObservation(gym.Wrapper[Any, Any, Any, Any]):
    """A Gymnasium environment that shows the features of the model's belief instead of the observation.

    Args:
        env: the real environment.
        model: whose belief is shown.
        seed: of the filter's randomness.
    """

    def __init__(self, env: gym.Env[Any, Any], model: WorldModel, *, seed: int = 0) -> None:
        super().__init__(env)
        self._filter = LatentFilter(model, seed=seed)
        self._state: State = None
        self.observation_space = latent_space(model)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Resets the environment and the belief; a seed seeds both."""
        if seed is not None:
            self._filter.seed(seed)
        obs, info = self.env.reset(seed=seed, options=options)
        self._state = self._filter.begin(self._batch(obs))
        return self._filter.features(self._state)[0], info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Steps the environment and updates the belief."""
        obs, reward, terminated, truncated, info = self.env.step(action)
        self._state = self._filter.update(self._state, np.asarray(action)[None], self._batch(obs))
        return self._filter.features(self._state)[0], reward, terminated, truncated, info

    def _batch(self, obs: Any) -> Any:
        return spaces.map_space(self._filter.model.observation_space, lambda _, leaf: np.asarray(leaf)[None], obs)


class LatentVecEnv(VecEnvWrapper):
    """An SB3 VecEnv that shows the features of the model's beliefs instead of observations.

    Args:
        venv: the real environments.
        model: whose beliefs are shown.
        seed: of the filter's randomness.
    """

    def __init__(self, venv: VecEnv, model: WorldModel, *, seed: int = 0) -> None:
        self._filter = LatentFilter(model, seed=seed)
        super().__init__(venv, observation_space=latent_space(model))
        self._state: State = None
        self._actions: Any = None

    def reset(self) -> VecEnvObs:
        """Resets environments and beliefs."""
        self._state = self._filter.begin(self.venv.reset())
        return self._filter.features(self._state)

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Seeds the next reset of the environments, and the filter."""
        seeds = self.venv.seed(seed)
        if seeds[0] is not None:
            self._filter.seed(seeds[0])
        return seeds

    def step_async(self, actions: Array) -> None:
        """Begins a step."""
        self._actions = actions
        self.venv.step_async(actions)

    def step_wait(self) -> VecEnvStepReturn:
        """Finishes a step and updates the beliefs; `terminal_observation` becomes features too."""
        obs, rewards, dones, infos = self.venv.step_wait()
        space = self._filter.model.observation_space
        ended = np.flatnonzero(dones)
        seen = obs
        if ended.size:  # the belief at the end of an episode comes from its final observation
            seen = spaces.map_space(space, lambda _, leaf: np.array(leaf), obs)
            for i in ended.tolist():
                spaces.put(space, seen, i, infos[i]["terminal_observation"])
        self._state = self._filter.update(self._state, self._actions, seen)
        features = self._filter.features(self._state)
        if ended.size:
            for i in ended.tolist():
                infos[i]["terminal_observation"] = features[i].copy()
            begun = self._filter.begin(spaces.index(space, obs, ended))
            self._state = beliefs.put(self._state, ended, begun)
            features[ended] = self._filter.features(begun)
        return features, rewards, dones, infos
