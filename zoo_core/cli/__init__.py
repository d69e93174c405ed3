"""The command `zoo`. Nothing here imports torch or SB3 before a command needs it, so that listing is quick."""

from zoo_core.cli.app import main

__all__ = ["main"]
