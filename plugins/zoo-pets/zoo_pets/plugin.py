"""Registers the agent `pets`."""

from zoo_core.plugins import AgentSpec, Registry, hookimpl

ZOO_API = 1


@hookimpl
def zoo_register(registry: Registry) -> None:
    """Registers `pets`."""
    registry.register(
        AgentSpec(
            "pets",
            "zoo_pets.agent:PETSAgent",
            summary="plans at every step by the cross-entropy method, over particles in a probabilistic ensemble",
            config="zoo_pets.config:PETSConfig",
            paper="Chua et al. 2018, arXiv:1805.12114",
            observation_spaces=("Box",),
            action_spaces=("Box", "Discrete"),
            model_based=True,
            train_steps=2_000,
            check_config={
                "initial_steps": 40,
                "trial_steps": 20,
                "model_config": {"hidden": 16, "num_layers": 1, "max_epochs": 2},
                "planner_config": {
                    "horizon": 2,
                    "num_candidates": 8,
                    "num_elites": 2,
                    "iterations": 2,
                    "num_particles": 5,
                },
            },
        )
    )
