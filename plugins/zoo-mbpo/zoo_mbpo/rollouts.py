"""Branched rollouts: short dreams that begin where real experience has been (Janner et al. 2019, arXiv:1906.08253)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from zoo_core.errors import NonFiniteError
from zoo_core.replay.experience import Transitions
from zoo_core.world_model import ModelStep, WorldModel, index

Policy = Callable[[Any], Tensor]  # observations [B, ...] -> actions [B, ...] in the environment's units


@torch.no_grad()
def branched_rollouts(
    model: WorldModel,
    obs: Tensor,
    policy: Policy,
    length: int,
    *,
    rng: torch.Generator,
    uncertainty_penalty: float = 0.0,
) -> Transitions:
    """Imagines up to `length` steps from each of B observations; a rollout stops where its episode terminates.

    Args:
        model: to dream in, of Box observations.
        obs: `[B, ...]` real observations, on the model's device.
        policy: chooses the actions.
        length: k, steps after which a rollout is truncated.
        rng: of the model and of terminations, on the model's device.
        uncertainty_penalty: λ, times the epistemic uncertainty, off the reward (MOPO, Yu et al. 2020,
            arXiv:2005.13239).

    Returns:
        At most B * length steps as float32 and bool tensors, in the order of time. `terminated` is sampled from the
        model; `truncated` is true in the last step of a rollout that did not terminate.

    Raises:
        ValueError: a penalty, and the model reports no epistemic uncertainty; or `length` is less than 1.
        NonFiniteError: the model predicted NaN or infinity.
    """
    if length < 1:
        raise ValueError(f"a rollout has at least 1 step, got length={length}")
    state = model.observe(None, None, obs, None, rng=rng)
    parts: list[Transitions] = []
    for t in range(length):
        action = policy(obs)
        step = model.step(state, action, rng=rng, uncertainty=uncertainty_penalty != 0)
        next_obs, reward = model.decode(step.state), _penalised(step, uncertainty_penalty, model)
        ended = torch.rand(len(reward), generator=rng, device=reward.device) >= step.continues
        cut = torch.full_like(ended, t + 1 == length) & ~ended
        parts.append(Transitions(obs.float(), action, reward, next_obs.float(), ended, cut))
        _check_finite(model, step, parts[-1])
        obs, state = next_obs, step.state
        if ended.any():
            going = torch.nonzero(~ended)[:, 0]
            if len(going) == 0:
                break
            obs, state = obs[going], index(state, going)
    return Transitions(*(torch.cat(columns) for columns in zip(*parts, strict=True)))


def _penalised(step: ModelStep, penalty: float, model: WorldModel) -> Tensor:
    """Returns the reward `[B]`, less the penalty on what the model does not know."""
    if penalty == 0:
        return step.reward
    if step.uncertainty is None:
        raise ValueError(
            f"{type(model).__name__} reports no epistemic uncertainty: set uncertainty_penalty to 0, or take a model "
            "that does, such as an ensemble"
        )
    return step.reward - penalty * step.uncertainty["epistemic"]


def _check_finite(model: WorldModel, step: ModelStep, seen: Transitions) -> None:
    lowest, highest = (float(each) for each in step.continues.aminmax())
    if not 0 <= lowest <= highest <= 1:  # NaN is nowhere
        raise NonFiniteError(
            f"{type(model).__name__} predicted probabilities to continue from {lowest} to {highest}, expected [0, 1]"
        )
    if not (seen.reward.isfinite().all() and seen.next_obs.isfinite().all()):
        raise NonFiniteError(f"{type(model).__name__} predicted an observation or reward that is NaN or infinite")
