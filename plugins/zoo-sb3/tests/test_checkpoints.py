"""SB3's replay buffers in checkpoints: every kind goes on as if nothing had happened, and only new rows are written."""

import numpy as np
import pytest
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.envs import BitFlippingEnv
from stable_baselines3.common.noise import OrnsteinUhlenbeckActionNoise
from stable_baselines3.common.vec_env import VecNormalize

import zoo_core
from zoo_core import CheckpointError
from zoo_core.acting import as_vec_env
from zoo_core.checkpoint import Checkpoints
from zoo_core.testing import check_resume
from zoo_sb3.agent import DQNAgent, SACAgent, TD3Agent
from zoo_sb3.buffer import BufferRecording

SMALL = {"learning_starts": 20, "batch_size": 16, "buffer_size": 80, "policy_kwargs": {"net_arch": [16]}}
NOISE = OrnsteinUhlenbeckActionNoise(np.zeros(1), np.full(1, 0.3))
NO_TIMEOUTS = {"handle_timeout_termination": False}


@pytest.mark.parametrize(
    ("agent_class", "env", "arguments"),
    [
        (SACAgent, "Pendulum-v1", {"n_steps": 3}),
        (SACAgent, "Pendulum-v1", {"use_sde": True}),
        (TD3Agent, "Pendulum-v1", {"action_noise": NOISE}),
        (TD3Agent, "Pendulum-v1", {"optimize_memory_usage": True, "replay_buffer_kwargs": NO_TIMEOUTS}),
        (DQNAgent, lambda: BitFlippingEnv(4), {"replay_buffer_class": "HerReplayBuffer"}),
        (DQNAgent, lambda: as_vec_env("CartPole-v1", num_envs=2), {"buffer_size": 81}),
        (SACAgent, lambda: VecNormalize(as_vec_env("Pendulum-v1")), {"buffer_size": 1_000}),
    ],
    ids=["n-step", "sde", "noise", "memory", "hindsight", "two envs", "normalised"],
)
def test_a_stopped_run_goes_on_byte_for_byte(agent_class, env, arguments):
    config = {agent_class.algorithm: {**SMALL, **arguments}}

    def make(_, config, seed):
        return agent_class(env() if callable(env) else env, config, seed=seed)

    check_resume(make, "", config, steps=60)


def test_schedules_go_on_where_learning_began_after_other_learning(tmp_path):
    config = {"dqn": {**SMALL, "exploration_fraction": 0.9}}

    def more(agent, name, **arguments):
        checkpoints = Checkpoints(tmp_path / name, every=60, resume=True)
        return agent.learn(150, reset_num_timesteps=False, checkpoints=checkpoints, **arguments)

    first, second = (DQNAgent("CartPole-v1", config, seed=0).learn(40) for _ in range(2))
    more(first, "whole")
    more(second, "stopped", callback=lambda *_: second.num_timesteps < 150)
    resumed = more(DQNAgent("CartPole-v1", config, seed=0), "stopped")
    assert resumed.learner.algorithm.exploration_rate == first.learner.algorithm.exploration_rate
    assert resumed.save(tmp_path / "one").read_bytes() == first.save(tmp_path / "two").read_bytes()


def make_buffer(size=10):
    env = as_vec_env("Pendulum-v1")
    return ReplayBuffer(size, env.observation_space, env.action_space)


def add(buffer, *values, done=False):
    for value in values:
        obs = np.full((1, 3), value, np.float32)
        buffer.add(obs, obs, np.zeros((1, 1)), np.full(1, value), np.full(1, done), [{}])


def rewards(buffer):
    return buffer.rewards[:, 0].tolist()


def test_segments_put_the_rows_back_where_they_were():
    count = iter(range(100))
    added = 0
    buffer = make_buffer(5)
    recording = BufferRecording(buffer, lambda: added)
    segments, mark = [], None
    for num in (3, 4, 2):
        add(buffer, *(next(count) for _ in range(num)))
        added += num
        segments.append(recording.since(mark))
        mark = recording.mark()
    again = make_buffer(5)
    BufferRecording(again, lambda: added).restore(segments)
    assert rewards(again) == rewards(buffer) == [5.0, 6.0, 7.0, 8.0, 4.0]
    assert (again.pos, again.full) == (buffer.pos, buffer.full) == (4, True)
    assert [recording.needs(description) for description, _ in segments] == [False, True, True]


