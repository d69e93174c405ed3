"""Registers MBPO."""

from zoo_core.plugins import AgentSpec, Registry, hookimpl

ZOO_API = 1

_SMALL = {  # for the conformance kit
    "initial_steps": 20,
    "model_interval": 20,
    "epoch_steps": 20,
    "rollouts_per_step": 4,
    "rollout_schedule": (0, 2, 1, 3),
    "updates_per_step": 1,
    "model_config": {"num_members": 2, "num_elites": 2, "hidden": 16, "num_layers": 1, "max_epochs": 3},
    "sac": {"batch_size": 16, "policy_kwargs": {"net_arch": [16]}},
}


@hookimpl
def zoo_register(registry: Registry) -> None:
    """Registers `mbpo`."""
    registry.register(
        AgentSpec(
            "mbpo",
            "zoo_mbpo.agent:MBPOAgent",
            summary="SB3's SAC trained on short dreams that branch off real experience; offline with a penalty: MOPO",
            config="zoo_mbpo.config:MBPOConfig",
            paper="Janner et al. 2019, arXiv:1906.08253; Yu et al. 2020, arXiv:2005.13239 (MOPO)",
            observation_spaces=("Box",),
            action_spaces=("Box",),
            model_based=True,
            train_steps=6_000,
            check_config=_SMALL,
        )
    )
