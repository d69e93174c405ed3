"""`zoo train --resume`: the options of a run that is to go on, and no silent change of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from zoo_core.cli.options import parse_env_kwargs
from zoo_core.config import config_from_json, config_to_json, differences, parse_settings
from zoo_core.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    from zoo_core.rundir import RunDirectory


def open_run(path: Path) -> RunDirectory:
    """Returns the run that can go on from its checkpoints.

    Raises:
        UnknownNameError: there is nothing at `path`.
        CheckpointError: it is no run of `zoo train`, is finished, or was told to write no checkpoints.
    """
    from zoo_core.rundir import RunDirectory

    run = RunDirectory.open(path)
    record = run.record
    if record.get("kind") != "train":
        raise CheckpointError(f"{path} is no run of `zoo train`: it has no run.json that says so")
    if record["status"] == "finished":
        raise CheckpointError(
            f"{path} is finished, with {record['num_timesteps']:,} of {record['steps']:,} steps; to learn on from "
            f"its end: zoo_core.load({str(path)!r}, env).learn(steps, reset_num_timesteps=False)"
        )
    if record["checkpoint_every"] is None:
        raise CheckpointError(f"{path} has nothing to go on from: it was begun without --checkpoint-every")
    return run


def check_same_options(context: typer.Context, record: Mapping[str, Any]) -> None:
    """Checks what the user says beside --resume against the record of the run.

    Raises:
        ConfigError: an option differs; the message has both values of each.
    """
    given = {
        name: value
        for name, value in context.params.items()
        if (source := context.get_parameter_source(name)) is not None and source.name == "COMMANDLINE"
    }
    was: dict[str, Any] = {
        "agent": record["agent"],
        "env": record["env"]["id"],
        "env_kwargs": record["env"]["kwargs"],
        "num_envs": record["env"]["num_envs"],
        **{
            name: record[name]
            for name in ("preset", "steps", "data", "seed", "checkpoint_every", "track", "eval_episodes")
        },
    }
    now = {name: value for name, value in given.items() if name in was}
    if "env_kwargs" in now:
        now["env_kwargs"] = parse_env_kwargs(now["env_kwargs"])
    changed = differences({name: was[name] for name in now}, now)
    if "settings" in given:
        changed += _changed_settings(record, given["settings"])
    if "out" in given:
        changed.append("--out names another directory, and --resume goes on in that of the run")
    if changed:
        raise ConfigError(f"a resumed run keeps its options: {'; '.join(changed)}")


def _changed_settings(record: Mapping[str, Any], settings: Sequence[str]) -> list[str]:
    """Returns what the settings would change in the config of the run."""
    from zoo_core.plugins import agent_spec, load_object

    config_class, changes = agent_spec(record["agent"]).config, parse_settings(settings)
    if config_class is None:
        raise ConfigError(f"agent {record['agent']!r} has no options, got {changes}")
    changed = config_from_json(load_object(config_class), record["config"], overrides=changes)
    return differences(record["config"], config_to_json(changed))
