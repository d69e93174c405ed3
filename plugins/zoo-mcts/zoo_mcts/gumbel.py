"""Gumbel MuZero's search: which actions are tried at the root and below (Danihelka et al. 2022, ICLR).

The paper's symbols: g is the noise, m the number of actions considered, n of simulations, π the prior, π' the improved
policy, q the values of edges.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from zoo_mcts.compiled import Array, compiled, exp_below_zero, greatest, total, uniform
from zoo_mcts.noise import gumbel
from zoo_mcts.policy_tree import ROOT, PolicyTree, descend

_TINY = np.float32(np.finfo(np.float32).tiny)  # least prior that weighs a visited action's value
# of completed values, that they are divided by: mctx's, and as a share of the greatest of them, lest rounding errors of
# equal values be taken for differences
_LEAST_RANGE, _LEAST_SHARE = np.float32(1e-8), np.float32(1e-5)


class Halving(NamedTuple):
    """How a search goes on at the roots of B trees, and below.

    Attributes:
        noise: float32 `[B, A]`, g.
        num_considered: int64 `[B]`, m: actions in the first round, as many as are not ruled out at most.
        schedule: int32 `[max m + 1, n]`, see `schedule`.
        c_visit: of σ(q) = (c_visit + max N) c_scale q.
        c_scale: of σ.
    """

    noise: Array
    num_considered: Array
    schedule: Array
    c_visit: float
    c_scale: float


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


def schedule(max_considered: int, num_simulations: int) -> Array:
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
            probability = max(np.float32(exp_below_zero(prior[action])), _TINY)
            weight += probability
            weighted += probability * value[action]
    worth, tried = tree.worth[row, node], np.float32(tree.total[row, node])
    if not weight > 0.0:
        return worth
    if not np.isfinite(worth):
        return weighted / weight
    return (worth + tried * weighted / weight) / (np.float32(1.0) + tried)


@compiled
def complete(tree: PolicyTree, row: int, node: int, halving: Halving, scores: Array) -> None:
    """Fills `scores` `[A]` with logits + σ(completed Q): the logits of the improved policy π' (eq. 11).

    An action that was never tried has the value v_mix (eq. 10); one that is ruled out gets -inf. The completed values
    of all other actions of the node are scaled to [0, 1] by their least and greatest, as in mctx, where a range of less
    than 1e-8, here also one of less than 1e-5 times the values, is not scaled up to 1 but less.
    """
    prior, visits, value = tree.prior[row, node], tree.visits[row, node], tree.value[row, node]
    other = np.float32(mixed_value(tree, row, node))
    low, high, most = np.float32(np.inf), np.float32(-np.inf), 0
    for action in range(len(scores)):
        quality = value[action] if visits[action] > 0 else other
        scores[action] = quality
        possible = prior[action] > -np.inf
        low = min(low, quality) if possible else low
        high = max(high, quality) if possible else high
        most = max(most, visits[action])
    sharpness = np.float32((halving.c_visit + most) * halving.c_scale) / _range(low, high)
    for action in range(len(scores)):
        scores[action] = prior[action] + sharpness * (scores[action] - low)


@compiled
def _range(low: Any, high: Any) -> Any:
    return max(high - low, _LEAST_RANGE, _LEAST_SHARE * max(abs(low), abs(high)))


@compiled
def softmax(scores: Array) -> None:
    """Turns logits `[A]` into probabilities, in place; all are 0 where all logits are -inf."""
    highest = greatest(scores)
    if highest == -np.inf:
        highest = np.float32(0.0)
    for action in range(len(scores)):
        scores[action] = np.float32(exp_below_zero(scores[action] - highest))
    whole = total(scores)
    inverse = np.float32(1.0) / whole if whole > 0.0 else np.float32(0.0)
    for action in range(len(scores)):
        scores[action] *= inverse


@compiled
def choose_below(tree: PolicyTree, row: int, node: int, halving: Halving) -> int:
    """Chooses an action below the root: argmax of π'(a) - N(a) / (1 + ΣN) (eq. 14), one at random among equals."""
    scores = tree.scores
    complete(tree, row, node, halving, scores)
    softmax(scores)
    share = np.float32(1.0) / np.float32(1 + tree.total[row, node])
    best, best_score, ties = -1, np.float32(-np.inf), 0
    for action in range(len(scores)):
        if tree.prior[row, node, action] == -np.inf:
            continue
        score = scores[action] - tree.visits[row, node, action] * share
        if score > best_score:
            best, best_score, ties = action, score, 1
        elif score == best_score:
            ties += 1
            if uniform(tree.streams, row) * ties < 1.0:
                best = action
    return best


