"""Registers the tabular and linear models."""

from zoo_core.plugins import Registry, WorldModelSpec, hookimpl

ZOO_API = 1


@hookimpl
def zoo_register(registry: Registry) -> None:
    """Registers `lookup`, `lookup-deterministic` and `linear`."""
    registry.register(
        WorldModelSpec(
            "lookup",
            "zoo_tabular.lookup:Lookup",
            summary="counts what followed each state and action; samples it, or goes on with its distribution",
            config="zoo_tabular.config:LookupConfig",
            paper="Sutton & Barto 2018, chapter 8; Sutton 1990, doi:10.1016/B978-1-55860-141-3.50030-4",
            observation_spaces=("Discrete",),
            action_spaces=("Discrete",),
            stochastic=True,
            epistemic=True,
        )
    )
    registry.register(
        WorldModelSpec(
            "lookup-deterministic",
            "zoo_tabular.lookup:LookupDeterministic",
            summary="remembers the last outcome of each state and action, as Dyna-Q does",
            config="zoo_tabular.config:LookupDeterministicConfig",
            paper="Sutton & Barto 2018, Reinforcement Learning, section 8.2",
            observation_spaces=("Discrete",),
            action_spaces=("Discrete",),
            epistemic=True,
        )
    )
    registry.register(
        WorldModelSpec(
            "linear",
            "zoo_tabular.linear:Linear",
            summary="reward and next features linear in features, by least squares; dreams are expectations",
            config="zoo_tabular.config:LinearConfig",
            paper="Sutton et al. 2008, arXiv:1206.3285",
            observation_spaces=("Box", "Discrete"),
            action_spaces=("Box", "Discrete"),
            epistemic=True,
            differentiable=True,
        )
    )
