"""What agents share that collect real experience and fit a world model to it."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor

from zoo_core.acting import Collector, RandomPolicy
from zoo_core.agent import Agent
from zoo_core.plugins import make_model
from zoo_core.progress import Progress
from zoo_core.recording import Recording
from zoo_core.replay import Replay
from zoo_core.seeding import stream_seed
from zoo_core.world_model import WorldModel, stream


class ModelBasedAgent(Agent):
    """Keeps all real steps in `replay`, and fits `model` to them; a subclass says in `iterate` when, and how it acts.

    The config names the model: `model` and `model_config`. Behind a VecNormalize, replay and model hold raw
    observations and rewards.
    """

    def __init__(self, env: Any, config: Any = None, **kwargs: Any) -> None:
        super().__init__(env, config, **kwargs)
        self.model = build_model(self)
        self.round = 0  # fits made, and what came with each
        self._begin_replay()

    @property
    def world_model(self) -> WorldModel:
        """The world model."""
        return self.model

    @property
    def recordings(self) -> dict[str, Recording]:
        """All real steps."""
        return {"replay": self.replay}

    @classmethod
    def replay_bytes(
        cls, observation_space: Any, action_space: Any, config: Any, *, num_envs: int, total_timesteps: int
    ) -> int:
        """Returns what all real steps take; past a limit, the replay moves them to temporary files."""
        return Replay.bytes_needed(observation_space, action_space, total_timesteps, num_envs)

    def begin_episodes(self) -> None:
        """Lets the next collection begin with a reset; running episodes are stored as truncated."""
        self._collector.restart()

    def set_env(self, env: Any, force_reset: bool = True) -> None:
        """Replaces the environment; what was learned and stored is kept if the number of environments is the same."""
        super().set_env(env)
        self._go_on_with(self.replay)

    # -- what `iterate` is made of -------------------------------------------------------------------------------------

    def collect(self, policy: Any, steps: int) -> dict[str, float]:
        """Acts in the real environment for `steps` decisions, and stores what happens.

        It stops early where `self.env.stop` says so, and never goes beyond the steps of the running `learn`.

        Args:
            policy: anything with SB3's `predict`.
            steps: decisions, over all environments.

        Returns:
            Metrics: steps stored, and the mean return of the episodes that ended.
        """
        steps = min(steps, self.remaining_timesteps)
        with Progress("real steps", steps, show=self.progress_bar) as progress:

            def go_on(made: int) -> bool:
                progress.to(made)
                return not self.env.stop

            ended = self._collector.collect(policy, steps, callback=go_on)
        metrics = {"replay/steps": float(len(self.replay))}
        if ended:
            metrics["real/ep_rew_mean"] = float(np.mean([episode["r"] for episode in ended]))
        return metrics

    def collect_at_random(self, steps: int) -> dict[str, float]:
        """Does what `collect` does, by uniformly random actions."""
        seed = stream_seed(self.seed, f"random-{len(self.replay)}") if len(self.replay) else self.seed
        return self.collect(RandomPolicy(self.action_space, seed=seed), steps)

    def fit(self) -> dict[str, float]:
        """Fits the model to all real steps so far."""
        rng = stream(self.model, self.seed, f"fit-{self.round}")
        metrics = fit_with_progress(self.model, self.replay, rng=rng, show=self.progress_bar)
        self.round += 1
        return metrics

    def take_replay(self, replay: Replay) -> None:
        """Goes on with stored experience, which is kept and may grow.

        Raises:
            ValueError: it is of other spaces, or of another number of environments.
        """
        check_replay(replay, self.env)
        self._go_on_with(replay)

    # -- files ---------------------------------------------------------------------------------------------------------

    def to_file(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Returns what a subclass adds to; model and replay are written beside it."""
        return {"round": self.round}, {}

    def load_file(self, data: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """Restores what `to_file` returned."""
        self.round = operator.index(data["round"])

    def _begin_replay(self) -> None:
        self.replay = Replay(
            self.observation_space,
            self.action_space,
            num_envs=self.env.num_envs,
            env_id=getattr(self, "env_id", None),
        )
        self._collector = Collector(self.env, self.replay)

    def _go_on_with(self, replay: Replay) -> None:
        """Stores in `replay` from now on, or in a new one if it is of another number of environments."""
        if replay.num_envs == self.env.num_envs:
            self.replay, self._collector = replay, Collector(self.env, replay)
        else:
            self._begin_replay()


# -- what agents of another base share with these ----------------------------------------------------------------------


def build_model(agent: Agent) -> WorldModel:
    """Makes the model that an agent's config names in `model` and `model_config`, for its spaces, on its device."""
    return make_model(
        agent.config.model,
        agent.observation_space,
        agent.action_space,
        agent.config.model_config,
        seed=stream_seed(agent.seed, "model"),
        device=agent.device,
    )


def check_replay(replay: Replay, env: VecEnv) -> None:
    """Checks that stored experience can go on in an environment.

    Raises:
        ValueError: it is of other spaces, or of another number of environments.
    """
    for name in ("observation_space", "action_space", "num_envs"):
        wanted, found = getattr(env, name), getattr(replay, name)
        if wanted != found:
            raise ValueError(f"{name} of the replay is {found}, that of the agent's environment is {wanted}")


def fit_with_progress(model: WorldModel, replay: Replay, *, rng: torch.Generator, show: bool) -> dict[str, float]:
    """Fits a model to a replay, with a progress bar if `show`; returns its metrics as "model/..."."""
    with Progress("fit the model, updates", None, show=show) as progress:
        metrics = model.fit(replay, rng=rng, callback=lambda updates, _: progress.to(updates))
    return {f"model/{name}": value for name, value in metrics.items()}
