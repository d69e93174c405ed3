"""Registers Dyna-Q and its family."""

from zoo_core.plugins import AgentSpec, Registry, hookimpl

ZOO_API = 1

_BOOK = "Sutton & Barto 2018, Reinforcement Learning, 2nd edition"
_AGENTS = {  # id: class, config, what it does, paper
    "q-learning": (
        "agent:QLearningAgent",
        "QLearningConfig",
        "tabular Q-learning: learns from each step once",
        "Watkins 1989",
    ),
    "dyna-q": (
        "agent:DynaQAgent",
        "DynaQConfig",
        "tabular Q-learning that also learns from n remembered steps after each real one",
        f"Sutton 1990; {_BOOK}, section 8.2",
    ),
    "dyna-q-plus": (
        "agent:DynaQPlusAgent",
        "DynaQPlusConfig",
        "Dyna-Q with a bonus for what was long not tried: notices when the world changes",
        f"Sutton 1990; {_BOOK}, section 8.3",
    ),
    "prioritized-sweeping": (
        "prioritized_sweeping:PrioritizedSweepingAgent",
        "PrioritizedSweepingConfig",
        "plans where values change most, and from there backwards",
        f"Moore & Atkeson 1993, doi:10.1007/BF00993104; {_BOOK}, section 8.4",
    ),
    "value-iteration": (
        "dynamic_programming:ValueIterationAgent",
        "DynamicProgrammingConfig",
        "counts what happens and solves that table exactly, or the environment's own",
        f"Bellman 1957; {_BOOK}, section 4.4",
    ),
    "policy-iteration": (
        "dynamic_programming:PolicyIterationAgent",
        "DynamicProgrammingConfig",
        "counts what happens and solves that table by policy iteration, or the environment's own",
        f"Howard 1960; {_BOOK}, section 4.3",
    ),
}


@hookimpl
def zoo_register(registry: Registry) -> None:
    """Registers six tabular agents, from Q-learning to policy iteration."""
    for name, (agent, config, summary, paper) in _AGENTS.items():
        registry.register(
            AgentSpec(
                name,
                f"zoo_dyna.{agent}",
                summary=summary,
                config=f"zoo_dyna.config:{config}",
                paper=paper,
                observation_spaces=("Discrete",),
                action_spaces=("Discrete",),
                model_based=name != "q-learning",
            )
        )