@compiled
def choose_at_root(tree: PolicyTree, row: int, halving: Halving, visits: int) -> int:
    """Chooses the root's action with so many visits that has the greatest g + logits + σ(completed Q).

    Args:
        tree: whose simulation chooses.
        row: the tree's.
        halving: how the search goes on.
        visits: of the action. If none has so many, as actions were ruled out, any that is left will do.

    Returns:
        -1 if no action is left.
    """
    scores = tree.scores
    complete(tree, row, ROOT, halving, scores)
    best, best_score, best_fits, ties = -1, np.float32(-np.inf), False, 0
    for action in range(len(scores)):
        if scores[action] == -np.inf:
            continue
        score = halving.noise[row, action] + scores[action]
        fits = tree.visits[row, ROOT, action] == visits
        if best < 0 or (fits and not best_fits) or (fits == best_fits and score > best_score):
            best, best_score, best_fits, ties = action, score, fits, 1
        elif fits == best_fits and score == best_score:
            ties += 1
            if uniform(tree.streams, row) * ties < 1.0:
                best = action
    return best


@compiled
def walk(tree: PolicyTree, row: int, halving: Halving, simulation: int) -> None:
    """Goes down a tree, in a simulation from 1 on, to an edge that was never tried, or to the end of an episode."""
    visits = halving.schedule[halving.num_considered[row], simulation - 1]
    node = descend(tree, row, ROOT, choose_at_root(tree, row, halving, visits))
    while node != ROOT:
        node = descend(tree, row, node, choose_below(tree, row, node, halving))


# -- in all trees ------------------------------------------------------------------------------------------------------


@compiled
def draw_all(tree: PolicyTree, halving: Halving, scale: float) -> None:
    """Draws the noise of every root, times `scale`, and counts the actions that are considered first."""
    for row in range(len(tree.node)):
        num = 0
        for action in range(len(tree.scores)):
            if tree.prior[row, ROOT, action] > -np.inf:
                num += 1
                halving.noise[row, action] = scale * gumbel(tree.streams, row) if scale > 0.0 else 0.0
        halving.num_considered[row] = min(num, len(halving.schedule) - 1)


@compiled
def walk_all(tree: PolicyTree, halving: Halving, simulation: int) -> bool:
    """Goes down every tree (see `walk`).

    Returns:
        Whether any of them comes to an edge that was never tried.
    """
    fresh = False
    for row in range(len(tree.node)):
        walk(tree, row, halving, simulation)
        fresh = fresh or tree.ended[row] == ROOT
    return fresh


@compiled
def survivor_all(tree: PolicyTree, halving: Halving, weights: Array, values: Array) -> None:
    """Recommends what sequential halving leaves of the actions of every root; -1 where no simulation counted.

    Args:
        tree: to change.
        halving: how the search went.
        weights: float32 `[B, A]`, is filled with the improved policy π'.
        values: float32 `[B]`, is filled with v_mix.
    """
    for row in range(len(tree.node)):
        most = 0
        for action in range(len(tree.scores)):
            most = max(most, tree.visits[row, ROOT, action])
        tree.action[row] = choose_at_root(tree, row, halving, most) if most > 0 else -1
        complete(tree, row, ROOT, halving, weights[row])
        softmax(weights[row])
        values[row] = mixed_value(tree, row, ROOT)
