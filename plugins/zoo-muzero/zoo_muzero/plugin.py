"""Registers the agent and the model `muzero`."""

from zoo_core.plugins import AgentSpec, Registry, WorldModelSpec, hookimpl

ZOO_API = 1

_SMALL = {
    "latent": 8,
    "hidden": 16,
    "channels": 4,
    "num_blocks": 1,
    "value_support": 5,
    "reward_support": 5,
    "batch_size": 8,
    "num_updates": 20,
}


@hookimpl
def zoo_register(registry: Registry) -> None:
    """Registers the agent and the model `muzero`."""
    registry.register(
        WorldModelSpec(
            "muzero",
            "zoo_muzero.world_model:MuZeroModel",
            summary="hidden states that predict reward, value and policy, and never what is seen",
            config="zoo_muzero.config:MuZeroModelConfig",
            paper="Schrittwieser et al. 2020, arXiv:1911.08265",
            action_spaces=("Discrete",),
            decodes=False,
            check_config=_SMALL,
        )
    )
    registry.register(
        AgentSpec(
            "muzero",
            "zoo_muzero.agent:MuZeroAgent",
            summary="tree search in a model learned for it, in board games and environments of discrete actions",
            config="zoo_muzero.config:MuZeroConfig",
            paper="Schrittwieser et al. 2020, arXiv:1911.08265",
            action_spaces=("Discrete",),
            model_based=True,
            train_steps=50_000,
            check_config={
                "initial_steps": 16,
                "updates_per_step": 0.25,
                "planner_config": {"num_simulations": 4, "noise_alpha": 0.25, "value_scale": "min-max"},
                "model_config": {**_SMALL, "unroll_steps": 2, "td_steps": 3},
            },
        )
    )
