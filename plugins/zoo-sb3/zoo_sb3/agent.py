"""SB3's algorithms as agents of the zoo: the model-free baselines of every table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from stable_baselines3.common.callbacks import BaseCallback, ConvertCallback
from torch import Tensor

from zoo_core.agent import Agent
from zoo_core.recording import Recording
from zoo_core.sb3_arguments import find_algorithm
from zoo_core.seeding import stream_seed
from zoo_sb3.buffer import buffer_bytes
from zoo_sb3.config import A2CConfig, DDPGConfig, DQNConfig, PPOConfig, SACConfig, TD3Config
from zoo_sb3.learner import Acting, Learner

STEPS_PER_ITERATION = 50  # env steps at least: to swap the global random streams, before and after, takes 0.13 ms


class SB3Agent(Agent):
    """An SB3 algorithm, unmodified; with the same seed it learns the same weights as SB3 alone."""

    algorithm: ClassVar[str]
    left_out = frozenset({"replay_buffer"})  # as SB3's own `save` does

    def __init__(self, env: Any, config: Any = None, **kwargs: Any) -> None:
        super().__init__(env, config, **kwargs)
        self.learner = Learner(self.algorithm, self.env, self.sb3_arguments(), seed=self.seed, device=self.device)
        self._acting = Acting(self.learner, stream_seed(self.seed, "acting"))

    def sb3_arguments(self) -> Mapping[str, Any]:
        """Returns the arguments of the SB3 class."""
        arguments: Mapping[str, Any] = getattr(self.config, self.algorithm)
        return arguments

    def make_callbacks(self) -> list[BaseCallback]:
        """Returns SB3 callbacks that are a part of the agent, for the `learn` that begins."""
        return []

    def on_learn_start(self) -> None:
        """Hands SB3 the logger and lets it prepare."""
        self.learner.algorithm.set_logger(self.logger)
        go_on = ConvertCallback(lambda *_: not self.env.stop)
        self.learner.begin(self.remaining_timesteps, self.num_timesteps, [go_on, *self.make_callbacks()])

    def begin_episodes(self) -> None:
        """Resets the environment, as SB3 does when its `learn` begins."""
        self.learner.begin_episodes()

    def iterate(self) -> dict[str, float]:
        """Makes rollouts and their updates for some env steps; SB3 logs its own metrics."""
        goal = min(self.num_timesteps + STEPS_PER_ITERATION, self.total_timesteps)
        self.learner.iterate(lambda: self.num_timesteps < goal and not self.env.stop)
        return {}

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = False
    ) -> tuple[Any, Any]:
        """Chooses actions as SB3's policy does."""
        return self._acting.predict(observation, state, episode_start, deterministic)

    def set_env(self, env: Any, force_reset: bool = True) -> None:
        """Replaces the environment; spaces and number of environments must be the same."""
        super().set_env(env)
        self.learner.algorithm.set_env(self.env)

    def to_file(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Returns networks, optimisers and counters."""
        return self.learner.to_file()

    def load_file(self, data: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """Restores what `to_file` returned."""
        self.learner.load_file(data, tensors)

    def to_checkpoint(self) -> Any:
        """Returns where the random streams stand, and SB3's schedules."""
        return {"learner": self.learner.to_checkpoint(), "acting": self._acting.to_checkpoint()}

    def load_checkpoint(self, state: Any) -> None:
        """Restores what `to_checkpoint` returned."""
        self.learner.load_checkpoint(state["learner"])
        self._acting.load_checkpoint(state["acting"])

    @classmethod
    def replay_bytes(
        cls, observation_space: Any, action_space: Any, config: Any, *, num_envs: int, total_timesteps: int
    ) -> int:
        """Returns the size of SB3's replay buffer, which is made whole; 0 where the algorithm has none."""
        arguments = getattr(config, cls.algorithm)
        return buffer_bytes(find_algorithm(cls.algorithm), arguments, observation_space, action_space, num_envs)

    @property
    def recordings(self) -> dict[str, Recording]:
        """SB3's replay buffer, where the algorithm has one."""
        return dict(self.learner.recordings)


class PPOAgent(SB3Agent):
    """Proximal policy optimisation (Schulman et al. 2017, arXiv:1707.06347)."""

    algorithm, config_class = "ppo", PPOConfig


class A2CAgent(SB3Agent):
    """Advantage actor-critic (Mnih et al. 2016, arXiv:1602.01783)."""

    algorithm, config_class = "a2c", A2CConfig


class DQNAgent(SB3Agent):
    """Deep Q-network (Mnih et al. 2015, doi:10.1038/nature14236)."""

    algorithm, config_class = "dqn", DQNConfig


class SACAgent(SB3Agent):
    """Soft actor-critic (Haarnoja et al. 2018, arXiv:1812.05905)."""

    algorithm, config_class = "sac", SACConfig


class TD3Agent(SB3Agent):
    """Twin delayed deterministic policy gradient (Fujimoto et al. 2018, arXiv:1802.09477)."""

    algorithm, config_class = "td3", TD3Config


class DDPGAgent(SB3Agent):
    """Deep deterministic policy gradient (Lillicrap et al. 2016, arXiv:1509.02971)."""

    algorithm, config_class = "ddpg", DDPGConfig