def test_a_segment_has_no_more_than_the_buffer_keeps():
    buffer, added = make_buffer(5), 0
    recording = BufferRecording(buffer, lambda: added)
    mark = recording.mark()
    add(buffer, *range(12))
    added = 12
    assert recording.since(mark)[1]["rewards"][:, 0].tolist() == [7.0, 8.0, 9.0, 10.0, 11.0]


def test_a_cut_bootstraps_and_ends_the_episode():
    buffer = make_buffer()
    add(buffer, 1.0, 2.0)
    BufferRecording(buffer, lambda: 2).cut()
    assert buffer.dones[:2, 0].tolist() == [0.0, 1.0]
    assert buffer.timeouts[:2, 0].tolist() == [0.0, 1.0]


def test_an_episode_that_has_ended_is_not_cut():
    buffer = make_buffer()
    add(buffer, 1.0, done=True)
    BufferRecording(buffer, lambda: 1).cut()
    assert (buffer.dones[0, 0], buffer.timeouts[0, 0]) == (1.0, 0.0)


def test_a_buffer_in_hindsight_forgets_what_it_held_before_it_was_restored():
    def learned(steps):
        config = {"dqn": {**SMALL, "replay_buffer_class": "HerReplayBuffer"}}
        agent = DQNAgent(BitFlippingEnv(4), config, seed=0).learn(steps)
        recording = agent.recordings["replay_buffer"]
        recording.cut()
        return recording, agent.learner.algorithm.replay_buffer

    (short, _), (long, buffer) = learned(30), learned(60)
    long.restore([short.since(None)])
    assert np.flatnonzero(buffer.ep_length[:, 0]).max() == buffer.pos - 1


def test_a_buffer_of_another_class_is_refused():
    class Own(ReplayBuffer):
        pass

    env = as_vec_env("Pendulum-v1")
    recording = BufferRecording(Own(10, env.observation_space, env.action_space), lambda: 0)
    with pytest.raises(CheckpointError, match=r"checkpoints store the replay buffers ReplayBuffer, .*, got Own"):
        recording.since(None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d, t: t.pop("actions"), "no actions that fits"),
        (lambda d, t: t.update(rewards=t["rewards"].double()), "no rewards that fits"),
        (lambda d, t: d.update(rows=10**12), "has room for 10"),
        (lambda d, t: d.update(pos=-1), "has room for 10"),
    ],
)
def test_a_damaged_segment_is_refused(change, message):
    buffer = make_buffer()
    add(buffer, 1.0, 2.0)
    description, tensors = BufferRecording(buffer, lambda: 2).since(None)
    change(description, tensors)
    with pytest.raises(CheckpointError, match=message):
        BufferRecording(make_buffer(), lambda: 2).restore([(description, tensors)])


def test_the_buffer_is_saved_if_it_is_asked_for(tmp_path):
    agent = zoo_core.make_agent("sac", "Pendulum-v1", {"sac": SMALL}, seed=0).learn(60)
    without, with_it = agent.save(tmp_path / "a"), agent.save(tmp_path / "b", include=["replay_buffer"])
    for path, size in ((without, 0), (with_it, 60)):
        loaded = zoo_core.load(path, env="Pendulum-v1")
        assert loaded.learner.algorithm.replay_buffer.size() == size


@pytest.mark.parametrize(
    ("agent_class", "env", "arguments"),
    [
        (SACAgent, "Pendulum-v1", {"buffer_size": 1_000}),
        (TD3Agent, "Pendulum-v1", {"optimize_memory_usage": True, "replay_buffer_kwargs": NO_TIMEOUTS}),
        (DQNAgent, "CartPole-v1", {"buffer_size": 101}),
        (DQNAgent, "Taxi-v4", {}),
    ],
)
def test_the_size_of_the_buffer_is_known_before_it_is_made(agent_class, env, arguments):
    config = {agent_class.algorithm: {**SMALL, **arguments}}
    agent = agent_class(as_vec_env(env, num_envs=2), config, seed=0)
    buffer = agent.learner.algorithm.replay_buffer
    arrays = {**vars(buffer)}.values()
    made = sum(array.nbytes for array in arrays if isinstance(array, np.ndarray) and array.size)
    spaces = agent.observation_space, agent.action_space
    assert agent_class.replay_bytes(*spaces, agent.config, num_envs=2, total_timesteps=10) == made


def test_an_algorithm_without_a_replay_needs_no_room_for_one():
    agent = zoo_core.make_agent("ppo", "Pendulum-v1", seed=0)
    spaces = agent.observation_space, agent.action_space
    assert agent.replay_bytes(*spaces, agent.config, num_envs=1, total_timesteps=10) == 0
