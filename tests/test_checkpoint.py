"""Checkpoints: a run that was stopped and goes on ends as one that never was; and files that are damaged or full."""

import csv
import errno
import os
import random
import shutil

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.wrappers import NormalizeObservation, NormalizeReward
from stable_baselines3.common.logger import configure
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecNormalize

import zoo_core
from benchmarks import soak
from zoo_core import Agent, CheckpointError, Replay, ZooError, archive, env_state, rundir
from zoo_core.acting import Collector, RandomPolicy
from zoo_core.checkpoint import Checkpoints

STEPS, EVERY = 150, 30


class OldMaze(gym.Env):
    """Shows its age in steps over its whole life: what a reset does not undo."""

    observation_space = spaces.Box(0.0, np.inf, (2,), np.float32)
    action_space = spaces.Discrete(2)

    def __init__(self):
        self.age, self.place = 0, 0.0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place = self.np_random.random()
        return self._obs(), {}

    def step(self, action):
        self.age += 1
        self.place += float(action)
        return self._obs(), float(self.age % 7), False, self.place > 9, {}

    def get_state(self):
        return {"age": np.int64(self.age), "walls": np.full(3, self.age)}

    def set_state(self, state):
        self.age = int(state["walls"].astype(float).mean())

    def _obs(self):
        return np.array([self.age, self.place], dtype=np.float32)


class Gatherer(Agent):
    """Acts at random, stores what happens, and learns the sum of all it saw."""

    def __init__(self, env, config=None, **kwargs):
        super().__init__(env, config, **kwargs)
        self.total = torch.zeros(self.observation_space.shape)
        self.replay = Replay(self.observation_space, self.action_space, num_envs=self.env.num_envs, capacity=80)
        self.collector = Collector(self.env, self.replay)
        self.policy = RandomPolicy(self.action_space, seed=self.seed)

    def begin_episodes(self):
        self.collector.restart()

    def iterate(self):
        self.collector.collect(self.policy, 10, callback=lambda made: not self.env.stop)
        self.total += torch.from_numpy(self.replay.transitions().obs.sum(0))
        return {"total": float(self.total.sum())}

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        return np.zeros(len(observation), dtype=np.int64), state

    def to_file(self):
        return {}, {"total": self.total}

    def load_file(self, data, tensors):
        self.total = tensors["total"]

    def to_checkpoint(self):
        return self.policy.to_checkpoint()

    def load_checkpoint(self, state):
        self.policy.load_checkpoint(state)

    @property
    def recordings(self):
        return {"replay": self.replay}


def vec_env(num_envs=2):
    return DummyVecEnv([OldMaze] * num_envs)


def gather(directory, *, stop_at=None, resume=False, env=None, seed=0, steps=STEPS, every=EVERY, **options):
    agent = Gatherer(vec_env() if env is None else env, seed=seed)
    go_on = None if stop_at is None else lambda *_: agent.num_timesteps < stop_at
    agent.learn(steps, callback=go_on, checkpoints=Checkpoints(directory, every=every, resume=resume, **options))
    return agent


def stop_early(agent, steps, checkpoints):
    agent.learn(steps, callback=lambda *_: agent.num_timesteps < steps - 1, checkpoints=checkpoints)


def outcome(agent, path):
    return agent.save(path).read_bytes()


@pytest.fixture
def whole(tmp_path):
    """The bytes of an agent that was never stopped."""
    return outcome(gather(tmp_path / "whole"), tmp_path / "whole-agent")


@pytest.fixture
def stopped(tmp_path):
    """The directory of a run that was stopped at step 100 of 150, after its checkpoints at 30, 60 and 90."""
    gather(tmp_path / "run", stop_at=100)
    return tmp_path / "run"


def names(directory, pattern="*"):
    return sorted(path.name for path in directory.glob(pattern))


# -- going on ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop_at", [20, 30, 32, 58, 100])
def test_a_run_that_goes_on_ends_as_one_that_was_never_stopped(whole, tmp_path, stop_at):
    gather(tmp_path / "run", stop_at=stop_at)
    assert outcome(gather(tmp_path / "run", resume=True), tmp_path / "agent") == whole
    assert [p.read_bytes() for p in sorted((tmp_path / "run").iterdir())] == [
        p.read_bytes() for p in sorted((tmp_path / "whole").iterdir())
    ]


