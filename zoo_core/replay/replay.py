"""Real experience: streams of steps, read back as transitions, sequences or first observations.

Each environment of a batch is a stream of rows. A row holds an observation and, unless it is the last of its episode,
the action chosen there and what followed. The final observation of an episode is a row too: a replay that drops it
never shows a model a termination. Images stay uint8, and no observation is stored twice.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from gymnasium import Space
from torch import Tensor

from zoo_core import seeding, spaces
from zoo_core.errors import CheckpointError, NonFiniteError
from zoo_core.replay import segments
from zoo_core.replay.experience import Episode, Sequences, Transitions, to_tensors, transitions_to_tensors
from zoo_core.replay.storage import MEMORY_LIMIT, Array, row_bytes
from zoo_core.replay.streams import Streams, columns_of, leaf_spaces, leaves

if TYPE_CHECKING:
    from minari import MinariDataset

    from zoo_core.recording import Segment

_EMPTY = "the replay is empty: add steps, or make one with Replay.collect(env, steps=...)"


class Replay:
    """Experience of `num_envs` environments, in the order in which it was made.

    It is a `zoo_core.recording.Recording`: checkpoints write what was added since the one before.

    Args:
        observation_space: of one environment.
        action_space: of one environment.
        num_envs: environments that are stepped together.
        capacity: steps kept, over all environments; None keeps everything. The oldest go first.
        env_id: name of the environment, passed on to models.
        memory_limit: bytes of steps that are held in memory; what grows beyond lies in temporary files, of which the
            operating system keeps in memory what is in use.
        directory: where those are made; None takes the system's directory of temporary files.
    """

    def __init__(
        self,
        observation_space: Space[Any],
        action_space: Space[Any],
        *,
        num_envs: int = 1,
        capacity: int | None = None,
        env_id: str | None = None,
        memory_limit: int = MEMORY_LIMIT,
        directory: str | Path | None = None,
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
        self.memory_limit = memory_limit
        self.directory = directory
        self.num_steps = 0  # steps ever added
        self._streams = self._new_streams()

    def __len__(self) -> int:
        """Returns the number of steps that can be read."""
        return self._streams.num_steps * self.num_envs

    @staticmethod
    def bytes_needed(
        observation_space: Space[Any], action_space: Space[Any], steps: int, num_envs: int = 1, episodes: int = 0
    ) -> int:
        """Returns how many bytes a replay takes; while it grows, up to a quarter more is set aside.

        Args:
            observation_space: of one environment.
            action_space: of one environment.
            steps: over all environments.
            num_envs: environments that are stepped together.
            episodes: that end within the steps; the final observation of each takes as much as a step.
        """
        row = row_bytes(columns_of(observation_space, action_space)[1])
        return (steps + num_envs + episodes) * row + steps * np.dtype(np.int64).itemsize

    # -- writing -------------------------------------------------------------------------------------------------------

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
            ValueError: a batch has another shape.
            NonFiniteError: an observation, action or reward is NaN or infinite.
            ZooError: the disk that the replay has outgrown the memory to is full.
        """
        num = self.num_envs
        before, after = (self._checked("observation", self.observation_space, part, num) for part in (obs, next_obs))
        chosen = self._checked("action", self.action_space, action, num)
        ends = tuple(np.asarray(part) for part in (reward, terminated, truncated))
        for name, values in zip(("reward", "terminated", "truncated"), ends, strict=True):
            self._check_values(name, values, (num,))
        self._streams.add(before, chosen, (ends[0], ends[1].astype(bool), ends[2].astype(bool)), after)
        self.num_steps += num

    def add_episode(self, obs: Any, action: Any, reward: Any, *, terminated: bool) -> None:
        """Adds a whole episode of T steps, to a replay of one environment.

        Args:
            obs: `[T + 1, ...]`; the last one is the final observation.
            action: `[T, ...]` as the action space has it.
            reward: `[T]`.
            terminated: whether the last step terminated; else it was truncated.

        Raises:
            ValueError: an array has another shape, or the replay has several environments.
            NonFiniteError: an observation, action or reward is NaN or infinite.
            ZooError: the disk that the replay has outgrown the memory to is full.
        """
        if self.num_envs != 1:
            raise ValueError(f"whole episodes can be added to a replay of one environment, not of {self.num_envs}")
        reward = np.asarray(reward)
        if (steps := len(reward)) < 1:
            raise ValueError("an episode must have at least one step")
        seen = self._checked("observation", self.observation_space, obs, steps + 1)
        chosen = self._checked("action", self.action_space, action, steps)
        self._check_values("reward", reward, (steps,))
        self.cut()
        neutral = leaves(self.action_space, spaces.zeros(self.action_space, 1))
        last = np.arange(steps) == steps - 1
        done = [np.append(last & flag, False) for flag in (terminated, not terminated)]
        actions = [np.concatenate([leaf, final]) for leaf, final in zip(chosen, neutral, strict=True)]
        columns = [*seen, *actions, np.append(reward, 0.0), *done, np.arange(steps + 1) == 0]
        self._streams.extend(np.array(self._streams.end), np.array([steps + 1]), columns)
        self.num_steps += steps

    def cut(self) -> None:
        """Ends every running episode as truncated: the environments are about to be reset from outside."""
        self._streams.cut()

    # -- reading -------------------------------------------------------------------------------------------------------

    def transitions(self) -> Transitions:
        """Returns all steps as NumPy arrays `[N, ...]`; Discrete actions as the space has them."""
        steps = np.tile(np.arange(self._streams.num_steps), self.num_envs)
        return self._transitions(np.repeat(np.arange(self.num_envs), self._streams.num_steps), steps)

    def tensors(self, device: torch.device | str = "cpu") -> Transitions:
        """Returns all steps as tensors `[N, ...]`; Discrete values count from 0, rewards are float32."""
        return transitions_to_tensors(self.observation_space, self.action_space, self.transitions(), device)

    def first_observations(self) -> Any:
        """Returns the first observation of every stored episode, a NumPy batch."""
        if len(self) == 0:
            raise ValueError(_EMPTY)
        places = self._streams.all_places()
        places = places[self._streams.read("is_first", places)]
        if not len(places):
            raise ValueError(
                f"no episode in the replay has its beginning left: capacity={self.capacity} is less than an episode"
            )
        return self._streams.read("obs", places)

    def observations(self) -> Any:
        """Returns every stored observation, a NumPy batch; finals are among them."""
        return self._streams.read("obs", self._streams.all_places())

    def episodes(self) -> Iterator[Episode]:
        """Yields the stored episodes, environment after environment; those whose beginning was dropped are left out."""
        streams = self._streams
        for i, length in enumerate(streams.lengths):
            places = streams.places(np.full(length, i), np.arange(length))
            for begin, end in pairwise([*np.flatnonzero(streams.read("is_first", places)), length]):
                steps = places[begin : end - 1]
                columns = (streams.read(name, steps) for name in ("action", "reward", "terminated", "truncated"))
                yield Episode(streams.read("obs", places[begin:end]), *columns)

    def sample_transitions(self, num: int, *, rng: torch.Generator, device: torch.device | str = "cpu") -> Transitions:
        """Samples `num` steps uniformly, with replacement, as tensors."""
        if len(self) == 0:
            raise ValueError(_EMPTY)
        drawn = torch.randint(len(self), (num,), generator=rng, device=rng.device).cpu().numpy()
        steps = self._transitions(*np.divmod(drawn, self._streams.num_steps))
        return transitions_to_tensors(self.observation_space, self.action_space, steps, device)

    def sample_sequences(
        self, num: int, length: int, *, rng: torch.Generator, device: torch.device | str = "cpu"
    ) -> Sequences:
        """Samples `num` stretches of `length` steps, uniformly over all places where one fits.

        Raises:
            ValueError: no stream is that long.
        """
        streams = self._streams
        fitting = np.maximum(streams.lengths - length, 0)
        ends = np.cumsum(fitting)
        if ends[-1] == 0:
            raise ValueError(f"no stretch of {length} steps is stored yet; the replay holds {len(self)} steps")
        drawn = torch.randint(int(ends[-1]), (num,), generator=rng, device=rng.device).cpu().numpy()
        which = np.searchsorted(ends, drawn, side="right")
        begin = drawn - (ends - fitting)[which]
        rows = streams.places(which[:, None], begin[:, None] + np.arange(length + 1))
        steps = rows[:, :-1]
        flags = (torch.from_numpy(streams.read(name, steps)) for name in ("reward", "terminated", "truncated"))
        return Sequences(
            to_tensors(self.observation_space, streams.read("obs", rows), device),
            torch.from_numpy(streams.read("is_first", rows)).to(device),
            to_tensors(self.action_space, streams.read("action", steps), device),
            *(flag.to(device) for flag in flags),
        )

    # -- files ---------------------------------------------------------------------------------------------------------

    def mark(self) -> list[int]:
        """Returns how much was added so far: the rows of each environment.

        Raises:
            ValueError: an episode is running, whose last row will change.
        """
        if self._streams.open.any():
            raise ValueError("an episode is running: cut() the replay before it is marked")
        return [int(number) for number in self._streams.end]

    def since(self, mark: Sequence[int] | None) -> Segment:
        """Returns what was added after `mark` was taken and is kept; all that is kept for None."""
        begin = None if mark is None else segments.numbers_of(mark, "mark", self.num_envs)
        rows, tensors = self._streams.segment(begin)
        names = ("num_envs", "capacity", "env_id", "num_steps")
        return {**{name: getattr(self, name) for name in names}, **rows}, tensors

    def needs(self, description: dict[str, Any]) -> bool:
        """Says whether a row of the segment with this description is still kept."""
        return self._streams.keeps(*segments.rows_of(description, self.num_envs))

    def restore(self, recorded: Iterable[Segment]) -> None:
        """Replaces the contents by those of segments, oldest first; those of which nothing is kept may be missing.

        Raises:
            CheckpointError: a segment is damaged or missing, or of another replay; the contents are as they were.
        """
        streams = self._new_streams()
        self.num_steps, env_id = segments.load(streams, recorded, self.capacity)
        self.env_id = env_id or self.env_id
        self._streams = streams

    def to_file(self) -> Segment:
        """Returns a JSON-able description and the tensors that together restore the replay: one segment with all."""
        return self.since(None)

    @classmethod
    def from_file(
        cls,
        observation_space: Space[Any],
        action_space: Space[Any],
        description: dict[str, Any],
        tensors: dict[str, Tensor],
    ) -> Self:
        """Builds the replay from what `to_file` returned.

        Raises:
            CheckpointError: the file is damaged, or of other spaces.
        """
        num_envs = segments.count_of(description, "num_envs")
        segments.rows_of(description, num_envs)
        capacity = None if description.get("capacity") is None else segments.count_of(description, "capacity")
        try:
            replay = cls(observation_space, action_space, num_envs=num_envs, capacity=capacity)
        except ValueError as error:
            raise CheckpointError(f"the replay in the file is damaged: {error}") from error
        replay.restore([(description, tensors)])
        return replay

    @classmethod
    def from_minari(
        cls,
        dataset: str | MinariDataset,
        *,
        observation_space: Space[Any] | None = None,
        action_space: Space[Any] | None = None,
    ) -> Replay:
        """Reads the episodes of a Minari dataset; see `zoo_core.replay.minari_datasets.read`."""
        from zoo_core.replay import minari_datasets

        return minari_datasets.read(dataset, observation_space=observation_space, action_space=action_space)

    def to_minari(self, dataset_id: str, **metadata: Any) -> MinariDataset:
        """Writes the episodes as a local Minari dataset; see `zoo_core.replay.minari_datasets.write`."""
        from zoo_core.replay import minari_datasets

        return minari_datasets.write(self, dataset_id, **metadata)

    # -- collecting ----------------------------------------------------------------------------------------------------

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

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _new_streams(self) -> Streams:
        return Streams(
            self.observation_space,
            self.action_space,
            self.num_envs,
            limit=None if self.capacity is None else self.capacity // self.num_envs,
            memory_limit=self.memory_limit,
            directory=self.directory,
        )

    def _checked(self, name: str, space: Space[Any], value: Any, num: int) -> list[Array]:
        """Returns the parts of a batch, after checks."""
        parts = [np.asarray(part) for part in leaves(space, value)]
        for leaf, part in zip(leaf_spaces(space), parts, strict=True):
            self._check_values(name, part, (num, *(leaf.shape or ())))
        return parts

    def _check_values(self, name: str, values: Array, shape: tuple[int, ...]) -> None:
        if values.shape != shape:
            raise ValueError(f"{name} must have shape {shape}, got {values.shape}")
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise NonFiniteError(f"{self.env_id or 'the environment'} gave a {name} that is NaN or infinite: {values}")

    def _transitions(self, streams: Array, steps: Array) -> Transitions:
        now, after = self._streams.step_places(streams, steps)
        read = self._streams.read
        return Transitions(
            read("obs", now),
            read("action", now),
            read("reward", now),
            read("obs", after),
            read("terminated", now),
            read("truncated", now),
        )
