"""Options of `mcts-uct`, `mcts` and `gumbel-mcts`."""

from __future__ import annotations

from dataclasses import dataclass

from zoo_core.config import check_choice, check_range

VALUE_SCALES = ("none", "min-max")
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


@dataclass(frozen=True)
class MCTSConfig:
    """PUCT (Silver et al. 2018, doi:10.1126/science.aar6404; Schrittwieser et al. 2020, arXiv:1911.08265)."""

    num_simulations: int = 50  # from each root
    gamma: float = 1.0  # discount; 1 is for games
    c_base: float = 19_652.0  # visits over which exploration grows
    c_init: float = 1.25  # exploration where there are few visits
    noise_alpha: float | None = None  # of the Dirichlet noise in the prior of the root; None or 0: no noise
    noise_fraction: float = 0.25  # share of noise in that prior, ε
    value_scale: str = "none"  # "none": values as they are (AlphaZero); "min-max": by the range in the tree (MuZero)
    compiled: bool = True  # search a small network in one compiled loop, where that is faster (see `dense`)

    def __post_init__(self) -> None:
        check_range("num_simulations", self.num_simulations, 1)
        check_range("gamma", self.gamma, 0.0, 1.0)
        check_range("c_base", self.c_base, 1.0)
        check_range("c_init", self.c_init, 0.0)
        check_range("noise_alpha", self.noise_alpha or 0.0, 0.0)
        check_range("noise_fraction", self.noise_fraction, 0.0, 1.0)
        check_choice("value_scale", self.value_scale, VALUE_SCALES)


@dataclass(frozen=True)
class GumbelConfig:
    """Gumbel MuZero (Danihelka et al. 2022, ICLR)."""

    num_simulations: int = 50  # from each root, n
    gamma: float = 1.0  # discount; 1 is for games
    max_considered: int = 16  # actions in the first round of sequential halving, m
    c_visit: float = 50.0  # σ(q) = (c_visit + max N) c_scale q
    c_scale: float = 0.1  # the paper's 1.0 where values are not scaled to [0, 1]
    gumbel_scale: float = 1.0  # of the noise; 0 plays the best action, rather than one sampled from the policy
    compiled: bool = True  # search a small network in one compiled loop, where that is faster (see `dense`)

    def __post_init__(self) -> None:
        check_range("num_simulations", self.num_simulations, 1)
        check_range("gamma", self.gamma, 0.0, 1.0)
        check_range("max_considered", self.max_considered, 1)
        check_range("c_visit", self.c_visit, 0.0)
        check_range("c_scale", self.c_scale, 0.0)
        check_range("gumbel_scale", self.gumbel_scale, 0.0)
