"""A world model of one's own, without registering it: least squares, and what is known of CartPole-v1.

`check_world_model` says whether it keeps the contract; then SB3's PPO trains in it.
"""

from typing import Any, NamedTuple

import torch
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy
from torch import Tensor

import zoo_core
from zoo_core.acting import as_vec_env
from zoo_core.testing import check_world_model

LIMITS = torch.tensor([2.4, torch.inf, 0.2095, torch.inf])  # beyond these the episode is over


class Belief(NamedTuple):
    """What the model believes: where the cart and the pole are, and whether the episode is over."""

    obs: Tensor
    over: Tensor


class LeastSquares(zoo_core.WorldModel):
    """The next observation is linear in this one and the action; a pole that fell has fallen."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.register_buffer("weights", torch.zeros(6, 4))  # buffers are saved with the model
        self.register_buffer("bounds", torch.zeros(2, 4))

    def fit(self, replay: Any, *, rng: Any, max_updates: Any = None, callback: Any = None) -> dict[str, float]:
        """Solves for the weights."""
        self.remember(replay)  # where episodes begin, so that dreams can
        steps = replay.tensors(self.device)
        inputs = _inputs(steps.obs, steps.action)
        self.weights.copy_(torch.linalg.lstsq(inputs, steps.next_obs).solution)
        self.bounds.copy_(1.5 * torch.stack(steps.next_obs.aminmax(dim=0)))  # a dream stays in the world
        return {"error": float((inputs @ self.weights - steps.next_obs).abs().mean())}

    def observe(self, state: Any, action: Any, obs: Tensor, is_first: Any, *, rng: Any) -> Belief:
        """Believes what it sees."""
        return Belief(obs, torch.zeros(len(obs), dtype=torch.bool))

    def step(
        self, state: Belief, action: Tensor, *, rng: Any, temperature: float = 1.0, uncertainty: bool = False
    ) -> Any:
        """Moves on; where the episode is over, nothing moves."""
        obs = (_inputs(state.obs, action) @ self.weights).clamp(*self.bounds)
        obs = torch.where(state.over[:, None], state.obs, obs)
        over = state.over | (obs.abs() > LIMITS).any(1)
        return zoo_core.ModelStep(Belief(obs, over), reward=1.0 - state.over.float(), continues=1.0 - over.float())

    def decode(self, state: Belief) -> Tensor:
        """Shows what it believes."""
        return state.obs


def _inputs(obs: Tensor, action: Tensor) -> Tensor:
    return torch.column_stack([obs, action, torch.ones_like(action)])


def main(real_steps: int = 2_000, dream_steps: int = 100_000) -> float:
    env = as_vec_env("CartPole-v1", seed=0)
    model = LeastSquares(env.observation_space, env.action_space)
    check_world_model(model, zoo_core.Replay.collect(env, real_steps, seed=0))
    dream = zoo_core.DreamVecEnv(model, num_envs=64, horizon=500, seed=0)
    policy = PPO("MlpPolicy", dream, n_steps=64, batch_size=512, learning_rate=1e-3, seed=0, device="cpu")
    policy.learn(dream_steps)
    mean, _ = evaluate_policy(policy, env, 10)
    print(f"return in reality: {mean:.0f} of 500")
    return mean


if __name__ == "__main__":
    main()