def test_a_run_may_be_stopped_again_and_again(whole, tmp_path):
    for stop_at in (40, 50, 64, 66, 110):
        gather(tmp_path / "run", stop_at=stop_at, resume=True)
    assert outcome(gather(tmp_path / "run", resume=True), tmp_path / "agent") == whole


def test_a_killed_process_goes_on_where_its_last_checkpoint_stood(tmp_path):
    """One SIGKILL at a random moment; `make soak` has a hundred."""
    seed = random.SystemRandom().randrange(2**31)
    print(f"seed {seed}")
    case, tally = soak.Case("sac", "Pendulum-v1", soak.CASES["sac"].config, steps=120, every=20), soak.Tally()
    soak.train(case, tmp_path / "whole")
    rng = random.Random(seed)
    soak.kill_until_done(case, tmp_path / "killed", seconds=1.0, rng=rng, tally=tally, kills=1)
    assert tally.kills == 1
    assert soak.fingerprint(tmp_path / "killed") == soak.fingerprint(tmp_path / "whole")


def test_a_run_without_a_checkpoint_yet_begins(whole, tmp_path):
    assert outcome(gather(tmp_path / "run", resume=True), tmp_path / "agent") == whole


def test_episodes_are_cut_at_a_checkpoint_and_left_out_of_the_statistics(tmp_path):
    env = zoo_core.make_env("CartPole-v1")
    agent = zoo_core.make_agent("random", env, seed=0)
    agent.learn(100, checkpoints=Checkpoints(tmp_path, every=100))
    agent = zoo_core.make_agent("random", "CartPole-v1", seed=0)
    agent.learn(400, checkpoints=Checkpoints(tmp_path / "more", every=100))
    assert sum(episode["l"] for episode in agent.env.episodes) < 400 - 3  # three cuts, each in mid-episode


def test_the_statistics_of_episodes_go_on(tmp_path):
    def learn(name, callback=None, resume=False):
        agent = zoo_core.make_agent("random", "CartPole-v1", seed=0)
        checkpoints = Checkpoints(tmp_path / name, every=100, resume=resume)
        agent.learn(300, callback=None if callback is None else lambda *_: callback(agent), checkpoints=checkpoints)
        return [(episode["r"], episode["l"]) for episode in agent.env.episodes]

    whole = learn("whole")
    learn("stopped", callback=lambda agent: agent.num_timesteps < 250)
    assert learn("stopped", resume=True) == whole


def test_what_was_to_be_logged_is_logged_before_a_checkpoint(tmp_path):
    agent = Gatherer(vec_env(), seed=0)
    agent.set_logger(configure(str(tmp_path), ["csv"]))
    agent.learn(100, log_interval=1_000, checkpoints=Checkpoints(tmp_path / "checkpoints", every=40))
    agent.logger.close()
    with (tmp_path / "progress.csv").open(newline="") as file:
        assert [row["time/total_timesteps"] for row in csv.DictReader(file)] == ["40", "80", "100"]


def test_cut_episodes_are_stored_as_truncated(stopped):
    agent = gather(stopped, stop_at=92, resume=True)
    steps = agent.replay.transitions()
    last_before = np.flatnonzero(steps.obs[:, 0] == 45 - 1)  # the age of each maze at the checkpoint of step 90
    assert steps.truncated[last_before].all()
    assert not steps.terminated.any()


def test_what_outlives_an_episode_goes_on_too(stopped):
    agent = gather(stopped, stop_at=92, resume=True)
    assert agent.get_env().get_attr("age") == [46, 46]


def test_the_statistics_of_a_normalised_environment_go_on(tmp_path):
    def normalised():
        return VecNormalize(vec_env(), gamma=0.9)

    first = gather(tmp_path / "a", env=normalised())
    gather(tmp_path / "b", env=normalised(), stop_at=70)
    second = gather(tmp_path / "b", env=normalised(), resume=True)
    assert outcome(first, tmp_path / "first") == outcome(second, tmp_path / "second")
    one, two = (agent.get_vec_normalize_env() for agent in (first, second))
    assert (one.obs_rms.mean == two.obs_rms.mean).all()
    assert one.ret_rms.var == two.ret_rms.var
    assert one.obs_rms.count == two.obs_rms.count > STEPS


