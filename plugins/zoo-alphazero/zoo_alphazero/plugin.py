"""Registers AlphaZero and its kin."""

from zoo_core.plugins import Registry, hookimpl

ZOO_API = 1


@hookimpl
def zoo_register(registry: Registry) -> None:
    """Registers `alphazero` and `alphago-zero`."""
