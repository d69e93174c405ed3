"""Real experience, against an oracle of naive lists."""

import copy
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given, settings, strategies as st

from zoo_core import seeding
from zoo_core.errors import NonFiniteError, UnsupportedSpaceError
from zoo_core.replay import Replay
from zoo_core.replay.streams import leaves
from zoo_core.spaces import batch_of, to_tensor
from zoo_core.testing.checks.expect import same

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

    def rows(self, stream, limit=None):
        """Returns (obs, is_first, action, reward, terminated, truncated) of the rows from the latest `limit` steps on.

        Finals have zeros.
        """
        rows, begins = [], []
        for _, first, steps in (episode for episode in self.episodes if episode[0] == stream):
            obs, is_first = first, True
            for action, reward, terminated, truncated, after in steps:
                begins.append(len(rows))
                rows.append((obs, is_first, action, reward, terminated, truncated))
                obs, is_first = after, False
            rows.append((obs, False, 0, 0.0, False, False))
        return rows if limit is None or len(begins) <= limit else rows[begins[-limit] :]


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


@settings(max_examples=60)
@given(ends, st.integers(1, 6), st.integers(0, 1_000), st.one_of(st.none(), st.integers(4, 24)))
def test_sequences_are_stretches_of_the_streams(plan, length, seed, capacity):
    replay, oracle = Replay(BOX, DISCRETE, num_envs=2, capacity=capacity), Oracle(2)
    for step in plan:
        oracle.step(replay, [end == "term" for end in step], [end == "trunc" for end in step])
    streams = [oracle.rows(i, capacity and capacity // 2) for i in range(2)]
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


def test_values_that_are_no_arrays_are_refused():
    with pytest.raises(UnsupportedSpaceError, match=r"a replay stores Box, Discrete, .*, got Text"):
        Replay(spaces.Dict({"x": BOX, "words": spaces.Text(5)}), DISCRETE)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"obs": np.zeros((1, 1))}, r"observation must have shape \(2, 1\), got \(1, 1\)"),
        ({"next_obs": np.zeros(2)}, r"observation must have shape \(2, 1\), got \(2,\)"),
        ({"action": np.zeros((2, 1), int)}, r"action must have shape \(2,\), got \(2, 1\)"),
        ({"reward": 0.0}, r"reward must have shape \(2,\), got \(\)"),
        ({"truncated": np.zeros(3, bool)}, r"truncated must have shape \(2,\), got \(3,\)"),
    ],
)
def test_a_batch_of_another_shape_is_refused_and_nothing_added(changes, message):
    replay, flags = Replay(BOX, DISCRETE, num_envs=2), np.zeros(2, bool)
    step = {"obs": np.zeros((2, 1)), "action": np.zeros(2, int), "reward": np.zeros(2), "next_obs": np.zeros((2, 1))}
    with pytest.raises(ValueError, match=message):
        replay.add(**{**step, "terminated": flags, "truncated": flags, **changes})
    assert len(replay) == len(replay.observations()) == 0


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


SPACES = {
    "image": spaces.Box(0, 255, (5, 4, 3), np.uint8),
    "float64": spaces.Box(-np.inf, np.inf, (2,), np.float64),
    "discrete": spaces.Discrete(4, start=-2),
    "multi-discrete": spaces.MultiDiscrete([3, 5], dtype=np.int32),
    "multi-binary": spaces.MultiBinary(3),
    "nested": spaces.Dict({"b": BOX, "a": spaces.Tuple([spaces.Discrete(3, start=1), spaces.Box(0, 9, (2, 2), int)])}),
}


@pytest.mark.parametrize("name", SPACES)
def test_values_of_every_space_are_read_back(name):
    """Observations and actions of a space, against lists of steps; the ring goes round five times."""
    space, ended = SPACES[name], np.arange(100) % 7 == 6
    space.seed(0)
    replay, steps, fresh = Replay(space, space, capacity=20), [], True
    for end in ended:
        obs = space.sample() if fresh else steps[-1][2]
        steps.append((obs, space.sample(), space.sample()))
        batches = [batch_of(space, [value]) for value in steps[-1]]
        replay.add(batches[0], batches[1], np.zeros(1), np.array([end]), np.zeros(1, bool), batches[2])
        fresh = end
    stored = replay.transitions()
    for column, wanted in ((stored.obs, 0), (stored.action, 1), (stored.next_obs, 2)):
        wanted = batch_of(space, [step[wanted] for step in steps[-20:]])
        assert same(column, wanted)
        assert same([leaf.dtype for leaf in leaves(space, column)], [leaf.dtype for leaf in leaves(space, wanted)])
    tensors = replay.tensors()
    assert same(tensors.action, to_tensor(space, stored.action))
    batch = replay.sample_sequences(30, 10, rng=seeding.rng(0))
    finals = batch.is_first[:, 1:]
    assert finals.any()
    assert all(not leaf[finals].any() for leaf in leaves(space, batch.action))  # zeros, as tensors count


