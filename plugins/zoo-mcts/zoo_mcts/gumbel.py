"""Gumbel MuZero's search: which actions are tried at the root and below (Danihelka et al. 2022, ICLR).

The paper's symbols: g noise, σ `_sharpness` times the completed values, π' the improved policy, m `max_considered`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from zoo_mcts.compiled import Array, compiled, uniform
from zoo_mcts.noise import gumbel
from zoo_mcts.policy_tree import ROOT, PolicyTree, descend

_TINY = np.float32(np.finfo(np.float32).tiny)  # least prior that weighs a visited action's value


def considered_visits(num_considered: int, num_simulations: int) -> list[int]:
    """Returns how many visits the action has that each simulation tries, by sequential halving (fig. 1, algorithm 1).

    Args:
        num_considered: m, actions in the first round.
        num_simulations: n.
    """
    if num_considered <= 1:
        return list(range(num_simulations))
    rounds = math.ceil(math.log2(num_considered))
    sequence: list[int] = []
    visits = [0] * num_considered
    remaining = num_considered
    while len(sequence) < num_simulations:
        for _ in range(max(1, num_simulations // (rounds * remaining))):
            sequence += visits[:remaining]
            for i in range(remaining):
                visits[i] += 1
        remaining = max(2, remaining // 2)
    return sequence[:num_simulations]


def halving(max_considered: int, num_simulations: int) -> Array:
    """Returns `considered_visits` for 0 to `max_considered` actions, int32 `[max_considered + 1, num_simulations]`."""
    return np.array([considered_visits(m, num_simulations) for m in range(max_considered + 1)], np.int32)


@compiled
def mixed_value(tree: PolicyTree, row: int, node: int) -> Any:
    """Returns v_mix of a node (eq. 33): what an action is worth that was never tried.

    v_mix = (v + ΣN · Σ π q / Σ π) / (1 + ΣN), the sums of π over the visited actions. A v that is no finite number, as
    only a root's may be, is left out.
    """
    prior, visits, value = tree.prior[row, node], tree.visits[row, node], tree.value[row, node]
    weight, weighted = np.float32(0.0), np.float32(0.0)
    for action in range(len(prior)):
        if visits[action] > 0:
            probability = max(np.float32(math.exp(prior[action])), _TINY)
            weight += probability
            weighted += probability * value[action]
    worth, total = tree.worth[row, node], np.float32(tree.total[row, node])
    if not weight > 0.0:
        return worth
    if not np.isfinite(worth):
        return weighted / weight
    return (worth + total * weighted / weight) / (np.float32(1.0) + total)


@compiled
def complete(tree: PolicyTree, row: int, node: int, c_visit: float, c_scale: float, scratch: Array) -> None:
    """Fills `scratch` `[A]` with logits + σ(completed Q): the logits of the improved policy π' (eq. 11); -inf if out.

    An action that was never tried has the value v_mix (eq. 10). The completed values of the node's actions, those that
    are ruled out and those that are NaN aside, are scaled to [0, 1] by their least and greatest, as mctx does (no
    difference of less than 1e-8 is scaled up to more than itself times 1e8); then σ(q) = (c_visit + max N) c_scale q.
    """
    prior, visits, value = tree.prior[row, node], tree.visits[row, node], tree.value[row, node]
    other = np.float32(mixed_value(tree, row, node))
    low, high, most = np.float32(np.inf), np.float32(-np.inf), 0
    for action in range(len(prior)):
        quality = value[action] if visits[action] > 0 else other
        if np.isnan(value[action]):
            quality = np.float32(-np.inf)
        scratch[action] = quality
        if prior[action] > -np.inf and quality > -np.inf:
            low, high = min(low, quality), max(high, quality)
            most = max(most, visits[action])
    sharpness = np.float32((c_visit + most) * c_scale) / max(high - low, np.float32(1e-8))
    for action in range(len(prior)):
        if prior[action] > -np.inf and scratch[action] > -np.inf:
            scratch[action] = prior[action] + sharpness * (scratch[action] - low)
        else:
            scratch[action] = -np.inf


@compiled
def softmax(scratch: Array) -> None:
    """Turns logits `[A]` into probabilities, in place."""
    greatest = np.float32(-np.inf)
    for action in range(len(scratch)):
        greatest = max(greatest, scratch[action])
    total = np.float32(0.0)
    for action in range(len(scratch)):
        scratch[action] = math.exp(scratch[action] - greatest) if scratch[action] > -np.inf else np.float32(0.0)
        total += scratch[action]
    for action in range(len(scratch)):
        scratch[action] /= total


@compiled
def choose_below(tree: PolicyTree, row: int, node: int, c_visit: float, c_scale: float, scratch: Array) -> int:
    """Chooses an action below the root: argmax of π'(a) - N(a) / (1 + ΣN) (eq. 14), one at random among equals."""
    complete(tree, row, node, c_visit, c_scale, scratch)
    softmax(scratch)
    share = np.float32(1.0) / np.float32(1 + tree.total[row, node])
    best, best_score, ties = 0, np.float32(-np.inf), 0
    for action in range(len(scratch)):
        if tree.prior[row, node, action] == -np.inf or np.isnan(tree.value[row, node, action]):
            continue
        score = scratch[action] - tree.visits[row, node, action] * share
        if score > best_score:
            best, best_score, ties = action, score, 1
        elif score == best_score:
            ties += 1
            if uniform(tree.streams, row) * ties < 1.0:
                best = action
    return best


