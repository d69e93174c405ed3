"""Registers the models of this distribution."""

from zoo_core.plugins import Registry, WorldModelSpec, hookimpl

ZOO_API = 1


@hookimpl
def zoo_register(registry: Registry) -> None:
    """Registers `mlp` and `ensemble`."""
    registry.register(
        WorldModelSpec(
            "mlp",
            "zoo_ensemble.world_model:MLP",
            summary="one network that predicts the expected next observation, reward and termination",
            config="zoo_ensemble.config:MLPConfig",
            paper="Nagabandi et al. 2018, arXiv:1708.02596",
            observation_spaces=("Box",),
            action_spaces=("Box", "Discrete"),
            differentiable=True,
        )
    )
    registry.register(
        WorldModelSpec(
            "ensemble",
            "zoo_ensemble.world_model:Ensemble",
            summary="bootstrapped ensemble of networks that predict Gaussians (PETS, MBPO)",
            config="zoo_ensemble.config:EnsembleConfig",
            paper="Chua et al. 2018, arXiv:1805.12114",
            observation_spaces=("Box",),
            action_spaces=("Box", "Discrete"),
            stochastic=True,
            epistemic=True,
            differentiable=True,
        )
    )
