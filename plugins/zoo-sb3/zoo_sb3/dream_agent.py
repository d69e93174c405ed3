"""SB3's algorithms trained inside a learned world model: any registered model × any of five algorithms.

The iterative procedure (Ha & Schmidhuber 2018, arXiv:1803.10122, section 5; Dyna, Sutton 1991): collect real steps, fit
the model to all of them, train the policy in dreams only, collect again with it.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import VecEnv, VecNormalize
from torch import Tensor

from zoo_core import spaces
from zoo_core.acting import RandomPolicy, SpacesOnly
from zoo_core.dream import DreamVecEnv
from zoo_core.dream.latent import LatentPolicy, latent_space
from zoo_core.model_based_agent import ModelBasedAgent
from zoo_core.packing import add_prefix, with_prefix
from zoo_core.progress import Progress
from zoo_core.replay import Replay
from zoo_core.seeding import numpy_rng, stream_seed
from zoo_core.world_model import State
from zoo_sb3.config import DreamA2CConfig, DreamDQNConfig, DreamPPOConfig, DreamSACConfig, DreamTD3Config
from zoo_sb3.learner import Acting, Learner


class DreamAgent(ModelBasedAgent):
    """Learns a world model from real steps, and its policy in dreams alone.

    Behind a VecNormalize, replay and world model hold raw observations and rewards; the policy sees them normalised, in
    dreams as in reality, by the same statistics.
    """

    algorithm: ClassVar[str]

    def __init__(self, env: Any, config: Any = None, **kwargs: Any) -> None:
        super().__init__(env, config, **kwargs)
        self._check_normalization()
        latent = self.config.observation == "latent"
        seen = latent_space(self.model) if latent else self.observation_space
        self.learner = Learner(
            self.algorithm,
            SpacesOnly(seen, self.action_space, num_envs=self.config.num_dreams),
            getattr(self.config, self.algorithm),
            seed=stream_seed(self.seed, "learner") % 2**32,
            device=self.device,
        )
        self._actors = {name: Acting(self.learner, stream_seed(self.seed, name)) for name in ("acting", "exploring")}
        self._acting, self._exploring = (self._policy(name) for name in self._actors)

    @property
    def latent_policy(self) -> Any:
        """The policy on features, where it was trained on them."""
        return self._actors["acting"] if self.config.observation == "latent" else None

    def iterate(self) -> dict[str, float]:
        """Makes one round: collect, fit, train in the dream. Told to stop while it collects, it keeps the policy it
        has.
        """
        real = self._collect()
        if self.env.stop:
            return real
        return {**real, **self._fit_and_train()}

    def learn_offline(self, replay: Replay) -> dict[str, float]:
        """Fits the model to a replay, which is kept and may grow, and trains the policy in dreams of it."""
        self.take_replay(replay)
        return {"replay/steps": float(len(replay)), **self._fit_and_train()}

    def _collect(self) -> dict[str, float]:
        """Acts in the real environment: at random in the first round, then with the policy."""
        if len(self.replay) == 0 and self.round == 0:
            return self.collect_at_random(self.config.initial_steps)
        seed = stream_seed(self.seed, f"explore-{self.round}")
        policy = _Exploring(self._exploring, self.action_space, self.config.explore_prob, seed)
        return self.collect(policy, self.config.round_steps)

    def _fit_and_train(self) -> dict[str, float]:
        dream_seed = stream_seed(self.seed, f"dream-{self.round}")
        return {**self.fit(), **self._train_in_dreams(dream_seed)}

    def _train_in_dreams(self, seed: int) -> dict[str, float]:
        """Trains the policy in a fresh batch of dreams, from an empty buffer: older dreams were of a worse model."""
        dreams = self.make_dreams(seed=seed)
        env = self._normalized_like_real(dreams)
        self.learner.algorithm.set_logger(Logger(None, []))
        with Progress("train in dreams, steps", self.config.dream_steps, show=self.progress_bar) as progress:
            metrics = self.learner.learn(env, self.config.dream_steps, callback=_ReportSteps(progress))
        returns = [episode["r"] for episode in self.learner.algorithm.ep_info_buffer or ()]
        if returns:
            metrics["dream/ep_rew_mean"] = float(np.mean(returns))
        metrics["dream/held_fraction"] = dreams.imagination.held_fraction
        return metrics

    def make_dreams(self, num_envs: int | None = None, *, seed: int = 0, **changes: Any) -> DreamVecEnv:
        """Returns dreams in the present model, as the policy is trained in.

        Args:
            num_envs: number of dreams; default: the config's.
            seed: of the dreams.
            **changes: arguments of `DreamVecEnv` in place of the config's.
        """
        config = self.config
        arguments = {
            "horizon": config.horizon,
            "observation": config.observation,
            "temperature": config.temperature,
            "uncertainty_penalty": config.uncertainty_penalty,
            "max_uncertainty": config.max_uncertainty,
            "starts": self._start_anywhere() if config.starts == "observations" and len(self.replay) else None,
        }
        return DreamVecEnv(self.model, num_envs or config.num_dreams, seed=seed, **{**arguments, **changes})

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = False
    ) -> tuple[Any, Any]:
        """Chooses actions; a latent policy's belief travels in `state`."""
        return self._acting.predict(observation, state, episode_start, deterministic)  # type: ignore[no-any-return]

    def set_env(self, env: Any, force_reset: bool = True) -> None:
        """Replaces the environment; what was learned and stored is kept if the number of environments is the same."""
        super().set_env(env)
        self._check_normalization()

    def to_file(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Returns networks and optimisers; world model and replay are written beside them."""
        data, tensors = super().to_file()
        learner, parameters = self.learner.to_file()
        return {**data, "learner": learner}, {**tensors, **add_prefix(parameters, "learner/")}

    def load_file(self, data: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """Restores what `to_file` returned."""
        super().load_file(data, tensors)
        self.learner.load_file(data["learner"], with_prefix(tensors, "learner/"))

    def to_checkpoint(self) -> Any:
        """Returns where the random streams stand."""
        return {
            "learner": self.learner.to_checkpoint(),
            "actors": {name: actor.to_checkpoint() for name, actor in self._actors.items()},
            "filters": [policy.to_checkpoint() for policy in self._filters()],
        }

    def load_checkpoint(self, state: Any) -> None:
        """Restores what `to_checkpoint` returned."""
        self.learner.load_checkpoint(state["learner"])
        for name, actor in self._actors.items():
            actor.load_checkpoint(state["actors"][name])
        for policy, stored in zip(self._filters(), state["filters"], strict=True):
            policy.load_checkpoint(stored)

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _check_normalization(self) -> None:
        normalize = self.get_vec_normalize_env()
        if self.config.observation == "latent" and normalize is not None and normalize.norm_obs:
            raise ValueError(
                'observation="latent" needs raw observations, which the world model is fitted to: '
                "wrap the environment in VecNormalize(..., norm_obs=False)"
            )

    def _policy(self, name: str) -> Any:
        actor = self._actors[name]
        if self.config.observation == "decoded":
            return actor
        return LatentPolicy(actor, self.model, seed=stream_seed(self.seed, name))

    def _filters(self) -> list[LatentPolicy]:
        return [policy for policy in (self._acting, self._exploring) if isinstance(policy, LatentPolicy)]

    def _start_anywhere(self) -> Any:
        """Returns a start distribution: after any observation that was stored, finals excepted."""
        space, steps = self.observation_space, self.replay.transitions()

        def starts(num: int, *, rng: torch.Generator) -> State:
            rows = torch.randint(len(steps.reward), (num,), generator=rng, device=rng.device).cpu().numpy()
            obs = spaces.to_tensor(space, spaces.index(space, steps.obs, rows), self.model.device)
            return self.model.observe(None, None, obs, None, rng=rng)

        return starts

    def _normalized_like_real(self, dreams: DreamVecEnv) -> VecEnv:
        real = self.get_vec_normalize_env()
        if real is None:
            return dreams
        wrapped = VecNormalize(
            dreams,
            training=False,
            norm_obs=real.norm_obs,
            norm_reward=real.norm_reward,
            clip_obs=real.clip_obs,
            clip_reward=real.clip_reward,
            gamma=real.gamma,
            epsilon=real.epsilon,
            norm_obs_keys=real.norm_obs_keys,
        )
        wrapped.ret_rms = real.ret_rms
        if real.norm_obs:
            wrapped.obs_rms = real.obs_rms
        return wrapped


class DreamPPOAgent(DreamAgent):
    """PPO in dreams."""

    algorithm, config_class = "ppo", DreamPPOConfig


class DreamA2CAgent(DreamAgent):
    """A2C in dreams."""

    algorithm, config_class = "a2c", DreamA2CConfig


class DreamDQNAgent(DreamAgent):
    """DQN in dreams."""

    algorithm, config_class = "dqn", DreamDQNConfig


class DreamSACAgent(DreamAgent):
    """SAC in dreams."""

    algorithm, config_class = "sac", DreamSACConfig


class DreamTD3Agent(DreamAgent):
    """TD3 in dreams."""

    algorithm, config_class = "td3", DreamTD3Config


class _Exploring:
    """A policy whose actions are replaced by random ones with a given chance, row by row."""

    def __init__(self, policy: Any, action_space: Any, prob: float, seed: int) -> None:
        self._policy, self._prob, self._space = policy, prob, action_space
        self._random = RandomPolicy(action_space, seed=seed)
        self._rng = numpy_rng(seed, "explore")

    def predict(self, observation: Any, state: Any, episode_start: Any, deterministic: bool) -> tuple[Any, Any]:
        actions, state = self._policy.predict(observation, state, episode_start, deterministic)
        swap = self._rng.random(len(episode_start)) < self._prob
        random, _ = self._random.predict(observation, episode_start=episode_start)
        # In place: a latent policy keeps this array as its last action, and must believe what was done.
        spaces.put(self._space, actions, swap, spaces.index(self._space, random, swap))
        return actions, state


class _ReportSteps(BaseCallback):
    """Shows SB3's steps on a progress bar."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress

    def _on_step(self) -> bool:
        self._progress.to(self.num_timesteps)
        return True
