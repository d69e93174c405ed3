"""The losses of AlphaGo's phases, and steps on them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo_alphazero.alphago.networks import log_policy, value_of
from zoo_alphazero.alphago.records import Steps
from zoo_mcts.games.game import Array, Game

_BATCH = 1_024  # positions judged at once


def supervised_loss(logits: Tensor, legal: Tensor, action: Tensor) -> Tensor:
    """Returns -log p(a|s) of recorded moves, the mean over B: what p_σ and p_π climb down (methods, eq. 1).

    Args:
        logits: `[B, A]`.
        legal: bool `[B, A]`.
        action: `[B]`.
    """
    return functional.nll_loss(log_policy(logits, legal), action)


def policy_gradient_loss(logits: Tensor, legal: Tensor, action: Tensor, advantage: Tensor, num_games: int) -> Tensor:
    """Returns what REINFORCE climbs down: -1/n Σ_i Σ_t log p_ρ(a_t|s_t) (z_t - v(s_t)) over n games.

    A move of a game that was lost gets less likely, since its z is -1.

    Args:
        logits: `[M, A]` of p_ρ, in all positions of the games in which it was to move.
        legal: bool `[M, A]`.
        action: `[M]` what it did.
        advantage: `[M]` z for the player who moved, less the baseline.
        num_games: n.
    """
    chosen = log_policy(logits, legal).gather(1, action[:, None]).squeeze(1)
    return -(chosen * advantage).sum() / num_games


def value_loss(value: Tensor, outcome: Tensor) -> Tensor:
    """Returns the mean squared error of v_θ `[B]` from z `[B]`, both for the player to move."""
    return functional.mse_loss(value, outcome)


def step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """Makes one step down a loss."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def batches(num: int, size: int, rng: torch.Generator) -> Iterator[Array]:
    """Yields the indices 0 to `num` - 1 in random order, about `size` at a time."""
    order = torch.randperm(num, generator=rng).numpy()
    yield from np.array_split(order, num_batches(num, size))


def num_batches(num: int, size: int) -> int:
    """Returns how many batches `batches` yields."""
    return max(1, round(num / size))


def seen_otherwise(game: Game, planes: Array, policy: Array, rng: torch.Generator) -> tuple[Array, Array]:
    """Returns positions `[B, ...]`, and what goes with moves `[B, A]`, in one of the game's symmetries."""
    views = game.symmetries(planes, policy)
    return views[int(torch.randint(len(views), (1,), generator=rng))]


def to_device(device: torch.device, *arrays: Array) -> list[Tensor]:
    """Returns arrays as tensors."""
    return [torch.from_numpy(np.ascontiguousarray(array)).to(device) for array in arrays]


def moves_seen_otherwise(
    game: Game, steps: Steps, rows: Array, rng: torch.Generator, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns planes, legal moves and the move of some steps, in one of the game's symmetries."""
    marked = steps.legal[rows].astype(np.int8)
    marked[np.arange(len(rows)), steps.action[rows]] = 2
    planes, marks = to_device(device, *seen_otherwise(game, steps.planes[rows], marked, rng))
    return planes, marks > 0, marks.argmax(1)


def accuracy(network: nn.Module, steps: Steps, device: torch.device) -> float:
    """Returns how often a policy's likeliest legal move is the recorded one."""
    right = 0
    with torch.no_grad():
        for begin in range(0, len(steps.action), _BATCH):
            rows = slice(begin, begin + _BATCH)
            planes, legal, action = to_device(device, steps.planes[rows], steps.legal[rows], steps.action[rows])
            right += int((log_policy(network(planes), legal).argmax(1) == action).sum())
    return right / max(1, len(steps.action))


def value_error(network: nn.Module, planes: Array, outcome: Array, device: torch.device) -> float:
    """Returns the mean squared error of v_θ on positions."""
    total = 0.0
    with torch.no_grad():
        for begin in range(0, len(outcome), _BATCH):
            rows = slice(begin, begin + _BATCH)
            seen, z = to_device(device, planes[rows], outcome[rows])
            total += float((value_of(network, seen) - z).square().sum())
    return total / max(1, len(outcome))
