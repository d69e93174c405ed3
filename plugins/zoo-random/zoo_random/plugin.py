"""Registers the random agent."""

from zoo_core.plugins import AgentSpec, Registry, hookimpl

ZOO_API = 1


@hookimpl
def zoo_register(registry: Registry) -> None:
    """Registers `random`; the class itself is imported when somebody makes one."""
    registry.register(
        AgentSpec(
            "random",
            "zoo_random.agent:RandomAgent",
            summary="acts uniformly at random: the baseline below every other",
            observation_spaces=("Box", "Discrete", "MultiDiscrete", "MultiBinary", "Dict"),
            action_spaces=("Box", "Discrete", "MultiDiscrete", "MultiBinary"),
        )
    )
