"""Options of MuZero's model, and of the agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from zoo_core.config import check_choice, check_range

Arguments = Mapping[str, Any]

NETWORKS = ("auto", "mlp", "conv")
OPTIMIZERS = ("sgd", "adam")
BOARD_DISCOUNT, DISCOUNT, TD_STEPS, ATARI_VALUE_WEIGHT = 1.0, 0.997, 10, 0.25  # the paper's


@dataclass(frozen=True)
class MuZeroModelConfig:
    """What MuZero's model is, and how it learns (Schrittwieser et al. 2020, arXiv:1911.08265, appendices E to G)."""

    network: str = "auto"  # "mlp" for vectors, "conv" for images and boards; "auto": by the observation
    history: int = 1  # observations that the representation sees, and the actions between them
    players: int = 1  # 2: they alternate, and what one wins the other loses
    latent: int = 64  # numbers in the hidden state of the MLP
    hidden: int = 128  # units of a layer of the MLP, and of the heads
    num_layers: int = 1  # hidden layers of representation and dynamics of the MLP
    channels: int = 64  # of the convolutions
    num_blocks: int = 2  # residual blocks of representation and dynamics
    value_support: int = 300  # bins at -K, ..., K of the transformed value
    reward_support: int = 300  # the same of the reward
    gamma: float | None = None  # discount; None: 1 where two play, else 0.997
    td_steps: int | None = None  # rewards in a value target before the bootstrap, 0: all; None: all for two, else 10
    unroll_steps: int = 5  # steps of the dynamics in a loss, K
    value_weight: float | None = None  # of the loss of the value; None: 1 where two play, else 0.25
    batch_size: int = 256  # positions from which an update unrolls
    num_updates: int = 1_000  # of `fit`
    optimizer: str = "adam"  # or "sgd"
    learning_rate: float = 1e-3
    learning_rate_decay: float = 1.0  # factor that the rate has come to after `decay_steps`
    decay_steps: int = 10_000  # updates
    momentum: float = 0.9  # of SGD
    weight_decay: float = 1e-4
    max_grad_norm: float = 10.0  # to which gradients are clipped

    def __post_init__(self) -> None:
        check_choice("network", self.network, NETWORKS)
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        check_range("players", self.players, 1, 2)
        counts = ("history", "latent", "hidden", "num_layers", "channels", "value_support", "reward_support")
        for name in (*counts, "unroll_steps", "batch_size", "decay_steps"):
            check_range(name, getattr(self, name), 1)
        for name in ("num_blocks", "num_updates", "weight_decay"):
            check_range(name, getattr(self, name), 0)
        check_range("td_steps", self.value_steps, 0)
        check_range("gamma", self.discount, 0.0, 1.0, low_open=True)
        check_range("value_weight", self.value_share, 0.0)
        check_range("momentum", self.momentum, 0.0, 1.0, high_open=True)
        check_range("learning_rate_decay", self.learning_rate_decay, 0.0, low_open=True)
        for name in ("learning_rate", "max_grad_norm"):
            check_range(name, getattr(self, name), 0.0, low_open=True)

    @property
    def discount(self) -> float:
        """γ."""
        return self.gamma if self.gamma is not None else (BOARD_DISCOUNT if self.players == 2 else DISCOUNT)

    @property
    def value_steps(self) -> int:
        """Rewards in a value target before the bootstrap, n; 0: all to the end of the episode."""
        return self.td_steps if self.td_steps is not None else (0 if self.players == 2 else TD_STEPS)

    @property
    def value_share(self) -> float:
        """Weight of the loss of the value."""
        if self.value_weight is not None:
            return self.value_weight
        return 1.0 if self.players == 2 else ATARI_VALUE_WEIGHT


# Schrittwieser et al. 2020, arXiv:1911.08265, appendices D to G, for Atari.
_PAPER_MODEL = {
    "history": 32,
    "channels": 256,
    "num_blocks": 16,
    "batch_size": 1024,
    "optimizer": "sgd",
    "learning_rate": 0.05,
    "learning_rate_decay": 0.1,
    "decay_steps": 350_000,
}
_SEARCH = {"num_simulations": 50, "noise_alpha": 0.25, "value_scale": "min-max"}

