"""Upper confidence bounds applied to trees (Kocsis & Szepesvári 2006, doi:10.1007/11871842_29)."""

from __future__ import annotations

import math

import numpy as np

from zoo_mcts.compiled import Array, compiled, uniform
from zoo_mcts.tree import ROOT, Tree, child_of, extend_path


@compiled
def choose(tree: Tree, row: int, exploration: float) -> None:
    """Chooses the legal action with the greatest upper confidence bound, one at random among equals.

    UCB1: Q(a) + c √(ln n / n(a)), with Q scaled to [0, 1] by the least and the greatest value in the tree, so that c
    means the same in every world. What was never tried comes first, what has NaN for a value last.

    Args:
        tree: whose simulation chooses, at its node.
        row: the tree's.
        exploration: c.
    """
    node, num_actions = tree.node[row], tree.visits.shape[2]
    tries = 0
    for action in range(num_actions):
        tries += tree.visits[row, node, action]
    log_tries = math.log(tries) if tries > 0 else 0.0
    low, span = tree.low[row], tree.high[row] - tree.low[row]
    best, best_bound, ties = 0, -np.inf, 0
    for action in range(num_actions):
        if tree.illegal[row, node, action]:
            continue
        visits, value = tree.visits[row, node, action], tree.value[row, node, action]
        if np.isnan(value):
            bound = -np.inf
        elif visits == 0:
            bound = np.inf
        else:
            bound = (value - low) / span if span > 0.0 else 0.0
            bound += exploration * math.sqrt(log_tries / visits)
        if ties == 0 or bound > best_bound:
            best, best_bound, ties = action, bound, 1
        elif bound == best_bound:
            ties += 1
            if uniform(tree.streams, row) * ties < 1.0:
                best = action
    tree.action[row] = best


@compiled
def choose_all(tree: Tree, rows: Array, exploration: float) -> None:
    """Chooses an action in each of the trees `rows` `[b]` (see `choose`)."""
    for row in rows:
        choose(tree, row, exploration)


@compiled
def walk_all(tree: Tree, exploration: float) -> None:
    """Goes down every tree by the steps that it remembers, to where none is remembered or the episode ended.

    There it chooses an action, and leaves the step to the model.
    """
    for row in range(len(tree.node)):
        choose(tree, row, exploration)
        child = child_of(tree, row)
        while child != ROOT and tree.carry[row, child] != 0.0:
            extend_path(tree, row, tree.reward[row, child], tree.carry[row, child])
            tree.node[row] = child
            choose(tree, row, exploration)
            child = child_of(tree, row)