def test_each_checkpoint_begins_other_episodes(tmp_path):
    agent = gather(tmp_path)
    steps = agent.replay.transitions()
    firsts = agent.replay.first_observations()[:, 1]
    assert len(steps.reward) == 80
    assert len(set(firsts.tolist())) == len(firsts)


def test_an_environment_without_a_state_has_none():
    env = DummyVecEnv([lambda: gym.make("CartPole-v1")])
    assert env_state.read(env) == {}
    env_state.write(env, {})


def test_learning_can_begin_after_other_learning(tmp_path):
    agent = Gatherer(vec_env(), seed=0).learn(40)
    agent.learn(STEPS, reset_num_timesteps=False, checkpoints=Checkpoints(tmp_path / "a", every=EVERY))
    assert agent.num_timesteps == 190
    other = Gatherer(vec_env(), seed=0).learn(40)
    other.learn(
        STEPS,
        reset_num_timesteps=False,
        callback=lambda *_: other.num_timesteps < 130,
        checkpoints=Checkpoints(tmp_path / "b", every=EVERY),
    )
    resumed = Gatherer(vec_env(), seed=0)
    resumed.learn(STEPS, checkpoints=Checkpoints(tmp_path / "b", every=EVERY, resume=True))
    assert resumed.num_timesteps == 190
    assert outcome(resumed, tmp_path / "b-agent") == outcome(agent, tmp_path / "a-agent")


# -- files -------------------------------------------------------------------------------------------------------------


def test_the_two_newest_are_kept(stopped):
    assert names(stopped, "checkpoint-*") == ["checkpoint-000002.zip", "checkpoint-000003.zip"]


def test_only_what_is_new_is_written(tmp_path):
    gather(tmp_path, stop_at=70)
    first = (tmp_path / "segment-replay-000001.zip").stat()
    gather(tmp_path, stop_at=100, resume=True)
    assert (tmp_path / "segment-replay-000001.zip").stat().st_mtime_ns == first.st_mtime_ns
    before, last = (archive.read_archive(tmp_path / f"segment-replay-00000{i}.zip", kind="segment") for i in (2, 3))
    assert last[0]["segment"]["begin"] == before[0]["segment"]["end"]
    rows = last[1]
    assert len(rows["reward"]) - int((rows["terminated"] | rows["truncated"]).sum()) == EVERY  # finals are no steps


def test_segments_that_no_kept_checkpoint_needs_are_removed(tmp_path):
    gather(tmp_path, steps=400)
    kept = names(tmp_path, "segment-*")
    assert "segment-replay-000001.zip" not in kept
    assert len(kept) == 4  # 80 steps kept are three segments, and the checkpoint before the last needs one more


def test_what_a_killed_write_left_is_removed(stopped):
    (stopped / ".checkpoint-000004.zip.x1y2").write_bytes(b"half")
    (stopped / ".finished.json.x1y2").write_bytes(b"half")
    gather(stopped, resume=True)
    assert not list(stopped.glob(".*"))


def test_an_agent_to_look_at_lies_beside(tmp_path):
    gather(tmp_path / "checkpoints", stop_at=100, portable=tmp_path / "agent.zip")
    loaded = Gatherer.load(tmp_path / "agent.zip")
    assert loaded.num_timesteps == 90
    assert len(loaded.replay) == 0
    assert float(loaded.total.sum()) > 0


def test_an_agent_to_look_at_is_brought_up_to_date_when_a_run_goes_on(tmp_path):
    """A kill may hit between the checkpoint and the agent beside it."""
    portable = tmp_path / "agent.zip"
    gather(tmp_path / "checkpoints", stop_at=100, portable=portable)
    newest = portable.read_bytes()
    portable.unlink()
    (tmp_path / ".agent.zip.x1y2").write_bytes(b"half")
    gather(tmp_path / "checkpoints", stop_at=92, resume=True, portable=portable)
    assert portable.read_bytes() == newest
    assert not list(tmp_path.glob(".*"))


def test_a_damaged_checkpoint_gives_way_to_the_one_before(stopped, whole, tmp_path):
    newest = stopped / "checkpoint-000003.zip"
    newest.write_bytes(newest.read_bytes()[:-20])
    with pytest.warns(UserWarning, match=r"going on from checkpoint-000002.zip, since .*checkpoint-000003.zip"):
        agent = gather(stopped, resume=True)
    assert outcome(agent, tmp_path / "agent") == whole