# Chosen on CartPole-v1, for minutes on one core.
_CPU_MODEL = {"td_steps": 50, "value_support": 20, "reward_support": 2, "batch_size": 128}
_CPU = {
    "planner_config": {**_SEARCH, "num_simulations": 25},
    "updates_per_step": 0.25,
    "model_config": _CPU_MODEL,
}
# Chosen on tic-tac-toe: returns of games are chance enough, without priorities that look for it.
_BOARD_MODEL = {
    "network": "mlp",
    "latent": 128,
    "hidden": 256,
    "value_support": 2,
    "reward_support": 2,
    "learning_rate": 2e-3,
}
_BOARD = {
    "planner_config": {**_SEARCH, "num_simulations": 25, "noise_alpha": 1.0},
    "initial_steps": 5_000,
    "updates_per_step": 0.06,
    "replay_capacity": 200_000,
    "alpha": 0.0,
    "temperatures": (1.0, 0.5, 0.25),
    "random_opening": 6,
    "model_config": _BOARD_MODEL,
}


@dataclass(frozen=True)
class MuZeroConfig:
    """MuZero (Schrittwieser et al. 2020, arXiv:1911.08265)."""

    model: str = "muzero"  # a registered world model that is a `MuZeroModel`
    model_config: Arguments | None = None  # its config
    planner: str = "mcts"  # or "gumbel-mcts", for Gumbel MuZero
    planner_config: Arguments | None = field(default_factory=lambda: dict(_SEARCH))  # its config; γ is the model's
    num_games: int = 64  # of a board game, played at once
    game: str | None = None  # id of the game; None takes that of the environment, if it is one
    game_kwargs: Arguments = field(default_factory=dict)  # of the game, such as board_size for go_v5
    replay_capacity: int = 1_000_000  # positions kept
    initial_steps: int = 1_000  # env steps before the first update
    updates_per_step: float = 0.1  # gradient steps an env step
    alpha: float = 1.0  # α of the prioritised replay; 0 draws all positions alike
    beta: float = 1.0  # β of its importance weights
    temperatures: tuple[float, ...] = (1.0, 1.0, 0.5, 0.25)  # of actions in learning, each for as long a part of it
    temperature_moves: int = 0  # of an episode at that temperature, the best ones after that; 0: all
    random_opening: int = 0  # a game begins with up to so many random moves, which are not learned from

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {"model_config": _PAPER_MODEL},  # Atari
        "cpu": _CPU,
        "gumbel": {**_CPU, "planner": "gumbel-mcts", "planner_config": {"num_simulations": 25}},
        "board": _BOARD,
        "connect-four": {  # for a GPU
            **_BOARD,
            "num_games": 1_024,
            "random_opening": 12,
            "replay_capacity": 1_000_000,
            "updates_per_step": 0.004,
            "model_config": {
                **_BOARD_MODEL,
                "network": "conv",
                "num_blocks": 4,
                "batch_size": 1_024,
                "learning_rate": 1e-3,
            },
        },
        "minatar": {
            **_CPU,
            "alpha": 0.0,
            "model_config": {
                **_CPU_MODEL,
                "network": "mlp",
                "latent": 128,
                "hidden": 256,
                "td_steps": 10,
                "value_support": 10,
            },
        },
    }

    def __post_init__(self) -> None:
        for name in ("num_games", "replay_capacity", "initial_steps"):
            check_range(name, getattr(self, name), 1)
        for name in ("updates_per_step", "alpha", "beta", "temperature_moves", "random_opening"):
            check_range(name, getattr(self, name), 0)
        if not self.temperatures:
            raise ValueError("temperatures must have at least one number, got none")
        for each in self.temperatures:
            check_range("a temperature", each, 0.0)
