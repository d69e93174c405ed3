"""The real environment that belongs to a saved agent or model."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from zoo_core.cli.options import parse_env_kwargs
from zoo_core.errors import ConfigError, UnsupportedSpaceError


class Reality(NamedTuple):
    """An environment's id and arguments, and what a run left of its state, where it outlives an episode."""

    env_id: str
    kwargs: dict[str, Any]
    state: Any = None

    def to_json(self) -> dict[str, Any]:
        """Returns the entry of a record, in which a state stands only where there is one."""
        known = {} if self.state is None else {"state": self.state}
        return {"id": self.env_id, "kwargs": self.kwargs, **known}


def find_reality(
    record: dict[str, Any], known_id: str | None, env: str | None, env_kwargs: list[str] | None
) -> Reality | None:
    """Returns the environment that the user names, else that of the run's record, else the one that the file names.

    Args:
        record: Of the run directory, perhaps empty.
        known_id: What the saved file says.
        env: What the user says.
        env_kwargs: Changes to the recorded arguments.
    """
    recorded = record.get("env") or {}
    env_id = env or recorded.get("id") or known_id
    if env_id is None:
        return None
    if env_id != recorded.get("id"):
        recorded = {}
    changes = parse_env_kwargs(env_kwargs)
    return Reality(env_id, {**recorded.get("kwargs", {}), **changes}, None if changes else recorded.get("state"))


def check_spaces(learned: Any, reality: Reality) -> None:
    """Checks that what an agent or model learned fits an environment.

    Args:
        learned: Has an observation and an action space.
        reality: The environment.

    Raises:
        UnsupportedSpaceError: Its spaces are others.
        UnknownNameError: There is no such environment.
    """
    from zoo_core.plugins import make_env

    env = make_env(reality.env_id, **reality.kwargs)
    env.close()
    for name in ("observation_space", "action_space"):
        wanted, found = getattr(learned, name), getattr(env, name)
        if wanted != found:
            raise UnsupportedSpaceError(
                f"{name.replace('_', ' ')} of {reality.env_id} is {found}, "
                f"but {type(learned).__name__} learned with {wanted}"
            )


def check_video(video: Path | None, reality: Reality | None) -> None:
    """Checks that a film can be made, before long work begins.

    Raises:
        ConfigError: Its name is not that of a GIF.
        ZooError: The environment draws no pictures.
    """
    if video is None:
        return
    if video.suffix != ".gif":
        raise ConfigError(f"--video writes a GIF: name a file that ends in .gif, got {str(video)!r}")
    if reality is not None:
        from zoo_core.video import make_drawn_env

        make_drawn_env(reality.env_id, reality.kwargs).close()