def test_a_checkpoint_whose_segment_is_missing_gives_way_too(stopped, whole, tmp_path):
    (stopped / "segment-replay-000003.zip").unlink()
    with pytest.warns(UserWarning, match="going on from checkpoint-000002.zip"):
        agent = gather(stopped, resume=True)
    assert outcome(agent, tmp_path / "agent") == whole


def test_if_none_can_be_read_all_are_named(stopped):
    for path in stopped.glob("checkpoint-*"):
        path.write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match=r"no checkpoint in .* can be read: .*000003.zip.*000002.zip"):
        gather(stopped, resume=True)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES], ids=["disk full", "no permission"])
@pytest.mark.parametrize("file", ["segment-replay", "checkpoint"])
def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(stopped, whole, tmp_path, monkeypatch, code, file):
    replace = os.replace

    def fail(source, target):
        if file in os.path.basename(target):
            raise OSError(code, os.strerror(code))
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(ZooError, match=f"(?i)cannot write .*{os.strerror(code)}"):
        gather(stopped, resume=True)
    monkeypatch.undo()
    if file == "checkpoint":
        assert names(stopped, "checkpoint-*")[-1] == "checkpoint-000003.zip"
    assert outcome(gather(stopped, resume=True), tmp_path / "agent") == whole


# -- what may not change -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 1}, "seed was 0 and is 1 now"),
        ({"steps": 200}, "total_timesteps was 150 and is 200 now"),
        ({"every": 40}, "checkpoint_every was 30 and is 40 now"),
        ({"env": vec_env(3)}, "num_envs was 2 and is 3 now"),
    ],
    ids=["seed", "steps", "every", "num_envs"],
)
def test_options_that_differ_are_named_with_both_values(stopped, change, message):
    before = names(stopped)
    with pytest.raises(CheckpointError, match=f"cannot go on with other options: .*{message}"):
        gather(stopped, resume=True, **change)
    assert names(stopped) == before


def test_the_checkpoints_of_another_agent_are_refused(tmp_path):
    checkpoints = {"every": 100, "directory": tmp_path}
    stop_early(zoo_core.make_agent("random", "CartPole-v1", seed=0), 300, Checkpoints(**checkpoints))
    agent = zoo_core.make_agent("ppo", "CartPole-v1", {"ppo.n_steps": 64}, seed=0)
    with pytest.raises(CheckpointError, match=r"agent was 'zoo_random.agent:RandomAgent' and is 'zoo_sb3.agent:PPO"):
        agent.learn(300, checkpoints=Checkpoints(**checkpoints, resume=True))


def test_a_config_that_differs_is_named_by_its_fields(tmp_path):
    config = {"ppo.n_steps": 64}
    stop_early(zoo_core.make_agent("ppo", "CartPole-v1", config, seed=0), 128, Checkpoints(tmp_path, every=64))
    agent = zoo_core.make_agent("ppo", "CartPole-v1", {**config, "ppo.gamma": 0.5}, seed=0)
    with pytest.raises(CheckpointError, match=r"config.ppo.gamma was not set and is 0.5 now"):
        agent.learn(128, checkpoints=Checkpoints(tmp_path, every=64, resume=True))


def test_a_directory_in_use_is_refused(stopped):
    with pytest.raises(CheckpointError, match=r"holds checkpoints already, the newest is checkpoint-000003.zip"):
        gather(stopped)


def test_a_finished_run_is_refused(tmp_path):
    agent = gather(tmp_path)
    for resume in (True, False):
        with pytest.raises(CheckpointError, match="is finished: to learn on, load the agent that was saved at its end"):
            gather(tmp_path, resume=resume)
    with pytest.raises(CheckpointError, match="is finished"):  # no step of the first time is undone
        agent.learn(STEPS, reset_num_timesteps=False, checkpoints=Checkpoints(tmp_path, every=EVERY, resume=True))
    assert agent.num_timesteps == STEPS


