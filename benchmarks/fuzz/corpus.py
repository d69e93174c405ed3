"""The files that are mutated: small agents and models of each kind, as `save` writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import zoo_core

ENV_ID = "Pendulum-v1"
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
}
_MODELS = {"mlp": _NETWORK, "ensemble": {**_NETWORK, "num_members": 2, "num_elites": 2}}


def write_corpus(directory: Path) -> None:
    """Writes one file of each agent and model, `agent-ppo.zip` and so on; the same bytes every time."""
    for name, config in _AGENTS.items():
        agent = zoo_core.make_agent(name, ENV_ID, config, seed=0).learn(16)
        agent.save(directory / f"agent-{name}.zip")
    replay = zoo_core.Replay.collect(ENV_ID, 24, seed=0)
    for name, config in _MODELS.items():
        model = zoo_core.make_model(name, replay.observation_space, replay.action_space, config, seed=0)
        model.fit(replay, rng=zoo_core.rng(0))
        model.save(directory / f"model-{name}.zip")


def read_corpus(directory: Path) -> dict[str, bytes]:
    """Returns what `write_corpus` wrote, by name without ".zip"."""
    return {path.stem: path.read_bytes() for path in sorted(directory.glob("*.zip"))}
