"""Registers the model of this distribution."""

from zoo_core.plugins import Registry, WorldModelSpec, hookimpl

ZOO_API = 1


@hookimpl
def zoo_register(registry: Registry) -> None:
    """Registers `parametric`."""
    registry.register(
        WorldModelSpec(
            "parametric",
            "zoo_parametric.world_model:Parametric",
            summary="known equations with unknown constants, fitted to data (system identification)",
            config="zoo_parametric.config:ParametricConfig",
            paper="Ljung 1999, System Identification; Marquardt 1963, doi:10.1137/0111030",
            observation_spaces=("Box",),
            action_spaces=("Box", "Discrete"),
            differentiable=True,
        )
    )
