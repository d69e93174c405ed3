"""Segments of a replay in files: stretches of rows, and the checks that a damaged one does not pass."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeGuard

import numpy as np
import torch
from torch import Tensor

from zoo_core.archive import env_id_of
from zoo_core.errors import CheckpointError
from zoo_core.replay.storage import Array, Kind
from zoo_core.replay.streams import Streams, step_rows

_MAX_COUNT = 2**53  # of rows or steps; larger ones are none of ours


def load(
    streams: Streams, segments: Iterable[tuple[dict[str, Any], dict[str, Tensor]]], capacity: int | None
) -> tuple[int, str | None]:
    """Adds the rows of segments, oldest first, to empty streams.

    Returns:
        Steps ever added over all streams, and the name of the environment.

    Raises:
        CheckpointError: a segment is damaged or missing, or of another replay.
    """
    num_steps, env_id = 0, None
    for description, tensors in segments:
        begin, end = rows_of(description, streams.num)
        if description.get("capacity") != capacity:
            raise CheckpointError(
                f"a segment is of a replay of capacity {description.get('capacity')}, expected one of {capacity}"
            )
        num_steps, env_id = count_of(description, "num_steps"), env_id_of(description)
        _load(streams, begin, end, tensors)
    ever = num_steps // streams.num
    if streams.num_steps != min(ever, streams.limit or ever):
        raise CheckpointError(
            f"segments of the replay are missing: of {num_steps} steps, {streams.num_steps * streams.num} are left"
        )
    return num_steps, env_id


def rows_of(description: dict[str, Any], num: int) -> tuple[Array, Array]:
    """Returns the numbers of the first row of a segment, and of the row after its last, of each of `num` streams.

    Raises:
        CheckpointError: they are not there, or impossible.
    """
    begin, end = (numbers_of(description.get(name), name, num) for name in ("begin", "end"))
    if (end < begin).any():
        raise CheckpointError("a segment of the replay ends before it begins")
    return begin, end


def numbers_of(value: Any, name: str, num: int) -> Array:
    """Returns row numbers read from JSON, `[num]`.

    Raises:
        CheckpointError: they are no such list.
    """
    if not isinstance(value, list | tuple) or len(value) != num or not all(map(_is_count, value)):
        raise CheckpointError(f"{name!r} of a segment of the replay must be {num} row numbers, got {value!r:.100}")
    return np.array(value, np.int64)


def count_of(description: dict[str, Any], name: str) -> int:
    """Returns a number of something from a description.

    Raises:
        CheckpointError: it is no whole number from 0 on.
    """
    count = description.get(name)
    if not _is_count(count):
        raise CheckpointError(f"{name!r} of a segment of the replay must be a number from 0 on, got {count!r:.100}")
    return count


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_COUNT


def _load(streams: Streams, begin: Array, end: Array, tensors: dict[str, Tensor]) -> None:
    """Adds the rows of one segment, after all checks."""
    counts = end - begin
    if (begin < streams.end).any() or streams.open.any():
        raise CheckpointError(f"a segment of the replay begins at row {begin[0]}, before the last one has ended")
    named = dict(zip(streams.names, streams.kinds, strict=True))
    rows = {name: _array(tensors, name, kind, num_rows=int(counts.sum())) for name, kind in named.items()}
    _check_episodes(begin == streams.end, counts, rows)
    streams.extend(begin, counts, list(rows.values()))


def _array(tensors: dict[str, Tensor], name: str, kind: Kind, *, num_rows: int) -> Array:
    """Returns a tensor of a segment as an array, if it is of the right kind."""
    shape, dtype = kind
    wanted = torch.from_numpy(np.empty(0, dtype)).dtype
    if name not in tensors:
        raise CheckpointError(f"a segment of the replay has no tensor {name!r}")
    tensor = tensors[name]
    if tensor.shape != (num_rows, *shape) or tensor.dtype != wanted:
        raise CheckpointError(
            f"tensor {name!r} of a segment of the replay must be {wanted} {[num_rows, *shape]}, "
            f"got {tensor.dtype} {list(tensor.shape)}"
        )
    return tensor.cpu().numpy()


def _check_episodes(begins: Array, counts: Array, rows: dict[str, Array]) -> None:
    """Checks that the rows of a segment are stretches of whole steps, equally many of each stream.

    Args:
        begins: `[num]` whether an episode begins with the first row of the stream.
        counts: `[num]` rows of the stream.
        rows: all columns, stream after stream.
    """
    is_first = rows["is_first"]
    if not len(is_first):
        return
    ends = np.cumsum(counts)
    is_step = step_rows(counts, is_first)
    steps = np.bincount(np.repeat(np.arange(len(counts)), counts)[is_step], minlength=len(counts))
    over = rows["terminated"] | rows["truncated"]
    ending = is_step & ~np.append(is_step[1:], False)  # no step follows
    running = np.zeros(len(is_first), bool)
    running[ends[counts > 1] - 2] = True  # the last step: its episode may not be over
    whole = (
        (steps == steps.max()).all()
        and is_step[is_first].all()
        and is_first[(ends - counts)[begins & (counts > 0)]].all()
        and (over == ending)[~running].all()
    )
    if not whole:
        raise CheckpointError(
            "a segment of the replay is damaged: its episodes and the lengths of its streams disagree"
        )
