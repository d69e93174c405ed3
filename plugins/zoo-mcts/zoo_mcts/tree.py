"""B search trees in arrays: what a simulation adds to them, and what it tells the nodes that it passed.

How actions are chosen is no matter of the tree. What a node stands for is decided by its key, see `node_key`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from zoo_mcts.compiled import Array, compiled, scramble, uniform

ROOT = 0  # node of every tree; nothing leads there, so where a node is looked for it means that there is none


class Tree(NamedTuple):
    """B trees of at most M nodes with A actions each; an edge is a node and an action.

    Simulation i makes node i, at most: no two simulations make the same.

    Attributes:
        visits: `[B, M, A]` simulations that passed an edge and whose return is a number.
        value: `[B, M, A]` mean of their returns, for the player who moves there; NaN where a return was none.
        illegal: `[B, M, A]` bool, actions that the model does not allow.
        key: `[B, M]` uint64, what a node stands for.
        slots: `[B, 2**k]` nodes, found by their keys (open addressing); ROOT where a slot is free.
        reward: `[B, M]` of the step into a node, when it was seen last.
        carry: `[B, M]` what the return after that step counts, but for the discount: `continues * sign`.
        low: `[B]` least value that an edge had.
        high: `[B]` greatest value that an edge had.
        path_node: `[B, M]` nodes that the running simulation passed.
        path_action: `[B, M]` what it did there.
        path_reward: `[B, M]` what it got for that.
        path_carry: `[B, M]` what counts of the rest.
        length: `[B]` steps on the path.
        streams: `[B]` the randomness of each tree.
    """

    visits: Array
    value: Array
    illegal: Array
    key: Array
    slots: Array
    reward: Array
    carry: Array
    low: Array
    high: Array
    path_node: Array
    path_action: Array
    path_reward: Array
    path_carry: Array
    length: Array
    streams: Array


def make_tree(num_nodes: int, num_actions: int, seeds: Array) -> Tree:
    """Returns trees that have a root only, one for each of `seeds` (uint64 `[B]`)."""
    num = len(seeds)
    nodes, edges = (num, num_nodes), (num, num_nodes, num_actions)
    return Tree(
        visits=np.zeros(edges, np.int32),
        value=np.zeros(edges),
        illegal=np.zeros(edges, np.bool_),
        key=np.zeros(nodes, np.uint64),
        slots=np.zeros((num, 2 ** num_nodes.bit_length()), np.int32),  # a half of them or more stay free
        reward=np.zeros(nodes),
        carry=np.zeros(nodes),
        low=np.full(num, np.inf),
        high=np.full(num, -np.inf),
        path_node=np.zeros(nodes, np.int32),
        path_action=np.zeros(nodes, np.int32),
        path_reward=np.zeros(nodes),
        path_carry=np.zeros(nodes),
        length=np.zeros(num, np.int64),
        streams=seeds.copy(),
    )


@compiled
def extend_path(tree: Tree, row: int, node: int, action: int, reward: float, carry: float) -> None:
    """Notes a step of the running simulation."""
    depth = tree.length[row]
    tree.path_node[row, depth] = node
    tree.path_action[row, depth] = action
    tree.path_reward[row, depth] = reward
    tree.path_carry[row, depth] = carry
    tree.length[row] = depth + 1


@compiled
def node_key(tree: Tree, row: int, node: int, action: int, seen: int, shared: bool) -> Any:
    """Returns the key, uint64, of the node that comes after the running simulation's path.

    Args:
        tree: to look in.
        row: the tree's.
        node: where the step from the path's end began.
        action: that was taken there.
        seen: what is seen after it, a number; 0 where that makes no difference.
        shared: whether all paths of this length that end at what is seen share a node.
    """
    origin = tree.length[row] if shared else node * tree.value.shape[2] + action
    return scramble(scramble(np.uint64(origin) + np.uint64(1)) ^ np.uint64(seen))


@compiled
def find_slot(tree: Tree, row: int, key: Any) -> Any:
    """Returns the slot of the node with this key, or the free one where it belongs."""
    last = tree.slots.shape[1] - 1
    slot = np.int64(key & np.uint64(last))
    while tree.slots[row, slot] != ROOT and tree.key[row, tree.slots[row, slot]] != key:
        slot = (slot + 1) & last
    return slot


@compiled
def follow(
    tree: Tree, row: int, node: int, action: int, seen: int, shared: bool, reward: float, carry: float, new: int
) -> int:
    """Takes a step: notes it, finds the node that it leads to, and makes that if there is none.

    Args:
        tree: to change.
        row: the tree's.
        node: where the step begins.
        action: that is taken.
        seen: after it, a number (see `node_key`).
        shared: whether paths share nodes (see `node_key`).
        reward: of the step.
        carry: `continues * sign` of the step.
        new: the number that a new node gets.

    Returns:
        The node after the step; `new` if it was made.
    """
    extend_path(tree, row, node, action, reward, carry)
    key = node_key(tree, row, node, action, seen, shared)
    slot = find_slot(tree, row, key)
    child = tree.slots[row, slot]
    if child == ROOT:
        child = new
        tree.slots[row, slot] = new
        tree.key[row, new] = key
    tree.reward[row, child] = reward
    tree.carry[row, child] = carry
    return child  # type: ignore[no-any-return]


@compiled
def child_of(tree: Tree, row: int, node: int, action: int) -> int:
    """Returns the node after an edge, ROOT if there is none; in a tree where an edge has but one outcome."""
    return tree.slots[row, find_slot(tree, row, node_key(tree, row, node, action, 0, False))]  # type: ignore[no-any-return]


@compiled
def backup(tree: Tree, row: int, leaf_value: float, gamma: float) -> None:
    """Tells every edge of the path the return that came after it, and clears the path.

    G = r + γ · continues · sign · G', from the leaf to the root. An edge whose return is no finite number has the value
    NaN from then on. It says nothing of the edge before it, where there is something else to do, and all of it, where
    there is not.

    Args:
        tree: to change.
        row: the tree's.
        leaf_value: return after the last step, for the player who moves there.
        gamma: discount γ.
    """
    outcome = leaf_value
    for depth in range(tree.length[row] - 1, -1, -1):
        node, action = tree.path_node[row, depth], tree.path_action[row, depth]
        reward, carry = tree.path_reward[row, depth], tree.path_carry[row, depth]
        outcome = reward if carry == 0.0 else reward + gamma * carry * outcome
        if not np.isfinite(outcome):
            tree.value[row, node, action] = np.nan
            tree.visits[row, node, action] = 0
            if _has_other(tree, row, node):
                break
            continue
        tree.visits[row, node, action] += 1
        value = tree.value[row, node, action]
        value += (outcome - value) / tree.visits[row, node, action]
        tree.value[row, node, action] = value
        tree.low[row] = min(tree.low[row], value)
        tree.high[row] = max(tree.high[row], value)
    tree.length[row] = 0


@compiled
def _has_other(tree: Tree, row: int, node: int) -> bool:
    """Says whether a legal action is left whose value is not NaN."""
    for action in range(tree.value.shape[2]):
        if not tree.illegal[row, node, action] and not np.isnan(tree.value[row, node, action]):
            return True
    return False


@compiled
def most_visited(tree: Tree, row: int) -> int:
    """Returns the action that most simulations began with; among equals the best, then one at random.

    Returns:
        -1 where no simulation had a number for its return.
    """
    best, ties = -1, 0
    visits, value = tree.visits[row, ROOT], tree.value[row, ROOT]
    for action in range(len(visits)):
        if visits[action] == 0:
            continue
        if (
            best < 0
            or visits[action] > visits[best]
            or (visits[action] == visits[best] and value[action] > value[best])
        ):
            best, ties = action, 1
        elif visits[action] == visits[best] and value[action] == value[best]:
            ties += 1
            if uniform(tree.streams, row) * ties < 1.0:
                best = action
    return best


# -- for all rows at once ----------------------------------------------------------------------------------------------


@compiled
def follow_all(
    tree: Tree,
    rows: Array,
    nodes: Array,
    actions: Array,
    seen: Array,
    shared: bool,
    rewards: Array,
    carries: Array,
    new: int,
) -> Array:
    """Takes a step in each of the trees `rows` `[b]`, and returns the nodes `[b]` after it (see `follow`)."""
    children = np.empty(len(rows), np.int64)
    for i in range(len(rows)):
        children[i] = follow(tree, rows[i], nodes[i], actions[i], seen[i], shared, rewards[i], carries[i], new)
    return children


@compiled
def backup_all(tree: Tree, leaf_values: Array, gamma: float) -> None:
    """Ends a simulation in every tree, with values `[B]` of the leaves (see `backup`)."""
    for row in range(len(leaf_values)):
        backup(tree, row, leaf_values[row], gamma)


@compiled
def most_visited_all(tree: Tree) -> Array:
    """Returns the most visited action `[B]` of each root (see `most_visited`)."""
    actions = np.empty(len(tree.length), np.int64)
    for row in range(len(actions)):
        actions[row] = most_visited(tree, row)
    return actions
