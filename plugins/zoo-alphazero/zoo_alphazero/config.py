"""Options of AlphaZero and AlphaGo Zero: the papers' constants, and small ones for a CPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from zoo_alphazero.networks import NETWORKS
from zoo_core.config import check_choice, check_range
from zoo_mcts.game_agent import GameAgentConfig

Arguments = Mapping[str, Any]
Drops = tuple[tuple[int, float], ...]

OPTIMIZERS = ("sgd", "adam")
INFERENCE = ("float32", "bfloat16")

_TIC_TAC_TOE: Arguments = {  # half a minute on one core
    "network": "mlp",
    "num_blocks": 2,
    "channels": 128,
    "planner_config": {"num_simulations": 25, "noise_alpha": 1.0},
    "temperature_moves": 9,
    "random_openings": 6,
    "steps_per_iteration": 1_024,
    "samples_per_position": 8.0,
    "replay_size": 20_000,
    "batch_size": 128,
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "learning_rate_drops": (),
}
_CONNECT_FOUR: Arguments = {  # 300,000 moves take twenty minutes on one core
    "num_blocks": 3,
    "channels": 64,
    "policy_channels": 32,
    "value_channels": 32,
    "value_hidden": 64,
    "inference": "bfloat16",
    "planner_config": {"num_simulations": 50, "noise_alpha": 1.0},
    "temperature_moves": 12,
    "random_openings": 4,
    "steps_per_iteration": 4_096,
    "samples_per_position": 4.0,
    "replay_size": 100_000,
    "batch_size": 512,
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "learning_rate_drops": ((1_400, 3e-4), (2_000, 1e-4)),
    "l2": 1e-5,
}


def _paper_search() -> dict[str, Any]:
    return {"num_simulations": 800, "noise_alpha": 0.3}  # α of chess


@dataclass(frozen=True)
class AlphaZeroConfig(GameAgentConfig):
    """AlphaZero (Silver et al. 2018, doi:10.1126/science.aar6404); the defaults are those of chess there."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {},
        "cpu": _CONNECT_FOUR,
        "connect-four": _CONNECT_FOUR,
        "tic-tac-toe": _TIC_TAC_TOE,
    }

    planner: str = "mcts"  # a registered planner; "gumbel-mcts" learns with fewer simulations
    planner_config: Arguments | None = field(default_factory=_paper_search)
    network: str = "residual"  # or "mlp", for views without a board, and for very small boards
    num_blocks: int = 19  # residual blocks, or hidden layers of the MLP
    channels: int = 256  # filters of a convolution, or units of a layer
    policy_channels: int = 2  # filters of the policy head
    value_channels: int = 1  # filters of the value head
    value_hidden: int = 256  # units of the value head's hidden layer
    inference: str = (
        "float32"  # of the body when it is asked; "bfloat16" is faster where the processor computes with it
    )
    temperature_moves: int = 30  # of a game that are drawn by the search's weights; 0: all are the search's own choice
    random_openings: int = (
        0  # games begin with 0 to so many random moves; what lies before the last is not learned from
    )
    steps_per_iteration: int = 8_192  # moves of self-play between two rounds of updates
    samples_per_position: float = 1.0  # how often a position is learned from, on average
    replay_size: int = 1_000_000  # newest positions that are kept
    batch_size: int = 4_096
    symmetries: bool = True  # a position is learned from in a random one of the game's symmetries
    optimizer: str = "sgd"  # with momentum, or "adam"
    learning_rate: float = 0.2
    learning_rate_drops: Drops = ((100_000, 0.02), (300_000, 0.002), (500_000, 0.0002))  # from so many updates on
    momentum: float = 0.9  # of SGD
    l2: float = 1e-4  # c of the loss

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("network", self.network, NETWORKS)
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        check_choice("inference", self.inference, INFERENCE)
        for name in (
            "num_blocks",
            "channels",
            "policy_channels",
            "value_channels",
            "value_hidden",
            "steps_per_iteration",
            "replay_size",
        ):
            check_range(name, getattr(self, name), 1)
        check_range("batch_size", self.batch_size, 2)  # a norm over a batch needs two
        for name in ("temperature_moves", "random_openings"):
            check_range(name, getattr(self, name), 0)
        for name in ("samples_per_position", "learning_rate", "l2"):
            check_range(name, getattr(self, name), 0.0)
        check_range("momentum", self.momentum, 0.0, 1.0)
        if self.batch_size > self.replay_size:
            raise ValueError(
                f"batch_size must be at most replay_size={self.replay_size}, got {self.batch_size}: nothing would be "
                "learned"
            )
        starts = [start for start, _ in self.learning_rate_drops]
        if starts != sorted(set(starts)) or any(start < 1 or rate < 0.0 for start, rate in self.learning_rate_drops):
            raise ValueError(
                "learning_rate_drops must be pairs of a number of updates, each greater than the one before, and a "
                f"learning rate, got {self.learning_rate_drops}"
            )

    @property
    def network_size(self) -> dict[str, Any]:
        """The arguments of `make_network` that are options."""
        names = "network", "num_blocks", "channels", "policy_channels", "value_channels", "value_hidden"
        return {name: getattr(self, name) for name in names}


_SMALL_GATE: Arguments = {"updates_per_candidate": 200, "gate_games": 100}


def _go_search() -> dict[str, Any]:
    return {"num_simulations": 1_600, "noise_alpha": 0.03}


@dataclass(frozen=True)
class AlphaGoZeroConfig(AlphaZeroConfig):
    """AlphaGo Zero (Silver et al. 2017, doi:10.1038/nature24270); the defaults are those of its first run, on Go."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        name: {**values, **(_SMALL_GATE if values else {})} for name, values in AlphaZeroConfig.presets.items()
    }

    planner_config: Arguments | None = field(default_factory=_go_search)
    batch_size: int = 2_048
    learning_rate: float = 0.01
    learning_rate_drops: Drops = ((400_000, 0.001), (600_000, 0.0001))  # from so many updates on
    updates_per_candidate: int = 1_000  # at least so many, then the network challenges the best one
    gate_games: int = 400  # even: every opening is played with both colours
    gate_opening_moves: int = 4  # random moves with which these begin
    win_rate: float = 0.55  # share of the points that a candidate must win, a draw being half a point

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("updates_per_candidate", self.updates_per_candidate, 1)
        check_range("gate_games", self.gate_games, 2)
        check_range("gate_opening_moves", self.gate_opening_moves, 0)
        check_range("win_rate", self.win_rate, 0.0, 1.0)
        if self.gate_games % 2:
            raise ValueError(f"gate_games must be even, got {self.gate_games}: every opening is played twice")
