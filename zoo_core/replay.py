"""Real experience: streams of steps, read back as transitions, sequences or first observations.

Each environment of a batch is a stream of rows. A row holds an observation and, unless it is the last of its episode,
the action chosen there and what followed. The final observation of an episode is a row too: a replay that drops it
never shows a model a termination. Images stay uint8, and no observation is stored twice.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple, Self

import numpy as np
import optree
import torch
from gymnasium import Space
from torch import Tensor

from zoo_core import seeding, spaces
from zoo_core.errors import NonFiniteError

Array = np.ndarray[Any, Any]


class Transitions(NamedTuple):
    """Single steps: `[N, ...]` each; observations in the layout of the space. NumPy arrays or tensors."""

    obs: Any
    action: Any
    reward: Any
    next_obs: Any
    terminated: Any
    truncated: Any


class Sequences(NamedTuple):
    """Stretches of T steps: `obs` and `is_first` `[B, T + 1, ...]`, all else `[B, T, ...]`, as tensors.

    Where `is_first[:, t + 1]` is true, an episode ended at step t and row t + 1 begins the next; row t then holds the
    final observation, and its action, reward and flags are zero.
    """

    obs: Any
    is_first: Tensor
    action: Tensor
    reward: Tensor
    terminated: Tensor
    truncated: Tensor


class Replay:
    """Experience of `num_envs` environments, in the order in which it was made.

    Args:
        observation_space: of one environment.
        action_space: of one environment.
        num_envs: environments that are stepped together.
        capacity: steps kept, over all environments; None keeps everything. The oldest go first.
        env_id: name of the environment, passed on to models.
    """

    def __init__(
        self,
        observation_space: Space[Any],
        action_space: Space[Any],
        *,
        num_envs: int = 1,
        capacity: int | None = None,
        env_id: str | None = None,
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs must be at least 1, got {num_envs}")
        if capacity is not None and capacity < 2 * num_envs:
            raise ValueError(f"capacity must be at least 2 * num_envs = {2 * num_envs}, got {capacity}")
        self.observation_space = observation_space
        self.action_space = action_space
        self.num_envs = num_envs
        self.capacity = capacity
        self.env_id = env_id
        self.num_steps = 0  # steps ever added
        self._streams = [_Stream(observation_space, action_space) for _ in range(num_envs)]

    def __len__(self) -> int:
        """Returns the number of steps that can be read."""
        return sum(stream.num_actions for stream in self._streams)

    def add(self, obs: Any, action: Any, reward: Any, terminated: Any, truncated: Any, next_obs: Any) -> None:
        """Adds one step of every environment.

        Args:
            obs: `[num_envs, ...]` where the action was chosen.
            action: `[num_envs, ...]` as the action space has it.
            reward: `[num_envs]`.
            terminated: `[num_envs]` bool.
            truncated: `[num_envs]` bool.
            next_obs: `[num_envs, ...]` what followed; at the end of an episode its final observation.

        Raises:
            NonFiniteError: an observation, action or reward is NaN or infinite.
        """
        for name, values in (("observation", (obs, next_obs)), ("action", action), ("reward", reward)):
            _check_finite(name, values, self.env_id)
        for i, stream in enumerate(self._streams):
            row = lambda _, leaf: leaf[i]  # noqa: E731, B023 - used at once
            step = (
                spaces.map_space(self.observation_space, row, obs),
                spaces.map_space(self.action_space, row, action),
                reward[i], terminated[i], truncated[i],
                spaces.map_space(self.observation_space, row, next_obs),
            )  # fmt: skip
            stream.add(*step)
            if self.capacity is not None:
                stream.drop_oldest(self.capacity // self.num_envs)
        self.num_steps += self.num_envs

    def cut(self) -> None:
        """Ends every running episode as truncated: the environments are about to be reset from outside."""
        for stream in self._streams:
            stream.cut()

    def transitions(self) -> Transitions:
        """Returns all steps as NumPy arrays `[N, ...]`; Discrete actions as the space has them."""
        parts: list[Any] = [stream.transitions() for stream in self._streams]
        return Transitions(*optree.tree_map(lambda *leaves: np.concatenate(leaves), *parts))

    def tensors(self, device: torch.device | str = "cpu") -> Transitions:
        """Returns all steps as tensors `[N, ...]`; Discrete values count from 0, rewards are float32."""
        return self._to_tensors(self.transitions(), device)

    def _to_tensors(self, steps: Any, device: torch.device | str) -> Transitions:
        return Transitions(
            spaces.to_tensor(self.observation_space, steps.obs, device),
            spaces.to_tensor(self.action_space, steps.action, device),
            torch.as_tensor(steps.reward, device=device),
            spaces.to_tensor(self.observation_space, steps.next_obs, device),
            torch.as_tensor(steps.terminated, device=device),
            torch.as_tensor(steps.truncated, device=device),
        )

    def first_observations(self) -> Any:
        """Returns the first observation of every stored episode, a NumPy batch."""
        parts = [stream.rows(np.flatnonzero(stream.is_first)) for stream in self._streams]
        firsts = optree.tree_map(lambda *leaves: np.concatenate(leaves), *parts)
        if len(optree.tree_leaves(firsts)[0]) == 0:
            if len(self):
                raise ValueError(
                    f"no episode in the replay has its beginning left: capacity={self.capacity} is less than an episode"
                )
            raise ValueError("the replay is empty: add steps, or make one with Replay.collect(env, steps=...)")
        return firsts

    def observations(self) -> Any:
        """Returns every stored observation, a NumPy batch; finals are among them."""
        parts = [stream.rows(slice(0, stream.length)) for stream in self._streams]
        return optree.tree_map(lambda *leaves: np.concatenate(leaves), *parts)

    def sample_transitions(self, num: int, *, rng: torch.Generator, device: torch.device | str = "cpu") -> Transitions:
        """Samples `num` steps uniformly, with replacement, as tensors."""
        if len(self) == 0:
            raise ValueError("the replay is empty: add steps, or make one with Replay.collect(env, steps=...)")
        places = torch.randint(len(self), (num,), generator=rng, device=rng.device).cpu().numpy()
        which, steps = self._locate(places, np.array([stream.num_actions for stream in self._streams]))
        chosen: list[Any] = [stream.transitions(steps[which == i]) for i, stream in enumerate(self._streams)]
        drawn = np.argsort(np.argsort(which, kind="stable"))  # back to the order in which they were drawn
        batch = optree.tree_map(lambda *leaves: np.concatenate(leaves)[drawn], *chosen)
        return self._to_tensors(batch, device)

    def sample_sequences(
        self, num: int, length: int, *, rng: torch.Generator, device: torch.device | str = "cpu"
    ) -> Sequences:
        """Samples `num` stretches of `length` steps, uniformly over all places where one fits.

        Raises:
            ValueError: no stream is that long.
        """
        room = np.array([max(0, stream.length - length) for stream in self._streams])
        if room.sum() == 0:
            raise ValueError(f"no stretch of {length} steps is stored yet; the replay holds {len(self)} steps")
        places = torch.randint(int(room.sum()), (num,), generator=rng, device=rng.device).cpu().numpy()
        which, starts = self._locate(places, room)
        parts = [self._streams[s].stretch(begin, length) for s, begin in zip(which, starts, strict=True)]
        batch = optree.tree_map(lambda *leaves: np.stack(leaves), *parts)
        obs, is_first, action, reward, terminated, truncated = batch
        return Sequences(
            spaces.to_tensor(self.observation_space, obs, device),
            torch.as_tensor(is_first, device=device),
            spaces.to_tensor(self.action_space, action, device),
            torch.as_tensor(reward, device=device),
            torch.as_tensor(terminated, device=device),
            torch.as_tensor(truncated, device=device),
        )

    @staticmethod
    def _locate(places: Array, counts: Array) -> tuple[Array, Array]:
        """Returns for places in all streams, one after the other, the stream and the place in it."""
        ends = np.cumsum(counts)
        which = np.searchsorted(ends, places, side="right")
        return which, places - (ends - counts)[which]

    def to_file(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Returns a JSON-able description and the tensors that together restore the replay."""
        description = {
            "num_envs": self.num_envs,
            "capacity": self.capacity,
            "env_id": self.env_id,
            "num_steps": self.num_steps,
            "open": [stream.is_open for stream in self._streams],
        }
        return description, {
            f"{i}/{name}": tensor
            for i, stream in enumerate(self._streams)
            for name, tensor in stream.to_tensors().items()
        }

    @classmethod
    def from_file(
        cls,
        observation_space: Space[Any],
        action_space: Space[Any],
        description: dict[str, Any],
        tensors: dict[str, Tensor],
    ) -> Self:
        """Builds the replay from what `to_file` returned."""
        replay = cls(
            observation_space,
            action_space,
            num_envs=description["num_envs"],
            capacity=description["capacity"],
            env_id=description["env_id"],
        )
        replay.num_steps = description["num_steps"]
        for i, stream in enumerate(replay._streams):
            prefix = f"{i}/"
            own = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
            stream.load_tensors(own, is_open=description["open"][i])
        return replay

    @classmethod
    def collect(
        cls,
        env: Any,
        steps: int,
        policy: Any = None,
        *,
        seed: int | None = None,
        env_kwargs: dict[str, Any] | None = None,
        callback: Callable[[int], None] | None = None,
    ) -> Self:
        """Acts in an environment and stores what happens.

        Args:
            env: an id, a Gymnasium environment or an SB3 VecEnv.
            steps: decisions to make, over all environments (rounded up to a multiple of their number).
            policy: anything with SB3's `predict` (an SB3 algorithm, an agent of the zoo); None acts at random.
            seed: of the environment and of actions: where it is given, the global generators that policies of SB3 draw
                from are seeded for the time of collecting, and put back.
            env_kwargs: arguments of the environment where `env` is an id.
            callback: called with the number of steps made.
        """
        from zoo_core.acting import Collector, RandomPolicy, as_vec_env, env_id_of

        if steps < 1:
            raise ValueError(f"steps must be at least 1, got {steps}")
        vec_env = as_vec_env(env, seed=seed, env_kwargs=env_kwargs)
        replay = cls(
            vec_env.observation_space,
            vec_env.action_space,
            num_envs=vec_env.num_envs,
            env_id=env_id_of(vec_env),
        )
        if policy is None:
            policy = RandomPolicy(vec_env.action_space, seed=0 if seed is None else seed)
        with contextlib.nullcontext() if seed is None else seeding.GlobalStreams(seed):
            Collector(vec_env, replay).collect(policy, steps, callback=callback)
        if isinstance(env, str):
            vec_env.close()
        return replay


