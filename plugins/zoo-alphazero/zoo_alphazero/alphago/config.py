"""Options of AlphaGo: the paper's constants where a CPU can follow them, and small ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from zoo_alphazero.networks import NETWORKS
from zoo_core.config import check_choice, check_range
from zoo_mcts.game_agent import GameAgentConfig

Arguments = Mapping[str, Any]


def _paper_search() -> dict[str, Any]:
    return {"num_simulations": 100, "c_init": 5.0}  # c_puct


@dataclass(frozen=True)
class AlphaGoConfig(GameAgentConfig):
    """AlphaGo (Silver et al. 2016, doi:10.1038/nature16961, methods); how much is played and learned is for a GPU."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {
            "num_games": 128,
            "num_blocks": 6,
            "channels": 192,
            "record_players": ("minimax:6",),
            "record_games": 100_000,
        },
        "connect-four": {  # minutes on one core
            "num_games": 128,
            "num_blocks": 2,
            "channels": 32,
            "record_games": 6_000,
            "record_random_prob": 0.15,
            "supervised_epochs": 6,
            "reinforce_updates": 150,
            "reinforce_learning_rate": 3e-4,
            "pool_interval": 25,
            "value_samples": 6.0,
            "planner_config": {"num_simulations": 50},
            "prior_temperature": 1.0,
            "num_rollouts": 8,
        },
    }

    # the games that everything begins with
    records: str | None = None  # file or folder of games (see `read_records`); None: bots play them
    record_games: int = 10_000  # that bots play
    record_players: tuple[str, ...] = ("minimax:4",)  # the bots, as `zoo arena` names players
    record_random_prob: float = 0.1  # of a random move in place of the bot's
    record_opening: int = 4  # most random moves that a game begins with
    # p_σ and p_π, from records
    network: str = "residual"  # of p_σ, p_ρ and v_θ; or "mlp", for views without a board, and for very small boards
    num_blocks: int = 6  # residual blocks, or hidden layers of the MLP; the paper has 12 plain layers
    channels: int = 192  # filters of a convolution, or units of a layer
    batch_size: int = 256
    learning_rate: float = 1e-3  # of Adam; p_σ and p_π learn with less and less of it, down to 0
    supervised_epochs: int = 10  # passes over the records
    chunk_games: int = 4_096  # games whose positions are in memory at once
    holdout: float = 0.1  # share of games, and later of values, that nothing is learned from
    rollout_learning_rate: float = 1e-2  # of Adam, for p_π
    # p_ρ, against earlier selves
    games_per_update: int = 128  # n, of one step of REINFORCE
    reinforce_updates: int = 10_000
    reinforce_learning_rate: float = 1e-4  # of Adam
    pool_interval: int = 500  # updates after which the pool of opponents takes up p_ρ
    passes: int = 1  # of "reinforce" and "value"; from the second on v_θ is the baseline
    # v_θ, one position a game
    value_games: int = 30_000  # of each pass but the last, which goes on to the end of `learn`
    value_samples: float = 4.0  # how often a position is learned from, on average
    value_learning_rate: float = 1e-3  # of Adam
    weight_decay: float = 1e-4  # of p_σ, p_π and v_θ
    # the search
    planner: str = "mcts"  # a registered planner
    planner_config: Arguments | None = field(default_factory=_paper_search)
    value_mix: float = 0.5  # λ: a leaf is worth (1 - λ) v_θ + λ z of a rollout
    prior_temperature: float = 0.67  # of the softmax of p_σ in the search; smaller is sharper
    num_rollouts: int = 1  # from a leaf, averaged

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("network", self.network, NETWORKS)
        for name in (
            "record_games",
            "num_blocks",
            "channels",
            "supervised_epochs",
            "chunk_games",
            "games_per_update",
            "pool_interval",
            "passes",
            "value_games",
            "num_rollouts",
        ):
            check_range(name, getattr(self, name), 1)
        check_range("batch_size", self.batch_size, 2)  # a norm over a batch needs two
        for name in ("record_opening", "reinforce_updates"):
            check_range(name, getattr(self, name), 0)
        for name in ("learning_rate", "rollout_learning_rate", "reinforce_learning_rate", "value_learning_rate"):
            check_range(name, getattr(self, name), 0.0)
        for name in ("value_samples", "weight_decay"):
            check_range(name, getattr(self, name), 0.0)
        for name in ("record_random_prob", "value_mix"):
            check_range(name, getattr(self, name), 0.0, 1.0)
        check_range("holdout", self.holdout, 0.0, 0.5, low_open=True)
        check_range("prior_temperature", self.prior_temperature, 0.0, low_open=True)
        if not self.record_players and self.records is None:
            raise ValueError("record_players names nobody: name bots such as minimax:4, or set records")

    @property
    def network_size(self) -> dict[str, Any]:
        """The arguments of `make_policy` and `make_value` that are options."""
        return {name: getattr(self, name) for name in ("network", "num_blocks", "channels")}
