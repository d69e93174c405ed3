"""Registers AlphaZero and its kin."""

from zoo_core.plugins import AgentSpec, Registry, hookimpl

ZOO_API = 1

_SMALL = {  # for the conformance kit
    "num_games": 4,
    "network": "mlp",
    "num_blocks": 1,
    "channels": 16,
    "planner_config": {"num_simulations": 2},
    "temperature_moves": 4,
    "steps_per_iteration": 16,
    "samples_per_position": 4.0,
    "replay_size": 100,
    "batch_size": 8,
    "learning_rate": 0.01,
}
_SMALL_ALPHAGO = {  # all phases within 64 moves of tic-tac-toe
    "num_games": 4,
    "network": "mlp",
    "num_blocks": 1,
    "channels": 16,
    "planner_config": {"num_simulations": 2},
    "record_games": 2,
    "record_players": ("random",),
    "holdout": 0.5,
    "supervised_epochs": 1,
    "batch_size": 2,
    "games_per_update": 1,
    "reinforce_updates": 1,
    "pool_interval": 1,
}


@hookimpl
def zoo_register(registry: Registry) -> None:
    """Registers `alphazero`, `alphago-zero` and `alphago`."""
    registry.register(
        AgentSpec(
            "alphazero",
            "zoo_alphazero.agent:AlphaZero",
            summary="learns a board game by playing against itself, with a search by the rules",
            config="zoo_alphazero.config:AlphaZeroConfig",
            paper="Silver et al. 2018, doi:10.1126/science.aar6404",
            observation_spaces=("Dict",),
            action_spaces=("Discrete",),
            model_based=True,
            players=2,
            train_steps=200_000,
            check_config=_SMALL,
        )
    )
    registry.register(
        AgentSpec(
            "alphago-zero",
            "zoo_alphazero.alphago_zero:AlphaGoZero",
            summary="AlphaZero, in which a new network plays only once it has beaten the best one",
            config="zoo_alphazero.config:AlphaGoZeroConfig",
            paper="Silver et al. 2017, doi:10.1038/nature24270",
            observation_spaces=("Dict",),
            action_spaces=("Discrete",),
            model_based=True,
            players=2,
            train_steps=200_000,
            check_config={**_SMALL, "updates_per_candidate": 4, "gate_games": 4},
        )
    )
    registry.register(
        AgentSpec(
            "alphago",
            "zoo_alphazero.alphago.agent:AlphaGo",
            summary="learns from recorded games, then against itself; its search mixes a value network and rollouts",
            config="zoo_alphazero.alphago.config:AlphaGoConfig",
            paper="Silver et al. 2016, doi:10.1038/nature16961",
            observation_spaces=("Dict",),
            action_spaces=("Discrete",),
            model_based=True,
            players=2,
            train_steps=1_000_000,
            check_config=_SMALL_ALPHAGO,
        )
    )
