"""Replays in files: what is restored equals what was written, in all that can be seen; damaged files are refused."""

import copy
import json

import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.wrappers import TimeLimit
from hypothesis import given, settings, strategies as st

from zoo_core import seeding
from zoo_core.archive import read_archive, write_archive
from zoo_core.errors import CheckpointError
from zoo_core.replay import Replay
from zoo_core.spaces import batch_of
from zoo_core.testing.checks.expect import same
from zoo_core.testing.fakes import Corridor

OBS = spaces.Dict({"image": spaces.Box(0, 255, (3, 2, 1), np.uint8), "place": spaces.Box(-9.0, 9.0, (2,))})
ACTION = spaces.Discrete(4, start=-1)


class Stepping:
    """Adds random steps to replays, the same to all of them."""

    def __init__(self, num_envs, seed):
        self.num_envs, self.rng, self.space = num_envs, np.random.default_rng(seed), copy.deepcopy(OBS)
        self.space.seed(seed)
        self.obs = self._observe()

    def __call__(self, num, *replays):
        for _ in range(num):
            n, after = self.num_envs, self._observe()
            ends = self.rng.random((2, n)) < 0.15
            step = (self.rng.integers(-1, 3, n), self.rng.standard_normal(n), ends[0], ends[1] & ~ends[0], after)
            for replay in replays:
                replay.add(self.obs, *step)
            self.obs = after

    def _observe(self):
        return batch_of(self.space, [self.space.sample() for _ in range(self.num_envs)])


def new(num_envs=2, capacity=None):
    return Replay(OBS, ACTION, num_envs=num_envs, capacity=capacity, env_id="Made-v0")


def seen(replay):
    """Returns all that can be seen of a replay."""
    steps = len(replay)
    looks = [steps, replay.num_steps, replay.env_id, replay.capacity, replay.transitions(), replay.observations()]
    if steps:
        looks += [replay.sample_transitions(8, rng=seeding.rng(0)), replay.to_file(), *replay.episodes()]
    if steps >= 3 * replay.num_envs:
        looks.append(replay.sample_sequences(8, 3, rng=seeding.rng(1)))
    return looks


def as_json(segments):
    """Returns segments as they come out of a file."""
    return [(json.loads(json.dumps(description)), tensors) for description, tensors in segments]


@settings(max_examples=60)
@given(
    num_envs=st.integers(1, 3),
    per_env=st.one_of(st.none(), st.integers(2, 30)),
    rounds=st.lists(st.integers(0, 25), max_size=8),
    seed=st.integers(0, 1_000),
)
def test_a_restored_replay_is_the_live_one_and_goes_on_like_it(num_envs, per_env, rounds, seed):
    capacity = None if per_env is None else per_env * num_envs + seed % num_envs
    live, stepping, mark, segments = new(num_envs, capacity), Stepping(num_envs, seed), None, []
    for steps in rounds:
        stepping(steps, live)
        live.cut()
        segments = [each for each in [*segments, live.since(mark)] if live.needs(each[0])]
        mark = live.mark()
    again = new(num_envs, capacity)
    again.restore(as_json(segments))
    assert same(seen(again), seen(live))
    assert again.mark() == live.mark()
    assert all(again.needs(description) for description, _ in segments)
    stepping(1 + seed % 40, live, again)
    assert same(seen(again), seen(live))
    live.cut()
    again.cut()
    assert same(again.since(mark), live.since(mark))


@pytest.mark.parametrize("capacity", [None, 14])
def test_a_file_holds_a_running_episode_too(capacity):
    live, stepping = new(2, capacity), Stepping(2, seed=3)
    for _ in range(40):
        stepping(1, live)
        again = Replay.from_file(OBS, ACTION, *as_json([live.to_file()])[0])
        assert same(seen(again), seen(live))
        ahead, fork = copy.deepcopy(live), copy.deepcopy(stepping)
        fork(3, again, ahead)
        assert same(seen(again), seen(ahead))


def test_an_empty_replay_survives_a_file():
    again = Replay.from_file(OBS, ACTION, *new(3, 10).to_file())
    assert (len(again), again.num_envs, again.capacity, again.env_id) == (0, 3, 10, "Made-v0")


def test_a_collected_replay_survives_an_archive(tmp_path):
    env = TimeLimit(Corridor("dict"), 10)
    replay = Replay.collect(env, 50, seed=0)
    description, tensors = replay.to_file()
    write_archive(tmp_path / "a.zip", {"kind": "replay", "replay": description}, tensors)
    header, tensors = read_archive(tmp_path / "a.zip")
    again = Replay.from_file(env.observation_space, env.action_space, header["replay"], tensors)
    assert same(seen(again), seen(replay))


