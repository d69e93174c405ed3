"""The files that are mutated: small agents and models as `save` writes them, and what a run leaves to go on from."""

from __future__ import annotations

import contextlib
import warnings
from pathlib import Path
from typing import Any

from stable_baselines3.common.callbacks import BaseCallback

import zoo_core
from zoo_core.checkpoint import Checkpoints

_VECTORS, _PLACES = "Pendulum-v1", "FrozenLake-v1"  # what the agents and models below are made for
_NETWORK: dict[str, Any] = {"hidden": 4, "num_layers": 1, "termination_hidden": 4, "max_epochs": 1}
_SAC: dict[str, Any] = {"policy_kwargs": {"net_arch": [4]}, "buffer_size": 64, "learning_starts": 8, "batch_size": 4}
_AGENTS: dict[str, Any] = {
    "random": None,
    "ppo": {"ppo": {"policy_kwargs": {"net_arch": [4]}, "n_steps": 8, "batch_size": 8}},
    "sac": {"sac": _SAC},
    "dream-sac": {
        "model_config": {**_NETWORK, "num_members": 2, "num_elites": 2},
        "initial_steps": 12,
        "round_steps": 4,
        "dream_steps": 16,
        "num_dreams": 2,
        "sac": _SAC,
    },
    "mbpo": {
        "model_config": {**_NETWORK, "num_members": 2, "num_elites": 2},
        "initial_steps": 8,
        "model_interval": 4,
        "epoch_steps": 8,
        "rollouts_per_step": 2,
        "updates_per_step": 1,
        "sac": {"policy_kwargs": {"net_arch": [4]}, "batch_size": 4},
    },
    "pets": {
        "model_config": {**_NETWORK, "num_members": 2, "num_elites": 2},
        "planner_config": {"horizon": 2, "num_candidates": 4, "num_elites": 2, "iterations": 1},
        "initial_steps": 12,
        "trial_steps": 4,
    },
    "dyna-q": {"model": "lookup"},
    "prioritized-sweeping": None,
}
_RUNS = {
    "sac": (110, 50),
    "dream-sac": (24, 8),
    "mbpo": (24, 8),
}  # whose checkpoints are mutated: env steps, and those between two
_MODELS: dict[str, Any] = {
    "mlp": _NETWORK,
    "ensemble": {**_NETWORK, "num_members": 2, "num_elites": 2},
    "lookup": None,
    "linear": None,
    "parametric": None,
}
_IN_PLACES = ("dyna-q", "prioritized-sweeping", "lookup", "linear")


def write_corpus(directory: Path) -> None:
    """Writes one file of each agent and model, `agent-ppo.zip` and so on, and a directory of each run.

    That of a run holds one checkpoint, so that none is read in its place, and the segments of its replay.
    """
    for name, config in _AGENTS.items():
        agent = zoo_core.make_agent(name, _env_of(name), config, seed=0).learn(16)
        agent.save(directory / f"agent-{name}.zip")
    for name, config in _MODELS.items():
        replay = zoo_core.Replay.collect(_env_of(name), 24, seed=0)
        model = zoo_core.make_model(name, replay.observation_space, replay.action_space, config, seed=0)
        model.fit(replay, rng=zoo_core.rng(0))
        model.save(directory / f"model-{name}.zip")
    for name in _RUNS:
        _write_checkpoint(directory / name)


def read_corpus(directory: Path) -> dict[str, bytes]:
    """Returns what `write_corpus` wrote, by name without ".zip"; names in a run's directory begin with it: "sac/…"."""
    return {_name(path, directory): path.read_bytes() for path in sorted(directory.rglob("*.zip"))}


def resume(directory: Path) -> zoo_core.Agent:
    """Makes the agent of a run, named as the directory, and lets it go on from there until all files are read."""
    name = directory.name
    agent, (steps, every) = zoo_core.make_agent(name, _env_of(name), _AGENTS[name], seed=0), _RUNS[name]
    with contextlib.suppress(_AllIsReadError):
        agent.learn(steps, _StopAtTheStart(), checkpoints=Checkpoints(directory, every=every, resume=True))
    return agent


def _env_of(name: str) -> str:
    return _PLACES if name in _IN_PLACES else _VECTORS


def _write_checkpoint(directory: Path) -> None:
    name = directory.name
    agent, (steps, every) = zoo_core.make_agent(name, _env_of(name), _AGENTS[name], seed=0), _RUNS[name]
    checkpoints = Checkpoints(directory, every=every)
    with warnings.catch_warnings(action="ignore"):  # no episode is as short as the steps between two checkpoints
        agent.learn(steps, checkpoints=checkpoints)
    checkpoints.reopen()
    for older in checkpoints.find()[1:]:
        older.unlink()


class _AllIsReadError(Exception):
    """Ends a run that has been restored, before it goes on."""


class _StopAtTheStart(BaseCallback):
    def _on_training_start(self) -> None:
        raise _AllIsReadError

    def _on_step(self) -> bool:
        raise AssertionError("unreachable")


def _name(path: Path, directory: Path) -> str:
    return path.relative_to(directory).with_suffix("").as_posix()
