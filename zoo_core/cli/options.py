"""Options that several commands share, and what their text means."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from zoo_core.config import parse_settings
from zoo_core.errors import ConfigError, UnknownNameError, ZooError, did_you_mean

Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A setting; dots reach into components. May be repeated."),
]
EnvKwargs = Annotated[
    list[str] | None,
    typer.Option(
        "--env-kwargs",
        metavar="KEY=VALUE|JSON",
        help="An argument of the environment, or a JSON object of them. May be repeated.",
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Of every random choice.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="The run directory, new or empty; without it one is made in runs/."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Print the log while learning.")]
EvalEpisodes = Annotated[
    int, typer.Option("--eval-episodes", min=0, help="Episodes of the evaluation at the end; 0 for none.")
]


def parse_env_kwargs(texts: Sequence[str] | None) -> dict[str, Any]:
    """Parses `["g=9.8"]` or `['{"g": 9.8}']` into keyword arguments; of two of one name the last counts.

    Raises:
        ConfigError: A text is neither of the two.
    """
    kwargs: dict[str, Any] = {}
    for text in texts or ():
        if text.lstrip().startswith("{"):
            try:
                kwargs |= json.loads(text)
            except ValueError as error:
                raise ConfigError(f"--env-kwargs takes key=value or a JSON object, got {text!r}: {error}") from error
        else:
            kwargs |= parse_settings([text])
    return kwargs


def check_device(device: str) -> str:
    """Returns a device that this machine has.

    Raises:
        ConfigError: It has none of this name.
    """
    import torch

    num_gpus = torch.cuda.device_count()
    present = ["auto", "cpu", *(["cuda"] if num_gpus else []), *(f"cuda:{i}" for i in range(num_gpus))]
    if torch.backends.mps.is_available():
        present.append("mps")
    if device not in present:
        raise ConfigError(f"--device is {device!r}, this machine has {', '.join(present)}")
    return device


def check_tracker(name: str | None) -> None:
    """Checks the name of a tracker, before anything is made for it.

    Raises:
        UnknownNameError: There is none of this name.
    """
    if name is None:
        return
    from zoo_core.trackers import TRACKERS

    if name not in TRACKERS:
        raise UnknownNameError(f"unknown tracker {name!r}{did_you_mean(name, TRACKERS)}")


@contextmanager
def user_input() -> Iterator[None]:
    """Marks a part of a command where a ValueError or a missing file is a mistake of the user, not a bug."""
    try:
        yield
    except (ValueError, FileNotFoundError) as error:
        if isinstance(error, ZooError):
            raise
        raise ZooError(str(error)) from error
