"""Stable-Baselines3 learners inside a dream."""

from __future__ import annotations

from typing import Any

from gymnasium import spaces
from stable_baselines3 import DQN, PPO, SAC

from zoo_core.dream import DreamVecEnv
from zoo_core.testing.checks.expect import expect
from zoo_core.world_model import WorldModel


def check_sb3_learns(model: WorldModel, *, steps: int = 512, **imagination: Any) -> None:
    """Checks that PPO, and SAC or DQN as the action space has it, learn `steps` steps in the dream."""
    env = DreamVecEnv(model, 8, seed=0, **{"horizon": 20, **imagination})
    policy = "MultiInputPolicy" if isinstance(env.observation_space, spaces.Dict) else "MlpPolicy"
    sizes: dict[Any, dict[str, Any]] = {PPO: {"n_steps": 32, "batch_size": 128, "n_epochs": 1}}
    if isinstance(env.action_space, spaces.Discrete | spaces.Box):
        off_policy = DQN if isinstance(env.action_space, spaces.Discrete) else SAC
        sizes[off_policy] = {"buffer_size": 1_000, "learning_starts": 64, "batch_size": 32, "train_freq": 4}
    for algorithm, size in sizes.items():
        learner = algorithm(policy, env, policy_kwargs={"net_arch": [16]}, seed=0, device="cpu", **size)
        learner.learn(steps)
        name = type(learner).__name__
        expect(learner.num_timesteps >= steps, f"{name} learns", learner.num_timesteps, "look at the VecEnv")
        expect(
            len(learner.ep_info_buffer) > 0, f"{name} sees episodes end", "no info['episode']", "fill it when they end"
        )