@compiled
def choose_at_root(
    tree: PolicyTree, row: int, noise: Array, visits: int, c_visit: float, c_scale: float, scratch: Array
) -> int:
    """Chooses the root's action with so many visits that has the greatest g + logits + σ(completed Q).

    Args:
        tree: whose simulation chooses.
        row: the tree's.
        noise: float32 `[B, A]`, g.
        visits: of the action. If none has so many (values were NaN), any that is left will do.
        c_visit: of σ.
        c_scale: of σ.
        scratch: float32 `[A]`.

    Returns:
        -1 if no action is left.
    """
    complete(tree, row, ROOT, c_visit, c_scale, scratch)
    best, best_score, best_fits, ties = -1, np.float32(-np.inf), False, 0
    for action in range(len(scratch)):
        if scratch[action] == -np.inf:
            continue
        score = noise[row, action] + scratch[action]
        fits = tree.visits[row, ROOT, action] == visits
        if best < 0 or (fits and not best_fits) or (fits == best_fits and score > best_score):
            best, best_score, best_fits, ties = action, score, fits, 1
        elif fits == best_fits and score == best_score:
            ties += 1
            if uniform(tree.streams, row) * ties < 1.0:
                best = action
    return best


@compiled
def walk(tree: PolicyTree, row: int, noise: Array, visits: int, c_visit: float, c_scale: float, scratch: Array) -> None:
    """Goes down a tree to an edge that was never tried, or to the end of an episode (see `choose_at_root`)."""
    action = max(choose_at_root(tree, row, noise, visits, c_visit, c_scale, scratch), 0)
    node = descend(tree, row, ROOT, action)
    while node != ROOT:
        node = descend(tree, row, node, choose_below(tree, row, node, c_visit, c_scale, scratch))


# -- in all trees ------------------------------------------------------------------------------------------------------


@compiled
def draw_all(tree: PolicyTree, scale: float, max_considered: int, noise: Array, num_considered: Array) -> None:
    """Draws the noise of every root.

    Args:
        tree: whose streams are drawn from.
        scale: of the noise.
        max_considered: m.
        noise: float32 `[B, A]`, is filled.
        num_considered: `[B]`, is filled with the least of m and the number of actions that are not ruled out.
    """
    for row in range(len(tree.node)):
        num = 0
        for action in range(noise.shape[1]):
            if tree.prior[row, ROOT, action] > -np.inf:
                num += 1
                noise[row, action] = scale * gumbel(tree.streams, row) if scale > 0.0 else 0.0
        num_considered[row] = min(num, max_considered)


@compiled
def walk_all(
    tree: PolicyTree,
    noise: Array,
    num_considered: Array,
    schedule: Array,
    simulation: int,
    c_visit: float,
    c_scale: float,
    scratch: Array,
) -> bool:
    """Goes down every tree (see `walk`).

    Args:
        tree: to walk in.
        noise: float32 `[B, A]`, g.
        num_considered: `[B]` actions in the first round.
        schedule: see `halving`.
        simulation: its number, from 1.
        c_visit: of σ.
        c_scale: of σ.
        scratch: float32 `[A]`.

    Returns:
        Whether any of them comes to an edge that was never tried.
    """
    fresh = False
    for row in range(len(tree.node)):
        visits = schedule[num_considered[row], simulation - 1]
        walk(tree, row, noise, visits, c_visit, c_scale, scratch)
        fresh = fresh or tree.ended[row] == ROOT
    return fresh


@compiled
def survivor_all(tree: PolicyTree, noise: Array, c_visit: float, c_scale: float, weights: Array, values: Array) -> None:
    """Recommends what is left of the actions after sequential halving; -1 where all values are NaN.

    Args:
        tree: to change.
        noise: float32 `[B, A]`, g.
        c_visit: of σ.
        c_scale: of σ.
        weights: float32 `[B, A]`, is filled with the improved policy π'.
        values: `[B]`, is filled with v_mix.
    """
    for row in range(len(tree.node)):
        most = 0
        for action in range(noise.shape[1]):
            most = max(most, tree.visits[row, ROOT, action])
        tree.action[row] = -1
        if tree.total[row, ROOT] > 0:
            tree.action[row] = choose_at_root(tree, row, noise, most, c_visit, c_scale, weights[row])
        complete(tree, row, ROOT, c_visit, c_scale, weights[row])
        softmax(weights[row])
        values[row] = mixed_value(tree, row, ROOT)
