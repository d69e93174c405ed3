"""Registers the planners of this distribution."""

from zoo_core.plugins import CommandSpec, PlannerSpec, Registry, WorldModelSpec, hookimpl

ZOO_API = 1


@hookimpl
def zoo_register(registry: Registry) -> None:
    """Registers `mcts`, `gumbel-mcts` and `mcts-uct`."""
    registry.register(
        PlannerSpec(
            "mcts-uct",
            "zoo_mcts.planner:UCT",
            summary="Monte-Carlo tree search by upper confidence bounds, with rollouts (UCT)",
            config="zoo_mcts.config:UCTConfig",
            paper="Kocsis & Szepesvári 2006, doi:10.1007/11871842_29",
            action_spaces=("Discrete",),
            players=2,
            check_config={"num_simulations": 24, "rollout_depth": 2},
        )
    )
    registry.register(
        WorldModelSpec(
            "rules",
            "zoo_mcts.games.rules:RulesModel",
            summary="the rules of a board game, exact, with nothing to learn",
            config="zoo_mcts.games.rules:RulesConfig",
            observation_spaces=("Dict",),
            action_spaces=("Discrete",),
            players=2,
        )
    )
    registry.register(
        PlannerSpec(
            "mcts",
            "zoo_mcts.policy_search:MCTS",
            summary="Monte-Carlo tree search with a policy and a value (PUCT, of AlphaZero and MuZero)",
            config="zoo_mcts.config:MCTSConfig",
            paper="Silver et al. 2018, doi:10.1126/science.aar6404",
            action_spaces=("Discrete",),
            players=2,
            check_config={"num_simulations": 24, "value_scale": "min-max"},
        )
    )
    registry.register(
        PlannerSpec(
            "gumbel-mcts",
            "zoo_mcts.policy_search:GumbelMCTS",
            summary="Gumbel MuZero's search: sequential halving at the root, few simulations",
            config="zoo_mcts.config:GumbelConfig",
            paper="Danihelka et al. 2022, ICLR",
            action_spaces=("Discrete",),
            players=2,
            check_config={"num_simulations": 24},
        )
    )
    registry.register(
        CommandSpec(
            "arena", "zoo_mcts.commands.arena:arena", summary="Let players play a board game, each against each."
        )
    )
    registry.register(
        CommandSpec("play", "zoo_mcts.commands.play:play", summary="Play a board game in the terminal yourself.")
    )
