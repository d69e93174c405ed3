"""Replays that outgrow the memory: the same steps, in files that leave nothing behind."""

import errno
import gc
import os
import resource

import numpy as np
import pytest
from gymnasium import spaces

from zoo_core import seeding
from zoo_core.errors import ZooError
from zoo_core.replay import Replay
from zoo_core.replay.storage import Columns, Rings
from zoo_core.testing.checks.expect import same

IMAGE = spaces.Box(0, 255, (16, 16, 3), np.uint8)
ACTION = spaces.Discrete(5)
KINDS = [((3,), np.dtype(np.uint8)), ((), np.dtype(np.float64))]


def fill(replay, num, seed=0):
    """Adds random steps of every environment; their episodes end at different times."""
    rng, n = np.random.default_rng(seed), replay.num_envs
    obs = rng.integers(0, 256, (num + 1, n, 16, 16, 3), np.uint8)
    for t in range(num):
        action, ends = rng.integers(0, 5, n), rng.random((2, n)) < 0.1
        replay.add(obs[t], action, rng.standard_normal(n), ends[0], ends[1], obs[t + 1])
    return replay


def contents(replay):
    """Returns all that can be read, samples included."""
    return (
        replay.transitions(),
        replay.observations(),
        replay.first_observations(),
        replay.sample_transitions(9, rng=seeding.rng(1)),
        replay.sample_sequences(7, 4, rng=seeding.rng(2)),
        replay.to_file(),
    )


def open_files():
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("capacity", [None, 60])
@pytest.mark.parametrize("limit", [0, 100_000])
def test_what_lies_in_files_is_read_as_from_memory(tmp_path, capacity, limit):
    """A limit of 0 bytes begins in files, the other one is passed on the way."""
    sizes = {"num_envs": 2, "capacity": capacity}
    mapped = fill(Replay(IMAGE, ACTION, **sizes, memory_limit=limit, directory=tmp_path), 120)
    assert mapped._streams._rows.columns.in_files == (limit == 0 or capacity is None)
    assert same(contents(mapped), contents(fill(Replay(IMAGE, ACTION, **sizes), 120)))


def test_files_have_no_name_and_go_with_the_replay(tmp_path):
    before = open_files()
    replay = fill(Replay(IMAGE, ACTION, memory_limit=0, directory=tmp_path), 50)
    assert open_files() > before
    assert list(tmp_path.iterdir()) == []
    del replay
    assert open_files() == before


def test_memory_is_used_up_to_the_limit_and_no_further():
    columns = Columns(KINDS, memory_limit=1_100, directory=None)
    columns.resize(100)
    assert not columns.in_files
    columns.resize(101)
    assert columns.in_files


def test_growing_in_files_moves_nothing(tmp_path):
    """What was written through the arrays of before is seen by the ones that replaced them."""
    columns = Columns(KINDS, memory_limit=0, directory=tmp_path)
    columns.resize(10)
    before = columns.arrays[1]
    columns.arrays = [np.empty((10, 77))] * 2  # a copy of these would fail
    columns.resize(1_000)
    before[7] = 42.0
    assert columns.arrays[1][7] == 42.0
    assert len(columns.arrays[1]) == 1_000


@pytest.mark.parametrize("limit", [0, 10_000])
def test_a_full_disk_is_an_error_that_says_so_and_loses_nothing(tmp_path, monkeypatch, limit):
    replay = fill(Replay(IMAGE, ACTION, memory_limit=limit, directory=tmp_path), 10)
    before, real = replay.transitions().obs, os.posix_fallocate
    calls = iter(range(10_000))

    def full(*args):
        if next(calls) % 2:  # the second file of every attempt finds no room
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(*args)

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full)
        for _ in range(2):
            with pytest.raises(
                ZooError, match=rf"no room for 0.0 GiB of replay in {tmp_path}: No space left on device"
            ):
                fill(replay, 100)
            stored = len(replay)
            assert stored == len(replay.transitions().obs)
    assert same(replay.transitions().obs[:10], before)
    assert len(fill(replay, 100)) == stored + 100  # there is room again


def test_a_file_that_grew_before_the_disk_was_full_is_cut_again(tmp_path, monkeypatch):
    """Space that was not reserved must not be mistaken for some that was."""
    columns, real = Columns(KINDS, memory_limit=0, directory=tmp_path), os.posix_fallocate
    columns.resize(10)

    def half(descriptor, begin, size):
        real(descriptor, begin, size // 2)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", half)
    with pytest.raises(ZooError, match="No space left on device"):
        columns.resize(1_000)
    assert [os.fstat(file.fileno()).st_size for file in columns._files] == [30, 80]


def test_space_that_the_system_refuses_does_not_kill_the_process(tmp_path):
    columns = Columns(KINDS, memory_limit=0, directory=tmp_path)
    columns.resize(10)
    allowed = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, allowed[1]))
    try:
        with pytest.raises(ZooError, match=rf"no room for 10.2 GiB of replay in {tmp_path}: File too large; free some"):
            columns.resize(10**9)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, allowed)
    columns.resize(1_000)
    columns.arrays[0][:] = 1
    assert len(columns.arrays[1]) == 1_000


def test_a_directory_that_is_not_there_is_named(tmp_path):
    replay = Replay(IMAGE, ACTION, memory_limit=0, directory=tmp_path / "missing")
    with pytest.raises(ZooError, match=rf"cannot use {tmp_path}/missing: No such file or directory"):
        fill(replay, 1)
    assert len(replay) == 0


def test_without_fallocate_space_is_reserved_by_writing(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "posix_fallocate")
    columns = Columns([((2**20 + 3,), np.dtype(np.uint8))], memory_limit=0, directory=tmp_path)
    for rows in (3, 5):
        columns.resize(rows)
        assert os.fstat(columns._files[0].fileno()).st_size == rows * (2**20 + 3)
        assert os.fstat(columns._files[0].fileno()).st_blocks * 512 >= rows * (2**20 + 3)


def test_rows_of_no_bytes_are_stored(tmp_path):
    columns = Columns([((0,), np.dtype(np.float32))], memory_limit=0, directory=tmp_path)
    columns.resize(4)
    assert columns.arrays[0].shape == (4, 0)


def test_rings_keep_their_rows_however_they_grow():
    """Rings against lists: rows come and go at random, so that some rings wrap around when the room grows."""
    rng, rings = np.random.default_rng(0), Rings(KINDS, 3, memory_limit=2**20, directory=None)
    lists, clock, wrapped = [[], [], []], 0, 0
    for t in range(2_000):
        rings.reserve(1)
        for stream in np.flatnonzero(rng.random(3) < 0.6):
            clock += 1
            place = rings.places(np.array([stream]), rings.end[[stream]])
            rings.write(0, place, clock % 251)
            rings.write(1, place, clock)
            rings.end[stream] += 1
            lists[stream].append(clock)
        keep = 10 + t // 10 if t % 400 < 200 else 5  # lengths swell and shrink
        for stream in range(3):
            lists[stream] = lists[stream][-keep:]
            rings.first[stream] = max(rings.first[stream], rings.end[stream] - keep)
            numbers = np.arange(rings.first[stream], rings.end[stream])
            places = rings.places(np.full(len(numbers), stream), numbers)
            wrapped += bool((np.diff(places) < 0).any())
            assert rings.read(1, places).tolist() == lists[stream]
            assert rings.read(0, places)[:, 2].tolist() == [each % 251 for each in lists[stream]]
    assert wrapped > 1_000
