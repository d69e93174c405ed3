"""`zoo train --resume`: the options of a run that is to go on, and no silent change of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any

import typer

from zoo_core.cli.options import check_device, parse_env_kwargs
from zoo_core.config import config_from_json, config_to_json, differences, parse_settings
from zoo_core.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    from zoo_core.rundir import RunDirectory

_ENTRIES: dict[str, tuple[type, ...]] = {  # of run.json, those inside its "env" by dotted names
    "status": (str,), "agent": (str,), "env": (dict,), "env.id": (str,), "env.kwargs": (dict,), "env.num_envs": (int,),
    "preset": (str, NoneType), "config": (dict,), "seed": (int,), "steps": (int,), "data": (str, NoneType),
    "checkpoint_every": (int, NoneType), "eval_episodes": (int,), "track": (str, NoneType), "device": (str,),
    "versions": (dict,),
}  # fmt: skip
_LATER_ENTRIES: dict[str, tuple[type, ...]] = {  # which a run gets on its way
    "num_timesteps": (int,), "resumed": (list,), "tracked_run": (str, NoneType),
}  # fmt: skip
_POSITIVE = ("env.num_envs", "checkpoint_every")
_WORDS = {str: "a text", int: "a whole number of at least {least}", dict: "an object", list: "a list", NoneType: "null"}


def open_run(path: Path) -> RunDirectory:
    """Returns the run that can go on from its checkpoints.

    Raises:
        UnknownNameError: there is nothing at `path`.
        CheckpointError: it is no run of `zoo train`, its record is not whole, it is finished, or was told to write no
            checkpoints.
        ConfigError: this machine does not have the device that it began on.
    """
    from zoo_core.rundir import RunDirectory

    run = RunDirectory.open(path)
    record = run.record
    if record.get("kind") != "train":
        raise CheckpointError(f"{path} is no run of `zoo train`: it has no run.json that says so")
    _check_entries(run.path / "run.json", record)
    if record["status"] == "finished":
        made = record.get("num_timesteps", record["steps"])
        raise CheckpointError(
            f"{path} is finished, with {made:,} of {record['steps']:,} steps; to learn on from its end: "
            f"zoo_core.load({str(path)!r}, env).learn(steps, reset_num_timesteps=False)"
        )
    if record["checkpoint_every"] is None:
        raise CheckpointError(f"{path} has nothing to go on from: it was begun without --checkpoint-every")
    check_device(record["device"])
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
            for name in ("preset", "steps", "data", "seed", "checkpoint_every", "track", "eval_episodes", "device")
        },
    }
    now = {name: value for name, value in given.items() if name in was}
    if "env_kwargs" in now:
        now["env_kwargs"] = parse_env_kwargs(now["env_kwargs"])
    if now.get("device") == "auto":
        from zoo_core.world_model import resolve_device

        now["device"] = str(resolve_device("auto"))
    changed = differences({name: was[name] for name in now}, now)
    if "settings" in given:
        changed += _changed_settings(record, given["settings"])
    if "out" in given:
        changed.append("--out names another directory, and --resume goes on in that of the run")
    if changed:
        raise ConfigError(f"a resumed run keeps its options: {'; '.join(changed)}")


def _check_entries(file: Path, record: Mapping[str, Any]) -> None:
    """Checks that a record has what its run needs to go on, each entry of its type.

    Raises:
        CheckpointError: an entry is missing, of another type, or out of range.
    """
    env = record.get("env")
    inner = {f"env.{name}": value for name, value in env.items()} if isinstance(env, dict) else {}
    entries = {**record, **inner}
    if missing := [name for name in _ENTRIES if name not in entries]:
        raise CheckpointError(
            f"{file} has no {', '.join(missing)}, which --resume needs: it is damaged, or of an earlier version"
        )
    for name, types in (_ENTRIES | _LATER_ENTRIES).items():
        if name in entries:
            value, least = entries[name], int(name in _POSITIVE)
            if type(value) not in types or (isinstance(value, int) and value < least):
                expected = " or ".join(_WORDS[each] for each in types).format(least=least)
                raise CheckpointError(f"{file} is damaged: {name} must be {expected}, got {value!r:.100}")


def _changed_settings(record: Mapping[str, Any], settings: Sequence[str]) -> list[str]:
    """Returns what the settings would change in the config of the run."""
    from zoo_core.plugins import agent_spec, load_object

    config_class, changes = agent_spec(record["agent"]).config, parse_settings(settings)
    if config_class is None:
        raise ConfigError(f"agent {record['agent']!r} has no options, got {changes}")
    changed = config_from_json(load_object(config_class), record["config"], overrides=changes)
    return differences(record["config"], config_to_json(changed))
