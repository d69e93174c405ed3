"""Real experience, against an oracle of naive lists."""

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.wrappers import TimeLimit
from hypothesis import given, settings, strategies as st

from zoo_core import seeding
from zoo_core.replay import Replay
from zoo_core.testing.checks.expect import same
from zoo_core.testing.fakes import Corridor

BOX = spaces.Box(-1e6, 1e6, (1,))
DISCRETE = spaces.Discrete(1_000)


@dataclass
class Oracle:
    """Streams of episodes as nested lists; observations and actions are running numbers."""

    num_envs: int
    episodes: list = field(default_factory=list)  # (stream, first observation, [(action, reward, term, trunc, next)])
    open: dict = field(default_factory=dict)
    clock: int = 0

    def step(self, replay, terminated, truncated):
        """Adds one step of every environment to both."""
        obs, action, reward, after = ([] for _ in range(4))
        for i in range(self.num_envs):
            if i not in self.open:
                self.clock += 1
                self.open[i] = (i, float(self.clock), [])
                self.episodes.append(self.open[i])
            steps = self.open[i][2]
            self.clock += 1
            obs.append(steps[-1][-1] if steps else self.open[i][1])
            action.append(self.clock % 1_000)
            reward.append(self.clock / 8)
            after.append(float(self.clock))
            steps.append((action[-1], reward[-1], terminated[i], truncated[i], after[-1]))
            if terminated[i] or truncated[i]:
                del self.open[i]
        replay.add(
            np.array(obs, np.float32)[:, None],
            np.array(action),
            np.array(reward, np.float32),
            np.array(terminated),
            np.array(truncated),
            np.array(after, np.float32)[:, None],
        )

    def transitions(self):
        """Returns (obs, action, reward, next_obs, terminated, truncated) of every step, stream by stream."""
        rows = []
        for i in range(self.num_envs):
            for _, first, steps in (episode for episode in self.episodes if episode[0] == i):
                obs = first
                for action, reward, terminated, truncated, after in steps:
                    rows.append((obs, action, reward, after, terminated, truncated))
                    obs = after
        return rows

    def rows(self, stream):
        """Returns (obs, is_first, action, reward, terminated, truncated) of every row; finals have zeros."""
        rows = []
        for _, first, steps in (episode for episode in self.episodes if episode[0] == stream):
            obs, is_first = first, True
            for action, reward, terminated, truncated, after in steps:
                rows.append((obs, is_first, action, reward, terminated, truncated))
                obs, is_first = after, False
            rows.append((obs, False, 0, 0.0, False, False))
        return rows


def plain(transitions):
    """Returns the transitions as rows of Python numbers."""
    columns = (np.asarray(column).reshape(-1).tolist() for column in transitions)
    return list(zip(*columns, strict=True))


ends = st.lists(st.lists(st.sampled_from(["on", "on", "on", "term", "trunc"]), min_size=2, max_size=2), max_size=40)


@settings(max_examples=60)
@given(ends)
def test_steps_are_read_back_as_they_were_added(plan):
    replay, oracle = Replay(BOX, DISCRETE, num_envs=2), Oracle(2)
    for step in plan:
        oracle.step(replay, [end == "term" for end in step], [end == "trunc" for end in step])
    assert plain(replay.transitions()) == oracle.transitions()
    assert len(replay) == replay.num_steps == 2 * len(plan)
    if plan:
        firsts = [first for i in range(2) for stream, first, _ in oracle.episodes if stream == i]
        assert replay.first_observations()[:, 0].tolist() == firsts
        seen = [row[0] for i in range(2) for row in oracle.rows(i)]
        assert replay.observations()[:, 0].tolist() == seen


@settings(max_examples=40)
@given(ends, st.integers(1, 6), st.integers(0, 1_000))
def test_sequences_are_stretches_of_the_streams(plan, length, seed):
    replay, oracle = Replay(BOX, DISCRETE, num_envs=2), Oracle(2)
    for step in plan:
        oracle.step(replay, [end == "term" for end in step], [end == "trunc" for end in step])
    streams = [oracle.rows(i) for i in range(2)]
    places = {(i, begin) for i, rows in enumerate(streams) for begin in range(len(rows) - length)}
    if not places:
        with pytest.raises(ValueError, match=f"no stretch of {length} steps is stored yet"):
            replay.sample_sequences(3, length, rng=seeding.rng(seed))
        return
    batch = replay.sample_sequences(30, length, rng=seeding.rng(seed))
    for b in range(30):
        begin = float(batch.obs[b, 0, 0])
        stream = next(rows for rows in streams if any(row[0] == begin for row in rows))
        at = next(i for i, row in enumerate(stream) if row[0] == begin)
        wanted = stream[at : at + length + 1]
        assert batch.obs[b, :, 0].tolist() == [row[0] for row in wanted]
        assert batch.is_first[b].tolist() == [row[1] for row in wanted]
        for name, column in (("action", 2), ("reward", 3), ("terminated", 4), ("truncated", 5)):
            assert getattr(batch, name)[b].tolist() == [row[column] for row in wanted[:-1]]


