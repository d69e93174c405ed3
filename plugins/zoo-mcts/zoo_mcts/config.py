"""Options of `mcts-uct`."""

from __future__ import annotations

from dataclasses import dataclass

from zoo_core.config import check_choice, check_range

TREES = ("open-loop", "chance", "transposition", "deterministic")


@dataclass(frozen=True)
class UCTConfig:
    """UCT (Kocsis & Szepesvári 2006, doi:10.1007/11871842_29)."""

    num_simulations: int = 100  # from each root
    gamma: float = 0.99  # discount
    exploration: float = 2**0.5  # c of UCB1, on values scaled to [0, 1]; the paper's 2 C_p with C_p = 1/√2
    rollout_depth: int = 10  # steps by the simulation policy from a leaf; 0: the leaf is worth what `evaluate` says
    num_rollouts: int = 1  # from each leaf, averaged
    # what a node is: "open-loop" the actions that led there; "chance" these, and what was seen after each;
    # "transposition" a depth, and what is seen there; "deterministic" the actions, with the state in which it was made
    tree: str = "open-loop"

    def __post_init__(self) -> None:
        check_range("num_simulations", self.num_simulations, 1)
        check_range("gamma", self.gamma, 0.0, 1.0)
        check_range("exploration", self.exploration, 0.0)
        check_range("rollout_depth", self.rollout_depth, 0)
        check_range("num_rollouts", self.num_rollouts, 1)
        check_choice("tree", self.tree, TREES)

    @property
    def sees(self) -> bool:
        """Whether another observation is another node; else a node is a sequence of actions."""
        return self.tree in ("chance", "transposition")

    @property
    def shares(self) -> bool:
        """Whether all ways to an observation at the same depth lead to one node; else each has a node of its own."""
        return self.tree == "transposition"

    @property
    def remembers(self) -> bool:
        """Whether a node keeps the state in which it was made; else every simulation samples all its steps."""
        return self.tree == "deterministic"
