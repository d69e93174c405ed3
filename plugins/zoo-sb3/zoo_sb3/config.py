"""Configs: SB3's own arguments under the algorithm's name, and how dream agents divide their time.

`--set ppo.n_steps=64` changes one argument of SB3's PPO and keeps the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from zoo_core.config import check_choice, check_range

Arguments = Mapping[str, Any]


@dataclass(frozen=True)
class PPOConfig:
    """SB3's PPO."""

    ppo: Arguments = field(default_factory=dict)  # arguments of stable_baselines3.PPO


@dataclass(frozen=True)
class A2CConfig:
    """SB3's A2C."""

    a2c: Arguments = field(default_factory=dict)  # arguments of stable_baselines3.A2C


@dataclass(frozen=True)
class DQNConfig:
    """SB3's DQN."""

    dqn: Arguments = field(default_factory=dict)  # arguments of stable_baselines3.DQN


@dataclass(frozen=True)
class SACConfig:
    """SB3's SAC."""

    sac: Arguments = field(default_factory=dict)  # arguments of stable_baselines3.SAC


@dataclass(frozen=True)
class TD3Config:
    """SB3's TD3."""

    td3: Arguments = field(default_factory=dict)  # arguments of stable_baselines3.TD3


@dataclass(frozen=True)
class DDPGConfig:
    """SB3's DDPG."""

    ddpg: Arguments = field(default_factory=dict)  # arguments of stable_baselines3.DDPG


@dataclass(frozen=True)
class DreamConfig:
    """The iterative procedure: collect real steps, fit the model to all of them, train in its dreams, and again."""

    model: str = "ensemble"  # a registered world model
    model_config: Arguments | None = None  # its config
    initial_steps: int = 400  # random real steps before the first fit
    round_steps: int = 200  # real steps between two fits
    explore_prob: float = 0.0  # chance of a random action in real steps, beside the policy's own noise
    dream_steps: int = 20_000  # dream steps after each fit
    num_dreams: int = 32  # dreams stepped together
    horizon: int = 50  # steps after which a dream is truncated
    starts: str = "observations"  # dreams begin at any stored "observations", or at "episodes", where real ones began
    observation: str = "decoded"  # what the policy sees: "decoded" observations or the model's "latent" features
    temperature: float = 1.0  # of the model's randomness
    uncertainty_penalty: float = 0.0  # times the epistemic uncertainty, off the reward (MOPO)
    max_uncertainty: float | None = None  # epistemic uncertainty that truncates a dream

    def __post_init__(self) -> None:
        check_range("initial_steps", self.initial_steps, 2)  # a fit holds out one
        for name in ("round_steps", "dream_steps", "num_dreams", "horizon"):
            check_range(name, getattr(self, name), 1)
        check_range("explore_prob", self.explore_prob, 0.0, 1.0)
        check_range("temperature", self.temperature, 0.0)
        check_range("uncertainty_penalty", self.uncertainty_penalty, 0.0)
        check_choice("starts", self.starts, ("observations", "episodes"))
        check_choice("observation", self.observation, ("decoded", "latent"))


# Chosen on Pendulum-v1: 8 updates every 32 dream steps; networks half as wide as SB3's learn as well in half the time.
_OFF_POLICY = {
    "learning_starts": 1_000,
    "train_freq": 1,
    "gradient_steps": 8,
    "buffer_size": 100_000,
    "policy_kwargs": {"net_arch": [128, 128]},
}


@dataclass(frozen=True)
class DreamSACConfig(DreamConfig):
    """SB3's SAC in dreams."""

    sac: Arguments = field(  # arguments of stable_baselines3.SAC
        default_factory=lambda: {**_OFF_POLICY, "learning_rate": 1e-3}
    )


@dataclass(frozen=True)
class DreamTD3Config(DreamConfig):
    """SB3's TD3 in dreams."""

    explore_prob: float = 0.1
    td3: Arguments = field(  # arguments of stable_baselines3.TD3; action_noise is the deviation of Gaussian noise
        default_factory=lambda: {**_OFF_POLICY, "action_noise": 0.1}
    )


@dataclass(frozen=True)
class DreamDQNConfig(DreamConfig):
    """SB3's DQN in dreams."""

    explore_prob: float = 0.1
    dqn: Arguments = field(  # arguments of stable_baselines3.DQN
        default_factory=lambda: {**_OFF_POLICY, "target_update_interval": 500}
    )


@dataclass(frozen=True)
class DreamPPOConfig(DreamConfig):
    """SB3's PPO in dreams."""

    initial_steps: int = 1_000
    round_steps: int = 500
    explore_prob: float = 0.2
    dream_steps: int = 150_000
    num_dreams: int = 64
    horizon: int = 500
    starts: str = "episodes"
    ppo: Arguments = field(  # arguments of stable_baselines3.PPO
        default_factory=lambda: {"n_steps": 64, "batch_size": 512, "n_epochs": 10}
    )


@dataclass(frozen=True)
class DreamA2CConfig(DreamConfig):
    """SB3's A2C in dreams."""

    initial_steps: int = 1_000
    round_steps: int = 500
    explore_prob: float = 0.2
    dream_steps: int = 150_000
    num_dreams: int = 64
    horizon: int = 500
    starts: str = "episodes"
    a2c: Arguments = field(default_factory=lambda: {"n_steps": 16})  # arguments of stable_baselines3.A2C