def test_samples_do_not_show_how_a_replay_has_grown():
    """One replay has grown step by step and gone round often; the other has just been read."""
    live = new(2, 2 * 21)
    Stepping(2, seed=0)(300, live)
    again = Replay.from_file(OBS, ACTION, *live.to_file())
    assert live._streams._rows._shift.tolist() != again._streams._rows._shift.tolist()
    for name, args in (("sample_transitions", (50,)), ("sample_sequences", (50, 6))):
        for seed in range(5):
            assert same(*(getattr(each, name)(*args, rng=seeding.rng(seed)) for each in (live, again)))


def test_only_what_was_added_is_in_a_segment():
    live, stepping = new(1), Stepping(1, seed=0)
    stepping(1_000, live)
    live.cut()
    mark = live.mark()
    stepping(10, live)
    live.cut()
    _, tensors = live.since(mark)
    assert 11 <= len(tensors["reward"]) <= 20
    assert len(live.to_file()[1]["reward"]) > 1_000


def test_a_segment_is_needed_until_its_last_row_is_dropped():
    live, stepping = new(1, 5), Stepping(1, seed=0)
    stepping(4, live)
    live.cut()
    description, _ = live.since(None)
    needed = []
    for _ in range(6):
        needed.append(live.needs(description))
        stepping(1, live)
    assert needed == [True, True, True, True, True, False]


def test_a_segment_of_nothing_is_not_needed():
    live = new(1)
    Stepping(1, seed=0)(4, live)
    live.cut()
    description, tensors = live.since(live.mark())
    assert len(tensors["reward"]) == 0
    assert not live.needs(description)


def test_a_running_episode_cannot_be_marked():
    live = new(1)
    obs = {"image": np.zeros((1, 3, 2, 1)), "place": np.zeros((1, 2))}
    live.add(obs, [0], [0.0], [False], [False], obs)
    with pytest.raises(ValueError, match=r"an episode is running: cut\(\) the replay before it is marked"):
        live.mark()


# -- damage ------------------------------------------------------------------------------------------------------------


def three_segments(capacity=None):
    live, stepping, mark, segments = new(2, capacity), Stepping(2, seed=1), None, []
    for steps in (12, 7, 9):
        stepping(steps, live)
        live.cut()
        segments.append(live.since(mark))
        mark = live.mark()
    return segments


def changed(description=None, **tensors):
    """Returns a function that changes the middle one of three segments."""

    def change(segments):
        before = segments[1]
        segments[1] = ({**before[0], **(description or {})}, {**before[1], **tensors})
        return segments

    return change


def rows(function, name):
    """Returns a function that changes one tensor of the middle segment."""

    def change(segments):
        tensors = {key: tensor.clone() for key, tensor in segments[1][1].items()}
        tensors[name] = function(tensors[name])
        segments[1] = (segments[1][0], tensors)
        return segments

    return change


def without(name):
    def change(segments):
        del segments[1][1][name]
        return segments

    return change


DAMAGED = "its episodes and the lengths of its streams disagree"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: [s[0], s[2]], r"missing: of 56 steps, 18 are left"),
        (lambda s: s[1:], r"missing: of 56 steps, 32 are left"),
        (lambda s: [s[1], s[0], s[2]], "before the last one has ended"),
        (lambda s: [s[0], s[1], s[1]], "before the last one has ended"),
        (without("reward"), "has no tensor 'reward'"),
        (without("obs/1"), "has no tensor 'obs/1'"),
        (rows(lambda t: t[:-1], "reward"), r"'reward' .* must be torch.float32 \[\d+\], got torch.float32 \[\d+\]"),
        (rows(lambda t: t.double(), "reward"), r"must be torch.float32 \[\d+\], got torch.float64"),
        (rows(lambda t: t.bfloat16(), "obs/1"), r"must be torch.float32 \[\d+, 2\], got torch.bfloat16"),
        (
            rows(lambda t: t[..., None], "obs/0"),
            r"must be torch.uint8 \[\d+, 3, 2, 1\], got torch.uint8 \[\d+, 3, 2, 1, 1",
        ),
        (rows(torch.zeros_like, "is_first"), DAMAGED),
        (rows(torch.ones_like, "is_first"), DAMAGED),
        (rows(torch.ones_like, "terminated"), DAMAGED),
        (rows(lambda t: t.roll(1), "is_first"), DAMAGED),
        (rows(lambda t: t.index_fill(0, torch.tensor([0]), False), "is_first"), DAMAGED),
        (rows(lambda t: t.roll(1), "truncated"), DAMAGED),
        (changed({"num_steps": None}), "'num_steps' of a segment of the replay must be a number from 0 on, got None"),
        (changed({"num_steps": -1}), "got -1"),
        (changed({"num_steps": True}), "got True"),
        (changed({"num_steps": 10**30}), "got 1000"),
        (changed({"capacity": 64}), "of a replay of capacity 64, expected one of None"),
        (changed({"env_id": 5}), "env_id in the file must be a text or null, got 5"),
        (changed({"begin": [0]}), "'begin' of a segment of the replay must be 2 row numbers"),
        (changed({"begin": "ab"}), "'begin' .* must be 2 row numbers, got 'ab'"),
        (changed({"begin": [0.5, 1]}), "must be 2 row numbers"),
        (changed({"end": None}), "'end' .* must be 2 row numbers, got None"),
        (changed({"end": [0, 0]}), "ends before it begins"),
        (changed({"end": [10**15, 10**15]}), "must be torch.uint8"),
        (changed({"end": [10**40, 10**40]}), "must be 2 row numbers"),
    ],
)
def test_damaged_segments_are_refused_and_the_replay_stays_as_it_was(change, message):
    replay = new(2)
    Stepping(2, seed=9)(5, replay)
    before = seen(replay)
    with pytest.raises(CheckpointError, match=message):
        replay.restore(change(three_segments()))
    assert same(seen(replay), before)


