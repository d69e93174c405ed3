"""PUCT: which action a simulation of AlphaZero's search takes (Silver et al. 2018, doi:10.1126/science.aar6404)."""

from __future__ import annotations

import numpy as np

from zoo_mcts.compiled import Array, compiled, uniform
from zoo_mcts.policy_tree import ROOT, PolicyTree, descend


def exploration(num: int, c_base: float, c_init: float) -> Array:
    """Returns c(N) √N for N = 0 to `num` visits of a node, float32 `[num + 1]`.

    c(N) = ln((1 + N + c_base) / c_base) + c_init. Where N is 0 it is taken as 1, so that the prior decides where all
    else is equal; the term would else be 0 for all actions.
    """
    visits = np.arange(num + 1)
    rate = np.log((1.0 + visits + c_base) / c_base) + c_init
    factor: Array = (rate * np.sqrt(np.maximum(visits, 1))).astype(np.float32)
    return factor


@compiled
def choose(tree: PolicyTree, row: int, node: int, explore: Array, rescale: bool) -> int:
    """Chooses the action with the greatest Q + U, one at random among equals.

    Args:
        tree: whose simulation chooses.
        row: the tree's.
        node: where.
        explore: see `exploration`.
        rescale: scale Q to [0, 1] by the least and the greatest value in the tree, as MuZero does; all Q are 0 where
            these are the same. What was never tried has then the mean value of the node, as in mctx: with the paper's
            0, the least in the tree, searches with many actions follow the first that is better than that. Else Q is 0
            where nothing was tried.
    """
    prior, visits, value, scores = tree.prior[row, node], tree.visits[row, node], tree.value[row, node], tree.scores
    factor = explore[tree.total[row, node]]
    low, scale, untried = np.float32(0.0), np.float32(1.0), np.float32(0.0)
    if rescale:
        known = tree.high[row] > tree.low[row]
        low = tree.low[row] if known else np.float32(0.0)
        scale = np.float32(1.0) / (tree.high[row] - low) if known else np.float32(0.0)
        untried = min(max((tree.mean[row, node] - low) * scale, np.float32(0.0)), np.float32(1.0))
    for action in range(len(scores)):
        quality = (value[action] - low) * scale if visits[action] > 0 else untried
        scores[action] = quality + factor * prior[action] / np.float32(1 + visits[action])
    best, best_score, ties = -1, np.float32(-np.inf), 1
    for action in range(len(scores)):
        if scores[action] > best_score:
            best, best_score, ties = action, scores[action], 1
        elif scores[action] == best_score and best >= 0:
            ties += 1
            if uniform(tree.streams, row) * ties < 1.0:
                best = action
    return best


@compiled
def walk(tree: PolicyTree, row: int, explore: Array, rescale: bool) -> None:
    """Goes down a tree to an edge that was never tried, or to the end of an episode."""
    node = ROOT
    while True:
        node = descend(tree, row, node, choose(tree, row, node, explore, rescale))
        if node == ROOT:
            break


@compiled
def walk_all(tree: PolicyTree, explore: Array, rescale: bool) -> bool:
    """Goes down every tree (see `walk`).

    Returns:
        Whether any of them comes to an edge that was never tried.
    """
    fresh = False
    for row in range(len(tree.node)):
        walk(tree, row, explore, rescale)
        fresh = fresh or tree.ended[row] == ROOT
    return fresh


@compiled
def most_visited_all(tree: PolicyTree, values: Array) -> None:
    """Recommends the most visited action of every root, one at random among equals; -1 where there are no visits.

    Args:
        tree: to change.
        values: `[B]` is filled with the mean return of all simulations.
    """
    for row in range(len(tree.node)):
        visits, value = tree.visits[row, ROOT], tree.value[row, ROOT]
        best, best_visits, ties, outcome = -1, 0, 0, 0.0
        for action in range(len(visits)):
            if visits[action] == 0:
                continue
            outcome += visits[action] * value[action]
            if visits[action] > best_visits:
                best, best_visits, ties = action, visits[action], 1
            elif visits[action] == best_visits:
                ties += 1
                if uniform(tree.streams, row) * ties < 1.0:
                    best = action
        tree.action[row] = best
        values[row] = outcome / max(tree.total[row, ROOT], 1)