@settings(max_examples=40)
@given(ends, st.integers(4, 24))
def test_a_full_replay_keeps_the_latest_steps(plan, capacity):
    replay, oracle = Replay(BOX, DISCRETE, num_envs=2, capacity=capacity), Oracle(2)
    for step in plan:
        oracle.step(replay, [end == "term" for end in step], [end == "trunc" for end in step])
    kept = []
    for i in range(2):
        rows = [
            row
            for row in oracle.transitions()
            if any(row[3] == step[-1] for e in oracle.episodes if e[0] == i for step in e[2])
        ]
        kept += rows[-(capacity // 2) :]
    assert plain(replay.transitions()) == kept
    assert len(replay) == len(kept)


@settings(max_examples=30)
@given(ends, st.one_of(st.none(), st.integers(4, 16)))
def test_a_replay_read_from_a_file_goes_on_as_the_one_that_was_written(plan, capacity):
    replay, oracle = Replay(BOX, DISCRETE, num_envs=2, capacity=capacity, env_id="Made-v0"), Oracle(2)
    for step in plan:
        oracle.step(replay, [end == "term" for end in step], [end == "trunc" for end in step])
    again = Replay.from_file(BOX, DISCRETE, *replay.to_file())
    assert (again.num_steps, again.env_id, again.capacity) == (replay.num_steps, "Made-v0", capacity)
    for _ in range(3):
        assert same(again.transitions(), replay.transitions())
        if len(replay):
            drawn = [each.sample_transitions(5, rng=seeding.rng(0)) for each in (replay, again)]
            assert same(*drawn)
        action = np.array([1, 2])
        step = (np.ones((2, 1), np.float32), action, np.zeros(2), np.array([True, False]), np.zeros(2, bool))
        for each in (replay, again):
            each.add(*step, np.full((2, 1), 7.0, np.float32))


def test_an_episode_in_progress_stays_open_in_a_file():
    replay, oracle = Replay(BOX, DISCRETE), Oracle(1)
    oracle.step(replay, [False], [False])
    again = Replay.from_file(BOX, DISCRETE, *replay.to_file())
    oracle.step(again, [True], [False])
    assert len(again.first_observations()) == 1
    assert plain(again.transitions()) == oracle.transitions()


def test_a_replay_of_structured_observations_survives_a_file():
    env = TimeLimit(Corridor("dict"), 10)
    replay = Replay.collect(env, 50, seed=0)
    again = Replay.from_file(env.observation_space, env.action_space, *replay.to_file())
    assert same(again.transitions(), replay.transitions())
    assert same(*(each.sample_sequences(4, 6, rng=seeding.rng(0)) for each in (replay, again)))


def test_samples_of_transitions_are_uniform_over_all_streams():
    replay, oracle = Replay(BOX, DISCRETE, num_envs=3), Oracle(3)
    for t in range(20):
        oracle.step(replay, [t % 3 == 0, False, t % 7 == 0], [False, t % 5 == 4, False])
    drawn = replay.sample_transitions(12_000, rng=seeding.rng(0))
    rows = oracle.transitions()
    assert set(plain(drawn)) == set(rows)
    counts = np.unique(drawn.next_obs[:, 0].numpy(), return_counts=True)[1]
    assert counts.min() > 130  # 200 expected, five standard deviations
    assert counts.max() < 270
    assert len(set(drawn.next_obs[:50, 0].tolist())) > 20  # in the order of drawing, not sorted by stream


def test_sampling_from_nothing_says_what_to_do():
    replay = Replay(BOX, DISCRETE)
    for read in (replay.first_observations, lambda: replay.sample_transitions(1, rng=seeding.rng(0))):
        with pytest.raises(ValueError, match=r"the replay is empty: add steps, or make one with Replay.collect"):
            read()


def test_a_capacity_below_an_episode_leaves_no_beginning():
    replay, oracle = Replay(BOX, DISCRETE, capacity=3), Oracle(1)
    for _ in range(6):
        oracle.step(replay, [False], [False])
    with pytest.raises(ValueError, match="no episode in the replay has its beginning left: capacity=3"):
        replay.first_observations()


def test_impossible_sizes():
    with pytest.raises(ValueError, match="num_envs must be at least 1, got 0"):
        Replay(BOX, DISCRETE, num_envs=0)
    with pytest.raises(ValueError, match=r"capacity must be at least 2 \* num_envs = 6, got 5"):
        Replay(BOX, DISCRETE, num_envs=3, capacity=5)


def test_cut_ends_running_episodes_as_truncated():
    replay, oracle = Replay(BOX, DISCRETE, num_envs=2), Oracle(2)
    oracle.step(replay, [False, True], [False, False])
    replay.cut()
    steps = replay.transitions()
    assert steps.truncated.tolist() == [True, False]
    assert steps.terminated.tolist() == [False, True]
    oracle.open.clear()
    oracle.step(replay, [False, False], [False, False])
    assert len(replay.first_observations()) == 4
    replay.cut()
    replay.cut()
    assert len(replay) == 4


def test_discrete_values_count_from_0_as_tensors():
    replay = Replay(spaces.Discrete(3, start=5), spaces.Discrete(2, start=-1))
    replay.add(np.array([5]), np.array([-1]), np.zeros(1), np.array([True]), np.array([False]), np.array([7]))
    assert replay.transitions().action.tolist() == [-1]
    tensors = replay.tensors()
    assert (tensors.obs.tolist(), tensors.action.tolist(), tensors.next_obs.tolist()) == ([0], [0], [2])
    assert tensors.reward.dtype == torch.float32
