"""Registers the planners of this distribution, and the agent that acts by them."""

from zoo_core.plugins import AgentSpec, PlannerSpec, Registry, hookimpl

ZOO_API = 1

_SMALL = {"horizon": 4, "num_candidates": 32}
_SPECS = (
    AgentSpec(
        "mpc",
        "zoo_planners.agent:MPCAgent",
        summary="model-predictive control: any world model searched by any planner",
        config="zoo_planners.config:MPCConfig",
        paper="Nagabandi et al. 2018, arXiv:1708.02596",
        model_based=True,
        train_steps=2_000,
        check_config={
            "initial_steps": 40,
            "round_steps": 20,
            "model_config": {"hidden": 16, "num_layers": 1, "max_epochs": 3},
            "planner_config": {**_SMALL, "num_elites": 8, "iterations": 2},
        },
        action_spaces=("Box", "Discrete"),
    ),
    PlannerSpec(
        "random-shooting",
        "zoo_planners.random_shooting:RandomShooting",
        summary="the best of many random sequences of actions",
        config="zoo_planners.config:ShootingConfig",
        paper="Nagabandi et al. 2018, arXiv:1708.02596",
        action_spaces=("Box", "Discrete"),
        check_config=_SMALL,
    ),
    PlannerSpec(
        "cem",
        "zoo_planners.cem:CEM",
        summary="cross-entropy method: draw sequences, keep the best, draw more like them",
        config="zoo_planners.config:CEMConfig",
        paper="Rubinstein 1999, doi:10.1023/A:1010091220143; Chua et al. 2018, arXiv:1805.12114",
        action_spaces=("Box", "Discrete"),
        check_config={**_SMALL, "num_elites": 8, "iterations": 3},
    ),
    PlannerSpec(
        "forward-search",
        "zoo_planners.forward_search:ForwardSearch",
        summary="exhaustive search to a depth, or sparse sampling where there is chance",
        config="zoo_planners.config:ForwardSearchConfig",
        paper="Kearns, Mansour & Ng 2002, doi:10.1023/A:1017932429737",
        action_spaces=("Discrete",),
        players=2,
        check_config={"depth": 2},
    ),
    PlannerSpec(
        "rollout",
        "zoo_planners.rollout:Rollout",
        summary="the action with the best mean return of rollouts by a base policy",
        config="zoo_planners.config:RolloutConfig",
        paper="Tesauro & Galperin 1996; Sutton & Barto 2018, Reinforcement Learning, section 8.10",
        action_spaces=("Discrete",),
        players=2,
        check_config={"num_rollouts": 8, "depth": 2},
    ),
    PlannerSpec(
        "icem",
        "zoo_planners.icem:ICEM",
        summary="cross-entropy method for few samples: coloured noise, elites that are kept",
        config="zoo_planners.config:ICEMConfig",
        paper="Pinneri et al. 2020, arXiv:2008.06389",
        action_spaces=("Box",),
        check_config={**_SMALL, "num_elites": 8, "iterations": 3},
    ),
    PlannerSpec(
        "mppi",
        "zoo_planners.mppi:MPPI",
        summary="path integral control: softmax weights, a policy's help and a terminal value where there are",
        config="zoo_planners.config:MPPIConfig",
        paper="Williams et al. 2017, arXiv:1707.02342; Hansen et al. 2024, arXiv:2310.16828",
        action_spaces=("Box",),
        check_config={**_SMALL, "num_elites": 8, "num_policy": 4, "iterations": 3},
    ),
    PlannerSpec(
        "gradient",
        "zoo_planners.gradient:Gradient",
        summary="gradient ascent on sequences of actions through a differentiable model",
        config="zoo_planners.config:GradientConfig",
        paper="Henaff et al. 2017, arXiv:1705.07177",
        action_spaces=("Box",),
        needs_gradients=True,
        check_config={"horizon": 4, "num_candidates": 8, "iterations": 10},
    ),
)


@hookimpl
def zoo_register(registry: Registry) -> None:
    """Registers the planners and `mpc`."""
    for spec in _SPECS:
        registry.register(spec)
