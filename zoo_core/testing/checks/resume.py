"""The rule of checkpoints, as a check for authors of agents: a run that is resumed ends as one that never stopped."""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from zoo_core import packing
from zoo_core.agent import Agent
from zoo_core.checkpoint import Checkpoints
from zoo_core.testing.checks.expect import expect

Parts = dict[str, tuple[Any, dict[str, Tensor]]]


def check_resume(agent_class: Callable[..., Agent], env_id: str, config: Any, steps: int) -> None:
    """Checks that a run that is stopped, and goes on from its checkpoint, ends as one that never was, byte for byte.

    Args:
        agent_class: as of `check_agent`.
        env_id: of the environment to learn in.
        config: small enough for `steps` to hold at least one iteration.
        steps: env steps between checkpoints; each run makes three times as many.

    Raises:
        AssertionError: It ends otherwise; the message says in what.
    """
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="no episode ended")  # in so few steps
        directories = Path(folder) / "whole", Path(folder) / "stopped"
        whole, stopped, resumed = (agent_class(env_id, config, seed=0) for _ in range(3))
        whole.learn(3 * steps, checkpoints=Checkpoints(directories[0], every=steps))
        stopped.learn(
            3 * steps,
            callback=lambda *_: stopped.num_timesteps < 5 * steps // 2,
            checkpoints=Checkpoints(directories[1], every=steps),
        )
        expect(
            Checkpoints(directories[1], every=steps).find(),
            f"an iteration of the checked agent fits into {steps} env steps, so that a checkpoint can follow",
            f"none in {stopped.num_timesteps} env steps",
            "check a smaller config, or more steps",
        )
        resumed.learn(3 * steps, checkpoints=Checkpoints(directories[1], every=steps, resume=True))
    first, second = (_everything(each) for each in (whole, resumed))
    expect(
        first == second,
        "a run that is stopped and resumed from its checkpoint ends as one that never was, byte for byte",
        differing(first, second),
        "return every random stream in to_checkpoint, replays in recordings, and let begin_episodes reset self.env and "
        "forget all about running episodes",
    )


def saved(agent: Agent) -> dict[str, bytes]:
    """Returns all that `save` writes, as bytes by name."""
    parts: Parts = {"to_file": agent.to_file()}
    if agent.world_model is not None:
        parts["world_model"] = agent.world_model.to_file()
    kept = {name: each for name, each in agent.recordings.items() if name not in agent.left_out}
    return _as_bytes(parts | {name: recording.since(None) for name, recording in kept.items()})


def _everything(agent: Agent) -> dict[str, bytes]:
    """Returns all that a checkpoint holds, as bytes by name."""
    parts: Parts = {"to_checkpoint": packing.pack(agent.to_checkpoint())}
    return (
        saved(agent)
        | _as_bytes(parts)
        | _as_bytes({name: recording.since(None) for name, recording in agent.recordings.items()})
    )


def _as_bytes(parts: Parts) -> dict[str, bytes]:
    return {
        f"{part}/{name}": value
        for part, (data, tensors) in parts.items()
        for name, value in {
            "": json.dumps(data).encode(),
            **{name: tensor.detach().cpu().numpy().tobytes() for name, tensor in tensors.items()},
        }.items()
    }


def differing(first: dict[str, bytes], second: dict[str, bytes]) -> str:
    """Says which parts of what two agents saved are not the same."""
    names = sorted(name for name in {*first, *second} if first.get(name) != second.get(name))
    return f"{', '.join(names) or 'nothing'} differ{'' if len(names) > 1 else 's'}"
