"""What candidate actions would return in a world model: B roots, N candidates and P particles in one call a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from zoo_core.errors import NonFiniteError
from zoo_core.planner import Evaluate
from zoo_core.world_model import State, WorldModel, batch_size, repeat
from zoo_planners.evaluation import state_values

# choose(t, state) -> actions [B * N * P, ...] of step t; rows of one root are neighbours, as are those of one candidate
Choose = Callable[[int, State], Tensor]


class Imagined(NamedTuple):
    """What N candidates came to, from B roots.

    Attributes:
        returns: `[B, N]`, the mean over particles; NaN where the model predicted NaN.
        actions: `[B, N, H, ...]` that were taken (by the first particle).
    """

    returns: Tensor
    actions: Tensor


def imagine(
    model: WorldModel,
    state: State,
    choose: Choose,
    num_candidates: int,
    horizon: int,
    *,
    rng: torch.Generator,
    num_particles: int = 1,
    gamma: float = 1.0,
    evaluate: Evaluate | None = None,
) -> Imagined:
    """Follows N candidates from each of B roots through the model.

    Gradients flow where they are not switched off. Nothing counts after an end, not even NaN.

    Args:
        model: to imagine in.
        state: beliefs of B roots.
        choose: the action of every row at a step, `(t, state) -> [B * N * P, ...]`.
        num_candidates: N.
        horizon: steps H.
        rng: source of randomness, on the model's device.
        num_particles: P, over which each candidate's return is averaged.
        gamma: discount.
        evaluate: its value of the last state is added; None adds nothing.

    Raises:
        ValueError: the model is a game of several players, or `evaluate` returns values of another shape.
    """
    check_one_player(model)
    num_roots = batch_size(state)
    rows = repeat(state, num_candidates)
    if num_particles > 1:
        rows = model.particles(rows, num_particles, rng=rng)
    shape = (num_roots, num_candidates, num_particles)
    weight = torch.ones(shape, device=rng.device).flatten()  # γ^t times the probability of having got so far
    total = torch.zeros_like(weight)
    taken = []
    for t in range(horizon):
        action = choose(t, rows)
        step = model.step(rows, action, rng=rng)
        total = total + weighted(step.reward, weight)
        weight = weight * (gamma * step.continues)
        rows = step.state
        taken.append(action.reshape(*shape, *action.shape[1:])[:, :, 0])
    if evaluate is not None:
        total = total + weighted(state_values(evaluate, rows, rng), weight)
    return Imagined(total.view(shape).mean(-1), torch.stack(taken, dim=2))


def weighted(value: Tensor, weight: Tensor) -> Tensor:
    """Returns the product, 0 where the weight is 0, whatever the value; so are then its gradients."""
    return weight * value.masked_fill(weight == 0.0, 0.0)


def check_one_player(model: WorldModel) -> None:
    """Checks that a sequence of actions is that of one player, since rewards are those of whoever moved.

    Raises:
        ValueError: there are more.
    """
    if model.num_players > 1:
        raise ValueError(
            f"a sequence of actions is planned for one player, got {type(model).__name__}, a game of "
            f"{model.num_players}: plan in it by forward-search, rollout or a tree search"
        )


def follow(sequences: Tensor, num_particles: int = 1) -> Choose:
    """Returns what takes the actions of `[B, N, H, ...]` one after the other, in the environment's units."""
    by_step = sequences.flatten(0, 1).transpose(0, 1)  # [H, B * N, ...]

    def choose(t: int, state: State) -> Tensor:
        return by_step[t].repeat_interleave(num_particles, 0) if num_particles > 1 else by_step[t]

    return choose


def prefer(scores: Tensor, model: WorldModel, num_particles: int = 1) -> Choose:
    """Returns what takes, of Discrete actions, the one of the greatest score `[B, N, H, A]` that is legal.

    A legal action is taken even where its score is -inf.
    """
    by_step = scores.clamp_min(torch.finfo(scores.dtype).min).flatten(0, 1).transpose(0, 1)

    def choose(t: int, state: State) -> Tensor:
        score = by_step[t].repeat_interleave(num_particles, 0) if num_particles > 1 else by_step[t]
        legal = model.legal_actions(state)
        if legal is not None:
            score = score.masked_fill(~legal & legal.any(-1, keepdim=True), -torch.inf)  # a game that is over has none
        return score.argmax(-1)

    return choose


def rank_nan_last(returns: Tensor, model: WorldModel) -> Tensor:
    """Returns `[B, N]` returns with −∞ for what is no finite number.

    Raises:
        NonFiniteError: a root has no return that is a number.
    """
    returns = torch.where(returns.isfinite(), returns, -torch.inf)
    hopeless = (returns == -torch.inf).all(1)
    if bool(hopeless.any()):
        raise NonFiniteError(
            f"{type(model).__name__} predicted no return that is a number from root {int(hopeless.int().argmax())}: "
            "look at its rewards, and at the values of `evaluate`"
        )
    return returns
