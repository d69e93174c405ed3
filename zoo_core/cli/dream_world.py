"""A saved world model as a place to learn in, to be judged in, and to film."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo_core.acting import as_vec_env
from zoo_core.cli.reality import Reality
from zoo_core.dream import DreamEnv, DreamVecEnv, LatentVecEnv
from zoo_core.evaluation import EVALUATION_SEED, MAX_ENVS, EvaluationResult, evaluate
from zoo_core.video import dream_and_reality, record_gif, side_by_side_gif
from zoo_core.world_model import WorldModel


@dataclass(frozen=True)
class DreamWorld:
    """How to dream in a model, and the reality that it is a model of.

    Attributes:
        model: To dream in.
        reality: Its environment, None if it is not at hand.
        horizon: Steps of a dream.
        temperature: Of the model's randomness.
        observation: What a policy sees, "decoded" or "latent".
    """

    model: WorldModel
    reality: Reality | None
    horizon: int
    temperature: float
    observation: str

    def settings(self) -> dict[str, Any]:
        """Returns the arguments that every dream gets."""
        return {"horizon": self.horizon, "temperature": self.temperature, "observation": self.observation}

    def dreams(self, num_envs: int, seed: int = 0) -> DreamVecEnv:
        """Returns fresh dreams."""
        return DreamVecEnv(self.model, num_envs, seed=seed, **self.settings())

    def evaluate(self, policy: Any, episodes: int) -> dict[str, EvaluationResult]:
        """Evaluates a policy in fresh dreams ("dream") and, where there is one, in reality ("reality")."""
        num_envs = min(episodes, MAX_ENVS)
        results = {"dream": evaluate(policy, self.dreams(num_envs), episodes=episodes)}
        if self.reality is not None:
            env = as_vec_env(self.reality.env_id, env_kwargs=self.reality.kwargs, num_envs=num_envs)
            acting = LatentVecEnv(env, self.model) if self.observation == "latent" else env
            results["reality"] = evaluate(policy, acting, episodes=episodes, env_state=self.reality.state)
            env.close()
        return results

    def film(self, policy: Any, path: Path) -> None:
        """Films a policy in a dream, beside the reality that began alike where there is one."""
        if self.reality is None:
            env = DreamEnv(self.model, render_mode="rgb_array", **self.settings())
            record_gif(policy, env, path, seed=EVALUATION_SEED, max_steps=self.horizon)
            return
        dreamt, happened = dream_and_reality(
            policy,
            self.model,
            self.reality.env_id,
            steps=self.horizon,
            seed=EVALUATION_SEED,
            env_kwargs=self.reality.kwargs,
            env_state=self.reality.state,
            observation=self.observation,
            temperature=self.temperature,
        )
        labels = (f"dream {dreamt.episode_return:.1f}", f"reality {happened.episode_return:.1f}")
        side_by_side_gif(dreamt.frames, happened.frames, path, labels, fps=happened.fps)
