"""A belief with mean and covariance: linear dynamics, Gaussian noise, the Kalman filter."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from gymnasium import spaces as gym_spaces
from torch import Tensor

from zoo_core import spaces
from zoo_core.testing.fakes.data_range import DataRange
from zoo_core.world_model import ModelStep, WorldModel, select

_SENSOR_VARIANCE = 1e-4  # of what is observed, in the observation's units squared
_RIDGE = 1e-4


class Belief(NamedTuple):
    """Gaussian over what the observation would be without noise: mean `[B, D]` and covariance `[B, D, D]`."""

    mean: Tensor
    covariance: Tensor


class KalmanModel(WorldModel):
    """Linear-Gaussian dynamics by least squares, a quadratic reward, no termination.

    At temperature 0 `step` propagates mean and covariance, and the reward is its expectation under the belief; else it
    samples, and then knows where it is.
    """

    dynamics: Tensor
    noise: Tensor
    payoff: Tensor

    def __init__(self, observation_space: Any, action_space: Any, config: Any = None, *, seed: int = 0) -> None:
        super().__init__(observation_space, action_space, config, seed=seed)
        spaces.check_space(observation_space, (gym_spaces.Box,), what="observation", who="KalmanModel")
        dim, inputs = spaces.flat_dim(observation_space), spaces.flat_dim(action_space)
        self.obs_range, self.reward_range = DataRange(observation_space), DataRange()
        self.register_buffer("dynamics", torch.eye(dim + inputs + 1, dim))  # next mean = [mean, action, 1] @ dynamics
        self.register_buffer("noise", torch.eye(dim))
        self.register_buffer("payoff", torch.zeros(2 * (dim + inputs) + 1))  # weights of [x, a, x², a², 1]

    def fit(self, replay: Any, *, rng: Any, max_updates: Any = None, callback: Any = None) -> dict[str, float]:
        """Solves two least-squares problems."""
        self.remember(replay)
        steps = replay.tensors(self.device)
        obs, next_obs = steps.obs.flatten(1).float(), steps.next_obs.flatten(1).float()
        action = spaces.flatten(self.action_space, steps.action)
        self.obs_range.fit(torch.cat([obs, next_obs]))
        self.reward_range.fit(steps.reward[:, None])
        inputs = torch.cat([obs, action, torch.ones_like(obs[:, :1])], -1)
        self.dynamics.copy_(_ridge(inputs, next_obs))
        residual = next_obs - inputs @ self.dynamics
        self.noise.copy_(residual.T @ residual / len(residual) + 1e-6 * torch.eye(obs.shape[1], device=self.device))
        # The action that led to `next_obs` is paid with it: the reward is a function of where the step led.
        self.payoff.copy_(_ridge(_quadratic(next_obs, action, next_obs.square()), steps.reward[:, None])[:, 0])
        return {"mean_squared_residual": float(residual.square().mean())}

    def observe(self, state: Any, action: Any, obs: Tensor, is_first: Any, *, rng: torch.Generator) -> Belief:
        """Corrects the predicted belief by what was seen (the Kalman gain)."""
        seen = obs.flatten(1).float()
        sensor = _SENSOR_VARIANCE * torch.eye(seen.shape[1], device=self.device).expand(len(seen), -1, -1)
        begin = Belief(seen, sensor.clone())
        if state is None or is_first is None:
            return begin
        mean, covariance = self._predict(state, action)
        gain = torch.linalg.solve(covariance + sensor, covariance).mT  # both are symmetric
        corrected = mean + (gain @ (seen - mean)[..., None])[..., 0]
        return select(is_first, begin, Belief(corrected, covariance - gain @ covariance))  # type: ignore[no-any-return]

    def step(
        self, state: Any, action: Tensor, *, rng: torch.Generator, temperature: float = 1.0, uncertainty: bool = False
    ) -> ModelStep:
        """Predicts; the belief is held to the range of the data."""
        mean, covariance = self._predict(state, action)
        if temperature > 0:
            standard = torch.randn(mean.shape, generator=rng, device=self.device)
            spread = torch.linalg.cholesky(covariance)
            mean = mean + temperature**0.5 * (spread @ standard[..., None])[..., 0]
            covariance = torch.zeros_like(covariance)
        inside = self.obs_range.hold(mean)
        power = inside.square() + covariance.diagonal(dim1=-2, dim2=-1)
        reward = _quadratic(inside, spaces.flatten(self.action_space, action), power) @ self.payoff
        reward = self.reward_range.hold(reward[:, None])[:, 0]
        held = (inside != mean).any(-1)
        return ModelStep(Belief(inside, covariance), reward, torch.ones_like(reward), held=held)

    def decode(self, state: Any) -> Tensor:
        """Returns the mean."""
        return state.mean.reshape(-1, *self.observation_space.shape)  # type: ignore[no-any-return,misc]

    def features(self, state: Any) -> Tensor:
        """Returns mean and variances, side by side."""
        return torch.cat([state.mean, state.covariance.diagonal(dim1=-2, dim2=-1)], -1)

    def _predict(self, state: Any, action: Tensor) -> tuple[Tensor, Tensor]:
        inputs = [state.mean, spaces.flatten(self.action_space, action), torch.ones_like(state.mean[:, :1])]
        transition = self.dynamics[: state.mean.shape[1]].T
        return torch.cat(inputs, -1) @ self.dynamics, transition @ state.covariance @ transition.T + self.noise


def _ridge(inputs: Tensor, targets: Tensor) -> Tensor:
    gram = inputs.T @ inputs + _RIDGE * torch.eye(inputs.shape[1], device=inputs.device)
    weights: Tensor = torch.linalg.solve(gram, inputs.T @ targets)
    return weights


def _quadratic(obs: Tensor, action: Tensor, power: Tensor) -> Tensor:
    return torch.cat([obs, action, power, action.square(), torch.ones_like(obs[:, :1])], -1)
