"""Real experience: the replay, what it hands out, and datasets of Minari."""

from zoo_core.replay.experience import Episode, Sequences, Transitions
from zoo_core.replay.replay import Replay

__all__ = ["Episode", "Replay", "Sequences", "Transitions"]
