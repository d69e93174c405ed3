"""Trajectories with what the search said of them, and how positions are drawn from them.

Every environment is a stream of rows, one a time step, all equally long. A row holds what was seen, what the search
said, what was done and what followed. Once all that its value target needs is known, it is *settled*: the parts of the
target and its priority are stored with it, and it can be drawn.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from zoo_core.errors import CheckpointError
from zoo_core.recording import Segment
from zoo_core.replay.storage import MEMORY_LIMIT, Rings, row_bytes
from zoo_mcts.compiled import Array
from zoo_muzero.losses import Batch
from zoo_muzero.targets import CUT, GOES_ON, TERMINATED, last_rows, n_step_returns

LEAST_PRIORITY = 0.01  # of a position whose search value is its return: it may become wrong
NO_ACTION = -1


class Rows(NamedTuple):
    """What is added: `[E, T, ...]` of E environments and T time steps.

    Attributes:
        frame: what was seen.
        action: int64 from 0.
        reward: float32, for the player who moved.
        policy: float32 `[E, T, A]` what the search recommends.
        value: float32, what the search finds that the position is worth to the player who moves.
        player: int8, who moves.
        after: int8, GOES_ON, TERMINATED or CUT.
        first: bool, where an episode begins.
    """

    frame: Array
    action: Array
    reward: Array
    policy: Array
    value: Array
    player: Array
    after: Array
    first: Array


_SETTLED = ("earned", "carry", "ahead", "weight")  # columns of a row that come later


class Trajectories:
    """The newest rows of E environments; it is a `zoo_core.recording.Recording`.

    Args:
        shape: of a frame.
        dtype: of a frame.
        num_actions: A.
        num_envs: E.
        capacity: rows kept, over all environments; the oldest go first.
        gamma: discount of the targets.
        td_steps: n of their returns; 0: to the end.
        unroll_steps: K.
        history: observations that the representation sees.
        alpha: α: a position is drawn with a probability proportional to |ν - z|^α; 0: all alike.
        beta: β: updates are weighted by (1 / N P)^β, over the greatest of a batch.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        num_actions: int,
        *,
        num_envs: int,
        capacity: int,
        gamma: float,
        td_steps: int,
        unroll_steps: int,
        history: int = 1,
        alpha: float = 1.0,
        beta: float = 1.0,
    ) -> None:
        self.num_actions, self.num_envs = num_actions, num_envs
        self.gamma, self.td_steps, self.unroll_steps, self.history = gamma, td_steps, unroll_steps, history
        self.alpha, self.beta = alpha, beta
        self.limit = max(1, capacity // num_envs)  # rows of a stream
        self.kinds = kinds_of(shape, dtype, num_actions)
        self._column = {name: i for i, name in enumerate(self.kinds)}
        self._clear()

    def _clear(self) -> None:
        self._rows = Rings(list(self.kinds.values()), self.num_envs, memory_limit=MEMORY_LIMIT, directory=None)
        self.settled = np.zeros(self.num_envs, np.int64)  # number of the first row of each stream that is not
        self._drawing: Array | None = None  # cumulative weights, of the kept rows in their order

    def __len__(self) -> int:
        """Returns the number of rows that are kept."""
        return int((self._rows.end - self._rows.first).sum())

    @property
    def end(self) -> int:
        """Number of the row to come, of each stream."""
        return int(self._rows.end[0])

    @property
    def first(self) -> int:
        """Number of the oldest row that is kept, of each stream."""
        return int(self._rows.first[0])

    # -- writing -------------------------------------------------------------------------------------------------------

    def add(self, rows: Rows) -> None:
        """Adds T rows of every stream."""
        steps = rows.action.shape[1]
        self._rows.reserve(steps)
        places = self._places(np.arange(self.end, self.end + steps))
        for name, values in rows._asdict().items():
            self._rows.write(self._column[name], places, values)
        for name in _SETTLED:
            self._rows.write(self._column[name], places, 0)
        self._rows.end += steps
        if self.end - self.first > self.limit:
            self._rows.first[:] = self.end - self.limit
        self._drawing = None

    def cut(self) -> None:
        """Ends running episodes: of each, the last row becomes one of which nothing but the search is known."""
        if len(self):
            last = self._places(np.array([self.end - 1]))
            after = self.read("after", last)
            self._rows.write(self._column["after"], last, np.where(after == GOES_ON, CUT, after))
            self.settle()

    def settle(self) -> None:
        """Completes the rows of which all targets are known by now: their own, and those of the K rows that follow."""
        begin = max(int(self.settled.min()), self.first)
        length = self.end - begin
        if length == 0:
            return
        places = self._places(np.arange(begin, self.end))
        reward, player, after, value = (self.read(name, places) for name in ("reward", "player", "after", "value"))
        found = n_step_returns(reward, player, after, gamma=self.gamma, num_steps=self.td_steps)
        ended = last_rows(after) < length
        reach = np.arange(length) + self.unroll_steps
        seen = found.known[:, np.minimum(reach, length - 1)] & (reach < length)
        ready = ended | (seen if self.td_steps else False)
        target = found.earned + found.carry * np.take_along_axis(value, np.arange(length) + found.ahead, 1)
        priority = np.maximum(np.abs(value - target), LEAST_PRIORITY) ** self.alpha
        columns = {**found._asdict(), "weight": np.where(ready & (after != CUT), priority, 0.0)}
        for name in _SETTLED:
            self._rows.write(self._column[name], places, columns[name])
        self.settled = begin + ready.sum(1)
        self._drawing = None

    # -- reading -------------------------------------------------------------------------------------------------------

    def read(self, name: str, places: Array) -> Array:
        """Returns a copy of one column: `[*places.shape, ...]`."""
        return self._rows.read(self._column[name], places)

    @property
    def num_ready(self) -> int:
        """Positions that can be drawn."""
        return int(np.count_nonzero(np.diff(self._weights(), prepend=0.0)))

    def sample(
        self,
        num: int,
        *,
        rng: torch.Generator,
        device: torch.device | str = "cpu",
        evaluate: Callable[[Tensor, Tensor | None], Tensor] | None = None,
    ) -> Batch:
        """Draws positions, with replacement, and unrolls K steps from each.

        Args:
            num: B.
            rng: source of randomness.
            device: of the batch.
            evaluate: values `[N]` of last observations, from which returns bootstrap; None: those that the search
                found.

        Raises:
            ValueError: nothing can be drawn yet.
        """
        cumulative = self._weights()
        if not len(cumulative) or cumulative[-1] == 0.0:
            raise ValueError("no position can be drawn yet: the targets of none are known")
        drawn = torch.rand(num, generator=rng, dtype=torch.float64, device=rng.device).cpu().numpy() * cumulative[-1]
        which = np.searchsorted(cumulative, drawn, side="right")
        stream, number = np.divmod(which, self.end - self.first)
        batch = self.unroll(stream, number + self.first, rng=rng, device=device, evaluate=evaluate)
        probability = (cumulative[which] - np.where(which > 0, cumulative[which - 1], 0.0)) / cumulative[-1]
        importance = (1.0 / (self.num_ready * probability)) ** self.beta
        weight = torch.from_numpy((importance / importance.max()).astype(np.float32))
        return batch._replace(weight=weight.to(device))

    def unroll(
        self,
        stream: Array,
        number: Array,
        *,
        rng: torch.Generator,
        device: torch.device | str = "cpu",
        evaluate: Callable[[Tensor, Tensor | None], Tensor] | None = None,
    ) -> Batch:
        """Returns the targets of K steps from rows, with equal weights; see `sample`.

        Args:
            stream: `[B]`.
            number: `[B]` of the rows in their streams.
            rng: of actions after the end of an episode.
            device: of the batch.
            evaluate: see `sample`.
        """
        window = np.minimum(number[:, None] + np.arange(self.unroll_steps + 1), self.end - 1)
        streams = np.broadcast_to(stream[:, None], window.shape)
        places = self._rows.places(streams, window)
        after = self.read("after", places)
        over, unseen = (_before(after == kind) for kind in (TERMINATED, CUT))
        ahead = window + self.read("ahead", places)
        if evaluate is None:
            beyond = self.read("value", self._rows.places(streams, ahead))
        else:
            frames, past = self.last_observations(streams.reshape(-1), ahead.reshape(-1), device)
            beyond = evaluate(frames, past).cpu().numpy().reshape(ahead.shape)
        value = np.where(over, 0.0, self.read("earned", places) + self.read("carry", places) * beyond)
        policy = np.where(over[..., None], np.float32(1.0 / self.num_actions), self.read("policy", places))
        reward = np.where(over[:, :-1], np.float32(0.0), self.read("reward", places[:, :-1]))
        shape = len(stream), self.unroll_steps
        anything = torch.randint(self.num_actions, shape, generator=rng, device=rng.device).to(device)
        action = torch.from_numpy(self.read("action", places[:, :-1])).to(device)
        frames, past = self.last_observations(stream, number, device)
        return Batch(
            frames=frames,
            past_actions=past,
            action=torch.where(torch.from_numpy(over[:, :-1]).to(device), anything, action),
            reward=torch.from_numpy(reward).to(device),
            value=torch.from_numpy(value.astype(np.float32)).to(device),
            policy=torch.from_numpy(policy).to(device),
            known=torch.from_numpy(~unseen).to(device),
            weight=torch.ones(len(stream), device=device),
        )

    def last_observations(
        self, stream: Array, number: Array, device: torch.device | str
    ) -> tuple[Tensor, Tensor | None]:
        """Returns the last observations `[N, history, ...]` of rows, and the actions between them; see `Batch`."""
        window = number[:, None] + np.arange(1 - self.history, 1)
        places = self._rows.places(stream[:, None], np.maximum(window, self.first))
        frames = torch.from_numpy(self.read("frame", places)).to(device)
        if self.history == 1:
            return frames, None
        begun = np.flip(_before(np.flip(self.read("first", places), 1)), 1) | (window < self.first)
        action = np.where(begun, NO_ACTION, self.read("action", places))[:, :-1]
        frames[torch.from_numpy(begun).to(device)] = 0
        return frames, torch.from_numpy(action).to(device)

    def _weights(self) -> Array:
        if self._drawing is None:
            self._drawing = np.cumsum(self.read("weight", self._all_places()), dtype=np.float64)
        return self._drawing

    def _all_places(self) -> Array:
        return self._places(np.arange(self.first, self.end)).reshape(-1)

    def _places(self, numbers: Array) -> Array:
        """Returns where rows of all streams lie, `[E, T]`."""
        return self._rows.places(np.arange(self.num_envs)[:, None], numbers)

    # -- a recording ---------------------------------------------------------------------------------------------------

    def mark(self) -> int:
        """Returns how many rows were added to each stream so far."""
        return self.end

    def since(self, mark: int | None) -> Segment:
        """Returns the rows that were added after `mark` was taken, as far as they are kept; all for None."""
        begin = self.first if mark is None else max(mark, self.first)
        places = self._places(np.arange(begin, self.end)).reshape(-1)
        tensors = {name: torch.from_numpy(self.read(name, places)) for name in self.kinds}
        return {"begin": begin, "end": self.end, "settled": self.settled.tolist()}, tensors

    def needs(self, description: dict[str, Any]) -> bool:
        """Says whether the last row of the segment with this description is still kept."""
        return int(description["end"]) > self.first

    def restore(self, segments: Iterable[Segment]) -> None:
        """Replaces the contents by those of segments, oldest first.

        Raises:
            CheckpointError: a segment is damaged or missing, or of other trajectories.
        """
        self._clear()
        for description, tensors in segments:
            begin, end = (operator.index(description[name]) for name in ("begin", "end"))
            settled = np.array([operator.index(each) for each in description["settled"]], np.int64)
            if not len(self):
                self._rows.skip_to(np.full(self.num_envs, begin))
            if begin != self.end or not begin <= end or settled.shape != (self.num_envs,):
                raise CheckpointError(f"segments of trajectories are missing: rows {self.end} to {begin}")
            self._rows.reserve(end - begin)
            places = self._places(np.arange(begin, end)).reshape(-1)
            for name, kind in self.kinds.items():
                self._rows.write(self._column[name], places, _array(tensors, name, kind, len(places)))
            self._rows.end += end - begin
            self.settled = np.clip(settled, begin, end)
        self._rows.first[:] = max(self.first, self.end - self.limit)


def kinds_of(shape: tuple[int, ...], dtype: np.dtype[Any], num_actions: int) -> dict[str, tuple[Any, np.dtype[Any]]]:
    """Returns shape and dtype of each column of a row."""
    one = {"action": "int64", "reward": "float32", "value": "float32", "player": "int8", "after": "int8"}
    later = {"first": "bool", "earned": "float64", "carry": "float64", "ahead": "int64", "weight": "float64"}
    columns = {name: ((), np.dtype(kind)) for name, kind in (one | later).items()}
    return {"frame": (shape, np.dtype(dtype)), "policy": ((num_actions,), np.dtype(np.float32)), **columns}


def bytes_needed(shape: tuple[int, ...], dtype: np.dtype[Any], num_actions: int, rows: int) -> int:
    """Returns how many bytes so many rows take."""
    return rows * row_bytes(list(kinds_of(shape, dtype, num_actions).values()))


def _before(flags: Array) -> Array:
    """Returns, for flags `[B, T]`, whether one before each is true."""
    seen = np.logical_or.accumulate(flags, axis=1)
    return np.concatenate([np.zeros_like(seen[:, :1]), seen[:, :-1]], axis=1)


def _array(tensors: dict[str, Tensor], name: str, kind: tuple[Any, np.dtype[Any]], num_rows: int) -> Array:
    shape, dtype = kind
    wanted = torch.from_numpy(np.empty(0, dtype)).dtype
    tensor = tensors.get(name)
    if tensor is None or tensor.shape != (num_rows, *shape) or tensor.dtype != wanted:
        found = "nothing" if tensor is None else f"{tensor.dtype} {list(tensor.shape)}"
        raise CheckpointError(f"{name!r} of trajectories must be {wanted} {[num_rows, *shape]}, got {found}")
    return tensor.cpu().numpy()
