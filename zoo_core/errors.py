"""The errors of the zoo, and the one way in which an unknown name is answered.

Wrong arguments raise `ValueError` or `TypeError` as everywhere in Python; the classes here are for plugins,
names, configs, spaces and files. All of them derive from `ZooError`, which the command line prints as one
line.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

MAX_LISTED = 20  # longer lists of choices are cut to a few examples: they hide more than they tell
NUM_EXAMPLES = 3


class ZooError(Exception):
    """Base class of all errors that the zoo raises on purpose."""


class PluginLoadError(ZooError):
    """A plugin, or a class that a plugin declares, cannot be loaded; the cause is chained."""


class DuplicateNameError(ZooError):
    """Two plugins register the same name."""


class UnknownNameError(ZooError, LookupError):
    """No agent, model, planner, command or environment has this name."""


class ConfigError(ZooError, ValueError):
    """A config has an unknown key, or a value of the wrong type or out of range."""


class UnsupportedSpaceError(ZooError, ValueError):
    """An algorithm does not take this observation or action space."""


class Undecodable(ZooError):
    """A world model has no observations to show, only latent states."""


class NonFiniteError(ZooError, FloatingPointError):
    """An environment or a model returned NaN or infinity."""


class CheckpointError(ZooError):
    """A file is not a checkpoint, is damaged, or does not fit what it is loaded into."""


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """Returns the end of a sentence that says `name` is unknown: the nearest choice, else all of them.

    Args:
        name: What the user wrote.
        choices: The names that exist, in any order.

    Returns:
        `": did you mean 'ppo'?"`, or `"; choose one of 'a2c', 'ppo'"`, or `"; there are none"`.
    """
    known = sorted(set(choices))
    if not known:
        return "; there are none"
    spelling = {choice.lower(): choice for choice in known}
    if near := get_close_matches(name.lower(), spelling, n=1):
        return f": did you mean {spelling[near[0]]!r}?"
    if len(known) > MAX_LISTED:
        return f"; there are {len(known)}, such as {', '.join(map(repr, known[:NUM_EXAMPLES]))}"
    return f"; choose one of {', '.join(map(repr, known))}"