def test_a_sample_is_a_copy():
    replay, oracle = Replay(BOX, DISCRETE, capacity=4), Oracle(1)
    for _ in range(4):
        oracle.step(replay, [False], [False])
    read = (replay.transitions(), replay.sample_sequences(3, 2, rng=seeding.rng(0)), replay.to_file()[1])
    kept = copy.deepcopy(read)
    for _ in range(10):
        oracle.step(replay, [False], [False])
    assert same(read, kept)


def test_episodes_are_those_whose_beginning_is_stored():
    replay, oracle = Replay(BOX, DISCRETE, num_envs=2, capacity=10), Oracle(2)
    for t in range(9):
        oracle.step(replay, [t == 3, t in (0, 6)], [t == 7, False])
    episodes = list(replay.episodes())
    assert [len(episode.reward) for episode in episodes] == [4, 1, 2]  # of nine steps of each, five are kept
    wanted = [[e for e in oracle.episodes if e[0] == stream][i] for stream, i in ((0, 1), (0, 2), (1, 2))]
    for episode, (_, first, steps) in zip(episodes, wanted, strict=True):
        columns = [list(column) for column in zip(*steps, strict=True)]
        assert episode.obs[:, 0].tolist() == [first, *columns[-1]]
        got = (episode.action, episode.reward, episode.terminated, episode.truncated)
        assert [column.tolist() for column in got] == columns[:-1]


def test_whole_episodes_are_added_like_their_steps():
    space = SPACES["nested"]
    space.seed(0)
    whole, stepwise = Replay(space, DISCRETE), Replay(space, DISCRETE)
    for length, terminated in ((3, True), (1, False), (2, True)):
        obs = [space.sample() for _ in range(length + 1)]
        action, reward = np.arange(length), np.ones(length, np.float32)
        whole.add_episode(batch_of(space, obs), action, reward, terminated=terminated)
        for t in range(length):
            flag = np.array([t == length - 1])
            here, after = (batch_of(space, [each]) for each in obs[t : t + 2])
            stepwise.add(here, action[[t]], reward[[t]], flag & terminated, flag & (not terminated), after)
    assert same(whole.to_file(), stepwise.to_file())


def test_a_whole_episode_cuts_the_running_one():
    replay, oracle = Replay(BOX, DISCRETE), Oracle(1)
    oracle.step(replay, [False], [False])
    replay.add_episode(np.zeros((3, 1)), np.zeros(2, int), np.zeros(2), terminated=True)
    assert replay.transitions().truncated.tolist() == [True, False, False]


def test_an_episode_that_is_none_is_refused():
    replay, obs = Replay(BOX, DISCRETE), np.zeros((4, 1))
    with pytest.raises(ValueError, match=r"observation must have shape \(3, 1\), got \(4, 1\)"):
        replay.add_episode(obs, np.zeros(2, int), np.zeros(2), terminated=True)
    with pytest.raises(ValueError, match="an episode must have at least one step"):
        replay.add_episode(obs[:1], np.zeros(0, int), np.zeros(0), terminated=True)
    with pytest.raises(NonFiniteError, match="Made-v0 gave a reward that is NaN"):
        Replay(BOX, DISCRETE, env_id="Made-v0").add_episode(obs[:2], np.zeros(1, int), [np.nan], terminated=True)
    with pytest.raises(ValueError, match="a replay of one environment, not of 2"):
        Replay(BOX, DISCRETE, num_envs=2).add_episode(obs, np.zeros(3, int), np.zeros(3), terminated=True)
    assert len(replay) == replay.num_steps == 0


@pytest.mark.parametrize("num_envs", [1, 3])
def test_the_bytes_that_are_needed_are_known_beforehand(num_envs):
    space, action_space = SPACES["image"], SPACES["multi-discrete"]
    replay = Replay(space, action_space, num_envs=num_envs)
    step = [batch_of(each, [each.sample()] * num_envs) for each in (space, action_space)]
    for t in range(40):
        ends = np.full(num_envs, t % 10 == 9)
        replay.add(*step, np.zeros(num_envs), ends, np.zeros(num_envs, bool), step[0])
    assert len(replay) == 40 * num_envs
    rows = sum(tensor.nbytes for tensor in replay.to_file()[1].values())
    index = 8 * len(replay)
    needed = Replay.bytes_needed(space, action_space, len(replay), num_envs, episodes=4 * num_envs)
    assert needed - num_envs * rows // (44 * num_envs) == rows + index  # one row more for episodes that are running
    assert Replay.bytes_needed(space, action_space, 1_000_000) == pytest.approx(1e6 * (60 + 8 + 7 + 8), rel=1e-5)


def test_discrete_values_count_from_0_as_tensors():
    replay = Replay(spaces.Discrete(3, start=5), spaces.Discrete(2, start=-1))
    replay.add(np.array([5]), np.array([-1]), np.zeros(1), np.array([True]), np.array([False]), np.array([7]))
    assert replay.transitions().action.tolist() == [-1]
    tensors = replay.tensors()
    assert (tensors.obs.tolist(), tensors.action.tolist(), tensors.next_obs.tolist()) == ([0], [0], [2])
    assert tensors.reward.dtype == torch.float32
