"""MBPO as an agent: SB3's SAC, unmodified, learns from short dreams that branch off real experience."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv, unwrap_vec_normalize
from torch import Tensor

from zoo_core.model_based_agent import build_model, check_replay
from zoo_core.progress import Progress
from zoo_core.recording import Recording
from zoo_core.replay import Replay
from zoo_core.world_model import WorldModel
from zoo_mbpo.buffer import MixedReplayBuffer, check_raw, check_spaces
from zoo_mbpo.callback import MBPOCallback
from zoo_mbpo.config import MBPOConfig
from zoo_sb3.agent import SB3Agent


class MBPOAgent(SB3Agent):
    """Model-based policy optimisation (Janner et al. 2019, arXiv:1906.08253, algorithm 2).

    | line of algorithm 2 | here |
    | --- | --- |
    | 2-3, for N epochs | `learn` |
    | 4, train the model on real data | `MBPOCallback.fit`, every `model_interval` steps |
    | 5-6, take an action, add to real data | SB3's `collect_rollouts`, `MixedReplayBuffer.add` |
    | 7-8, M rollouts of k steps from real states, add to model data | `MBPOCallback.dream`, `branched_rollouts` |
    | 9-10, G gradient updates on model data | SB3's `SAC.train`, `MixedReplayBuffer.sample` |

    With `uncertainty_penalty` and `learn_offline` it is MOPO (Yu et al. 2020, arXiv:2005.13239).

    Differs from the papers: the model learns the termination, unless it is told; MOPO's penalty is on what the members
    disagree about, not on the largest variance that one of them predicts.
    """

    algorithm, config_class = "sac", MBPOConfig
    left_out = frozenset({"dreams"})  # of `save`; the next fit makes new ones

    def __init__(self, env: Any, config: Any = None, **kwargs: Any) -> None:
        super().__init__(env, config, **kwargs)
        options = self.config
        self.model = build_model(self)
        self.dreaming = MBPOCallback(
            self.model,
            model_interval=options.model_interval,
            epoch_steps=options.epoch_steps,
            rollouts_per_step=options.rollouts_per_step,
            rollout_schedule=options.rollout_schedule,
            retain_epochs=options.retain_epochs,
            uncertainty_penalty=options.uncertainty_penalty,
            seed=self.seed,
        )
        self.dreaming.init_callback(self.learner.algorithm)

    @property
    def world_model(self) -> WorldModel:
        """The world model."""
        return self.model

    @property
    def buffer(self) -> MixedReplayBuffer:
        """Real steps and dreams."""
        return self.dreaming.buffer

    @property
    def replay(self) -> Replay:
        """All real steps."""
        return self.buffer.replay

    def sb3_arguments(self) -> Mapping[str, Any]:
        """Returns the arguments of SB3's SAC, with a replay of its own."""
        check_spaces(self.observation_space, self.action_space, who="MBPO")
        num_envs = self.env.num_envs
        replay = Replay(self.observation_space, self.action_space, num_envs=num_envs)
        return {
            **self.config.sac,
            "learning_starts": self.config.initial_steps,
            "gradient_steps": self.config.updates_per_step * num_envs,
            "replay_buffer_class": MixedReplayBuffer,
            "replay_buffer_kwargs": {"real_ratio": self.config.real_ratio, "replay": replay},
        }

    def make_callbacks(self) -> list[BaseCallback]:
        """Returns what fits and dreams within SB3's loop."""
        self.dreaming.progress_bar = self.progress_bar
        return [self.dreaming]

    def on_learn_start(self) -> None:
        """Says so where `learn` ends before its first update, and hands over to SB3."""
        if self.total_timesteps <= self.config.initial_steps:
            warnings.warn(
                f"nothing will be learned in {self.total_timesteps:,} steps: the first {self.config.initial_steps:,} "
                "are random (initial_steps); learn for more, or take fewer random ones",
                stacklevel=4,  # where `learn` is called
            )
        super().on_learn_start()

    def learn_offline(self, replay: Replay) -> dict[str, float]:
        """Fits the model to a replay, which is kept and may grow, then dreams and updates as in `offline_steps` env
        steps, without making one.
        """
        check_replay(replay, self.env)
        self.buffer.replay, self.dreaming.progress_bar = replay, self.progress_bar
        config, metrics = self.config, {"replay/steps": float(len(replay)), **self.dreaming.fit()}
        with Progress("train in dreams, steps", config.offline_steps, show=self.progress_bar) as progress:
            for begun in range(0, config.offline_steps, config.model_interval):
                steps = min(config.model_interval, config.offline_steps - begun)
                with self.learner.streams:
                    metrics |= self.dreaming.dream(begun)
                metrics |= self.learner.train(steps * config.updates_per_step)
                progress.to(begun + steps)
        return metrics

    def set_env(self, env: Any, force_reset: bool = True) -> None:
        """Replaces the environment; spaces and number of environments must be the same."""
        check_raw(unwrap_vec_normalize(env) if isinstance(env, VecEnv) else None)
        super().set_env(env)

    def to_file(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Returns networks, optimisers and counters; world model and replay are written beside them."""
        data, tensors = super().to_file()
        return {**data, "round": self.dreaming.round, "fitted_at": self.dreaming.fitted_at}, tensors

    def load_file(self, data: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """Restores what `to_file` returned."""
        super().load_file(data, tensors)
        self.dreaming.round, self.dreaming.fitted_at = int(data["round"]), int(data["fitted_at"])

    @classmethod
    def replay_bytes(
        cls, observation_space: Any, action_space: Any, config: Any, *, num_envs: int, total_timesteps: int
    ) -> int:
        """Returns what all real steps take; past a limit, the replay moves them to temporary files."""
        return Replay.bytes_needed(observation_space, action_space, total_timesteps, num_envs)

    @property
    def recordings(self) -> dict[str, Recording]:
        """Real steps, and dreams."""
        return {"replay": self.replay, "dreams": self.buffer.dreams}