class _Stream:
    """The rows of one environment, in growing arrays (amortised O(1) an append)."""

    def __init__(self, observation_space: Space[Any], action_space: Space[Any]) -> None:
        self.observation_space, self.action_space = observation_space, action_space
        self.length, self.num_actions, self._offset, self.is_open = 0, 0, 0, False
        self._arrays: Any = {
            "obs": spaces.zeros(observation_space, 8),
            "action": spaces.zeros(action_space, 8),
            "reward": np.zeros(8, np.float32),
            "terminated": np.zeros(8, bool),
            "truncated": np.zeros(8, bool),
            "is_first": np.zeros(8, bool),
            "has_action": np.zeros(8, bool),
        }

    @property
    def is_first(self) -> Array:
        return self._view("is_first")  # type: ignore[no-any-return]

    @property
    def has_action(self) -> Array:
        return self._view("has_action")  # type: ignore[no-any-return]

    def add(self, obs: Any, action: Any, reward: Any, terminated: Any, truncated: Any, next_obs: Any) -> None:
        if not self.is_open:
            self._append(obs, is_first=True)
        last = self._offset + self.length - 1
        spaces.put(self.action_space, self._arrays["action"], last, action)
        for name, value in (("reward", reward), ("terminated", terminated), ("truncated", truncated)):
            self._arrays[name][last] = value
        self._arrays["has_action"][last] = True
        self.num_actions += 1
        self._append(next_obs, is_first=False)
        self.is_open = not (terminated or truncated)

    def cut(self) -> None:
        if self.is_open and self.length >= 2:
            self._arrays["truncated"][self._offset + self.length - 2] = True
        self.is_open = False

    def drop_oldest(self, limit: int) -> None:
        has_action = self._arrays["has_action"]
        while self.num_actions > limit or (self.length and not has_action[self._offset]):
            self.num_actions -= int(has_action[self._offset])
            self._offset, self.length = self._offset + 1, self.length - 1

    def rows(self, chosen: Any) -> Any:
        return spaces.index(self.observation_space, self._view("obs"), chosen)

    def transitions(self, chosen: Any = slice(None)) -> Transitions:
        now = np.flatnonzero(self.has_action)[chosen]
        action = spaces.index(self.action_space, self._view("action"), now)
        reward, terminated, truncated = (self._view(name)[now] for name in ("reward", "terminated", "truncated"))
        return Transitions(self.rows(now), action, reward, self.rows(now + 1), terminated, truncated)

    def stretch(self, begin: int, length: int) -> tuple[Any, ...]:
        steps, seen = slice(begin, begin + length), slice(begin, begin + length + 1)
        action = spaces.index(self.action_space, self._view("action"), steps)
        reward, terminated, truncated = (self._view(name)[steps] for name in ("reward", "terminated", "truncated"))
        return self.rows(seen), self.is_first[seen], action, reward, terminated, truncated

    def to_tensors(self) -> dict[str, Tensor]:
        arrays: Any = {name: self._view(name) for name in self._arrays}
        leaves: list[Array] = optree.tree_leaves(arrays)
        return {str(i): torch.from_numpy(np.array(leaf)) for i, leaf in enumerate(leaves)}

    def load_tensors(self, tensors: dict[str, Tensor], *, is_open: bool) -> None:
        leaves = [tensors[str(i)].numpy().copy() for i in range(len(tensors))]
        self._arrays = optree.tree_unflatten(optree.tree_structure(self._arrays), leaves)
        self.length, self._offset, self.is_open = len(leaves[-1]), 0, is_open
        self.num_actions = int(self.has_action.sum())

    def _append(self, obs: Any, *, is_first: bool) -> None:
        end = self._offset + self.length
        if end == len(self._arrays["reward"]):
            self._make_room()
            end = self._offset + self.length
        spaces.put(self.observation_space, self._arrays["obs"], end, obs)
        for name in ("reward", "terminated", "truncated", "has_action"):
            self._arrays[name][end] = 0
        self._arrays["is_first"][end] = is_first
        self.length += 1

    def _make_room(self) -> None:
        """Moves the rows to the front of arrays twice their number."""
        kept = slice(self._offset, self._offset + self.length)

        def move(array: Array) -> Array:
            fresh = np.zeros((max(8, 2 * self.length), *array.shape[1:]), array.dtype)
            fresh[: self.length] = array[kept]
            return fresh

        self._arrays = optree.tree_map(move, self._arrays)
        self._offset = 0

    def _view(self, name: str) -> Any:
        kept = slice(self._offset, self._offset + self.length)
        return optree.tree_map(lambda array: array[kept], self._arrays[name])


def _check_finite(name: str, values: Any, env_id: str | None) -> None:
    for leaf in optree.tree_leaves(values):
        if not np.isfinite(leaf).all():
            raise NonFiniteError(f"{env_id or 'the environment'} gave a {name} that is NaN or infinite: {leaf}")