def test_the_same_object_serves_a_new_run_in_an_empty_directory(tmp_path):
    checkpoints = Checkpoints(tmp_path / "run", every=EVERY)
    first = Gatherer(vec_env(), seed=0).learn(STEPS, checkpoints=checkpoints)
    shutil.rmtree(tmp_path / "run")
    second = Gatherer(vec_env(), seed=0).learn(STEPS, checkpoints=checkpoints)
    assert outcome(first, tmp_path / "first") == outcome(second, tmp_path / "second")
    assert "segment-replay-000001.zip" in names(tmp_path / "run")


def test_the_same_agent_may_go_on_in_its_process(tmp_path, whole):
    agent = gather(tmp_path / "run", stop_at=100)
    agent.env.episodes.extend([{"r": 1.0, "l": 1}])
    agent.learn(STEPS, checkpoints=Checkpoints(tmp_path / "run", every=EVERY, resume=True))
    assert outcome(agent, tmp_path / "agent") == whole
    assert not agent.env.episodes


def test_other_arguments_of_the_environment_are_named(tmp_path):
    env = zoo_core.make_env("Pendulum-v1", g=9.0)
    stop_early(zoo_core.make_agent("random", env, seed=0), 300, Checkpoints(tmp_path, every=100))
    agent = zoo_core.make_agent("random", zoo_core.make_env("Pendulum-v1", g=1.0), seed=0)
    with pytest.raises(CheckpointError, match=r"env_kwargs.g was '9.0' and is '1.0' now"):
        agent.learn(300, checkpoints=Checkpoints(tmp_path, every=100, resume=True))


def test_other_versions_are_warned_of(stopped, monkeypatch):
    monkeypatch.setattr(rundir, "versions", lambda *_: {"torch": "1.0"})
    with pytest.warns(UserWarning, match=r"the last bits may come out otherwise: .*torch was '2.* and is '1.0' now"):
        gather(stopped, resume=True)


@pytest.mark.filterwarnings("default:no episode ended")
def test_checkpoints_closer_than_an_episode_are_warned_of_once(tmp_path):
    agent = zoo_core.make_agent("random", "Pendulum-v1", seed=0)
    with pytest.warns(UserWarning, match="no episode ended in the 100 env steps before this checkpoint") as caught:
        agent.learn(500, checkpoints=Checkpoints(tmp_path, every=100))
    assert len(caught) == 1


@pytest.mark.parametrize("wrapper", [NormalizeObservation, NormalizeReward])
def test_wrappers_with_statistics_that_nobody_can_read_are_refused(tmp_path, wrapper):
    agent = zoo_core.make_agent("random", wrapper(zoo_core.make_env("Pendulum-v1")), seed=0)
    with pytest.raises(CheckpointError, match=f"{wrapper.__name__} has running statistics .* use .* VecNormalize"):
        agent.learn(300, checkpoints=Checkpoints(tmp_path, every=100))


def test_a_state_that_no_file_can_hold_is_refused_before_the_first_step(tmp_path, monkeypatch):
    monkeypatch.setattr(OldMaze, "get_state", lambda self: {"raw": b"bytes"})
    agent = Gatherer(vec_env(), seed=0)
    with pytest.raises(CheckpointError, match=r"no checkpoint can hold the state of Gatherer in .*: it is a bytes"):
        agent.learn(STEPS, checkpoints=Checkpoints(tmp_path, every=EVERY))
    assert agent.num_timesteps == 0


def test_files_of_other_names_are_left_alone(stopped, whole, tmp_path):
    (stopped / "checkpoint-000002 (copy).zip").write_bytes(b"")
    (stopped / "segment-replay-old.zip").write_bytes(b"")
    assert outcome(gather(stopped, resume=True), tmp_path / "agent") == whole
    assert (stopped / "segment-replay-old.zip").exists()


def test_environments_in_processes_of_their_own_go_on_too(tmp_path):
    def learn(name, **options):
        env = SubprocVecEnv([OldMaze] * 2, start_method="fork")
        agent = gather(tmp_path / name, env=env, **options)
        env.close()
        return outcome(agent, tmp_path / f"{name}-agent")

    expected = learn("whole")
    learn("stopped", stop_at=100)
    assert learn("stopped", resume=True) == expected


def test_every_must_be_positive(tmp_path):
    with pytest.raises(ValueError, match="every must be"):
        Checkpoints(tmp_path, every=0)