def test_streams_of_different_lengths_are_refused():
    parts = []
    for steps in (5, 3):
        live = new(1)
        Stepping(1, seed=steps)(steps, live)
        parts.append(live.to_file())
    tensors = {name: torch.cat([part[1][name] for part in parts]) for name in parts[0][1]}
    begin, end = ([part[0][name][0] for part in parts] for name in ("begin", "end"))
    description = {**parts[0][0], "num_envs": 2, "num_steps": 10, "begin": begin, "end": end}
    with pytest.raises(CheckpointError, match=DAMAGED):
        Replay.from_file(OBS, ACTION, description, tensors)


def test_an_episode_of_no_steps_is_refused():
    live = new(1)
    live.add_episode(*(batch_of(OBS, [OBS.sample()] * 6), np.zeros(5, int), np.zeros(5)), terminated=True)
    description, tensors = live.to_file()
    tensors["is_first"][1] = True
    with pytest.raises(CheckpointError, match=DAMAGED):
        Replay.from_file(OBS, ACTION, {**description, "num_steps": 4}, tensors)


def test_an_undamaged_one_is_taken():
    replay = new(2)
    replay.restore(three_segments())
    assert len(replay) == 56


def test_a_segment_that_a_capacity_needs_is_missed():
    segments = three_segments(capacity=34)
    new(2, 34).restore(segments[1:] if len(segments[1][1]["reward"]) > 34 else segments)
    with pytest.raises(CheckpointError, match=r"segments of the replay are missing: of 56 steps, 18 are left"):
        new(2, 34).restore(segments[2:])


def test_a_segment_of_another_number_of_environments_is_refused():
    with pytest.raises(CheckpointError, match="'begin' of a segment of the replay must be 3 row numbers"):
        new(3).restore(three_segments())


def test_a_mark_of_another_replay_is_refused():
    with pytest.raises(CheckpointError, match=r"'mark' .* must be 2 row numbers, got \[1\]"):
        new(2).since([1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_envs": 10**12}, "'begin' of a segment of the replay must be 1000000000000 row numbers"),
        ({"num_envs": 0}, "must be 0 row numbers"),
        ({"num_envs": "2"}, "'num_envs' .* must be a number from 0 on, got '2'"),
        ({"capacity": -4}, "'capacity' .* must be a number from 0 on, got -4"),
        ({"capacity": 3}, r"the replay in the file is damaged: capacity must be at least 2 \* num_envs"),
        ({"num_envs": 0, "begin": [], "end": []}, "damaged: num_envs must be at least 1, got 0"),
    ],
)
def test_a_file_with_impossible_sizes_is_refused_before_anything_is_allocated(change, message):
    live = new(2)
    Stepping(2, seed=0)(6, live)
    description, tensors = live.to_file()
    with pytest.raises(CheckpointError, match=message):
        Replay.from_file(OBS, ACTION, {**description, **change}, tensors)


def test_a_file_of_other_spaces_is_refused():
    live = new(1)
    Stepping(1, seed=0)(6, live)
    with pytest.raises(CheckpointError, match=r"'obs/0' of a segment of the replay must be torch.float32 \[\d+, 5\]"):
        Replay.from_file(spaces.Box(0, 1, (5,)), ACTION, *live.to_file())


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3)),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


@settings(max_examples=150)
@given(
    st.dictionaries(st.sampled_from(["num_envs", "capacity", "env_id", "num_steps", "begin", "end"]), json_values),
    st.dictionaries(
        st.sampled_from(["obs/0", "action/0", "reward", "terminated", "truncated", "is_first"]), st.integers(0, 60)
    ),
)
def test_whatever_a_file_says_it_is_read_or_refused(description, flips):
    """Descriptions of anything, and rows of which one byte has another value."""
    live = new(1)
    Stepping(1, seed=0)(20, live)
    whole, tensors = live.to_file()
    for name, place in flips.items():
        tensors[name].view(torch.uint8).view(-1)[place % tensors[name].numel()] ^= 1
    try:
        again = Replay.from_file(OBS, ACTION, {**whole, **description}, tensors)
    except CheckpointError:
        return
    assert len(again) == 20
    assert len(again.transitions().reward) == 20
    assert again.sample_sequences(3, 4, rng=seeding.rng(0)).reward.shape == (3, 4)
