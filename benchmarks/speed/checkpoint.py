"""A full checkpoint of a run with 1,000,000 stored 64×64 frames after 10,000 new ones, beside a file of as many bytes.

Replays grow in segments, so the checkpoint writes networks, optimisers and the new frames, and not the old ones.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3.common.torch_layers import NatureCNN
from stable_baselines3.common.vec_env import DummyVecEnv

from benchmarks.results import Bar, Condition, Control, Run
from benchmarks.speed.case import Measured
from zoo_core import Agent, Replay, packing
from zoo_core.checkpoint import Checkpoints

STORED, NEW, NUM_ENVS = 1_000_000, 10_000, 100
FRAME = gym.spaces.Box(0, 255, (1, 64, 64), np.uint8)
FRAMES_BYTES = NEW * int(np.prod(FRAME.shape))
ACTION = gym.spaces.Discrete(4)
ROUNDS = 5
BAR = Bar((Condition("segment_over_new_frames", "<=", 1.05),))  # the old frames, a hundred times as many, stay


class _Screen(gym.Env[Any, Any]):
    observation_space, action_space = FRAME, ACTION

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        return np.zeros(FRAME.shape, np.uint8), {}


class _Recorder(Agent):
    """An agent of the parts that matter for the size of a checkpoint: a replay, a network for frames, its optimiser."""

    def __init__(self, replay: Replay) -> None:
        super().__init__(DummyVecEnv([_Screen] * NUM_ENVS), seed=0, device="cpu")
        self.replay = replay
        self.network = NatureCNN(FRAME)
        self.optimizer = torch.optim.Adam(self.network.parameters())
        self.network(torch.zeros(1, 1, 64, 64)).sum().backward()
        self.optimizer.step()

    def begin_episodes(self) -> None:
        self.env.reset()

    def iterate(self) -> dict[str, float]:
        raise NotImplementedError

    def predict(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    def to_file(self) -> Any:
        return packing.pack({"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()})

    def load_file(self, data: Any, tensors: Any) -> None:
        pass

    @property
    def recordings(self) -> Any:
        return {"replay": self.replay}


def measure() -> Measured:
    replay = Replay(FRAME, ACTION, num_envs=NUM_ENVS)
    agent = _Recorder(replay)
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = Checkpoints(Path(folder) / "checkpoints", every=NEW)
        checkpoints.begin(agent)
        _store(replay, STORED)
        agent.env.num_ended += 1
        begun = time.perf_counter()
        checkpoints.take(agent, _progress(replay))
        everything_s = time.perf_counter() - begun
        seconds, floors, sizes, segments = [], [], [], []
        for _ in range(ROUNDS):
            _store(replay, NEW)
            agent.env.num_ended += 1  # as episodes would; without one, a checkpoint warns
            before = set(checkpoints.directory.iterdir())
            begun = time.perf_counter()
            checkpoints.take(agent, _progress(replay))
            seconds.append(time.perf_counter() - begun)
            written = {path: path.stat().st_size for path in set(checkpoints.directory.iterdir()) - before}
            sizes.append(sum(written.values()))
            segments.append(sum(size for path, size in written.items() if path.name.startswith("segment")))
            floors.append(_write_plain(Path(folder) / "plain", sizes[-1]))
    figures = {
        "checkpoint_s": min(seconds),
        "megabytes": max(sizes) / 1e6,
        "segment_over_new_frames": max(segments) / FRAMES_BYTES,
        "time_over_plain_write": min(seconds) / min(floors),
        "all_frames_s": everything_s,
    }
    return Measured(
        BAR,
        [Run(seed=0, score=figures["checkpoint_s"], figures=figures)],
        [Control("plain write of as many bytes", score=min(floors), note="seconds, synced to the disk")],
    )


def _store(replay: Replay, steps: int) -> None:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (2, NUM_ENVS, *FRAME.shape), dtype=np.uint8)
    none, zeros = np.zeros(NUM_ENVS, bool), np.zeros(NUM_ENVS, np.int64)
    for step in range(steps // NUM_ENVS):
        replay.add(frames[step % 2], zeros, zeros.astype(np.float32), none, none, frames[(step + 1) % 2])


def _progress(replay: Replay) -> dict[str, Any]:
    return {"options": {}, "num_timesteps": len(replay)}


def _write_plain(path: Path, num_bytes: int) -> float:
    data = np.random.default_rng(0).bytes(num_bytes)
    begun = time.perf_counter()
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return time.perf_counter() - begun
