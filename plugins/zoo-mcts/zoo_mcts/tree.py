"""B search trees in arrays: what a simulation adds to them, and what it tells the edges that it passed.

How actions are chosen is no matter of the tree. What a node stands for is decided by its key (see `follow`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from zoo_mcts.compiled import Array, compiled, scramble, uniform

ROOT = 0  # node of every tree; nothing leads there, so where a node is looked for it means that there is none


class Tree(NamedTuple):
    """B trees of at most M nodes with A actions, and a running simulation in each; an edge is a node and an action.

    Simulation i makes node i, if any: no two make the same.

    Attributes:
        visits: `[B, M, A]` simulations that passed an edge and whose return is a number.
        value: `[B, M, A]` mean of their returns, for the player who moves there; NaN where a return was none.
        illegal: `[B, M, A]` bool, actions that the model does not allow.
        key: `[B, M]` uint64, what a node stands for.
        slots: `[B, 2**k]` nodes, found by their keys (open addressing); ROOT where a slot is free.
        reward: `[B, M]` of the step into a node; this and the next one only where a search remembers steps.
        carry: `[B, M]` what the return after that step counts, but for the discount: `continues * sign`.
        low: `[B]` least value that an edge had.
        high: `[B]` greatest value that an edge had.
        node: `[B]` where the simulation is.
        action: `[B]` what it does next.
        path_node: `[B, M]` nodes that it passed.
        path_action: `[B, M]` what it did there.
        path_reward: `[B, M]` what it got for that.
        path_carry: `[B, M]` what counts of the rest.
        length: `[B]` steps on the path.
        streams: `[B]` uint64, the randomness of each tree.
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
    node: Array
    action: Array
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
        slots=np.zeros((num, 2 << num_nodes.bit_length()), np.int32),  # more than half of them stay free
        reward=np.zeros(nodes),
        carry=np.zeros(nodes),
        low=np.full(num, np.inf),
        high=np.full(num, -np.inf),
        node=np.full(num, ROOT),
        action=np.zeros(num, np.int64),
        path_node=np.zeros(nodes, np.int32),
        path_action=np.zeros(nodes, np.int32),
        path_reward=np.zeros(nodes),
        path_carry=np.zeros(nodes),
        length=np.zeros(num, np.int64),
        streams=seeds.copy(),
    )


@compiled
def extend_path(tree: Tree, row: int, reward: float, carry: float) -> None:
    """Notes a step of the running simulation, from its node by its action."""
    depth = tree.length[row]
    tree.path_node[row, depth] = tree.node[row]
    tree.path_action[row, depth] = tree.action[row]
    tree.path_reward[row, depth] = reward
    tree.path_carry[row, depth] = carry
    tree.length[row] = depth + 1


@compiled
def follow(tree: Tree, row: int, seen: Any, shared: bool, reward: float, carry: float, new: int) -> bool:
    """Takes a step: notes it and goes to the node that it leads to, which is made if there is none.

    Args:
        tree: to change.
        row: the tree's.
        seen: uint64, what is seen after the step; 0 where that makes no difference.
        shared: whether all paths of a length that end at what is seen lead to one node; else each edge has its own.
        reward: of the step.
        carry: `continues * sign` of the step.
        new: the number that a new node gets.

    Returns:
        Whether the simulation is still in the tree: the node was there, and the episode goes on.
    """
    extend_path(tree, row, reward, carry)
    key = _key(tree.length[row] if shared else _edge(tree, row), seen)
    slot = _find(tree, row, key)
    known = tree.slots[row, slot] != ROOT
    if not known:
        tree.slots[row, slot] = new
        tree.key[row, new] = key
    tree.node[row] = tree.slots[row, slot]
    return known and carry != 0.0


@compiled
def follow_first(tree: Tree, row: int, reward: float, carry: float, new: int) -> bool:
    """Takes the step that was the first to be taken from there by this action, else this one (see `follow`)."""
    child = child_of(tree, row)
    if child == ROOT:
        tree.reward[row, new] = reward
        tree.carry[row, new] = carry
        return follow(tree, row, np.uint64(0), False, reward, carry, new)
    extend_path(tree, row, tree.reward[row, child], tree.carry[row, child])
    tree.node[row] = child
    return tree.carry[row, child] != 0.0  # type: ignore[no-any-return]


@compiled
def child_of(tree: Tree, row: int) -> Any:
    """Returns the node that the simulation's action leads to, or ROOT; where what is seen makes no difference."""
    return tree.slots[row, _find(tree, row, _key(_edge(tree, row), np.uint64(0)))]


@compiled
def _edge(tree: Tree, row: int) -> Any:
    return tree.node[row] * tree.value.shape[2] + tree.action[row]


@compiled
def _key(origin: int, seen: Any) -> Any:
    """Returns what a node stands for: where it comes from, and what is seen there."""
    return scramble(scramble(np.uint64(origin) + np.uint64(1)) ^ seen)


@compiled
def _find(tree: Tree, row: int, key: Any) -> Any:
    """Returns the slot of the node with this key, or the free one where it belongs."""
    last = tree.slots.shape[1] - 1
    slot = np.int64(key & np.uint64(last))
    while tree.slots[row, slot] != ROOT and tree.key[row, tree.slots[row, slot]] != key:
        slot = (slot + 1) & last
    return slot


@compiled
def backup(tree: Tree, row: int, leaf_value: float, gamma: float) -> None:
    """Tells every edge of the path the return that came after it, and begins at the root again.

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
    tree.node[row] = ROOT


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
    best, best_visits, best_value, ties = -1, 0, -np.inf, 0
    for action in range(tree.value.shape[2]):
        visits, value = tree.visits[row, ROOT, action], tree.value[row, ROOT, action]
        if visits > best_visits or (0 < visits == best_visits and value > best_value):
            best, best_visits, best_value, ties = action, visits, value, 1
        elif 0 < visits == best_visits and value == best_value:
            ties += 1
            if uniform(tree.streams, row) * ties < 1.0:
                best = action
    return best


# -- in all trees ------------------------------------------------------------------------------------------------------


@compiled
def follow_all(
    tree: Tree, rows: Array, seen: Array, shared: bool, rewards: Array, carries: Array, new: int, inside: Array
) -> None:
    """Takes a step in each of the trees `rows` `[b]` (see `follow`).

    Args:
        tree: to change.
        rows: the trees'.
        seen: `[b]` after the step.
        shared: whether paths share nodes.
        rewards: `[b]` of the step.
        carries: `[b]` `continues * sign` of the step.
        new: the number that a new node gets.
        inside: `[b]` bool, is filled with whether the simulation is still in the tree.
    """
    for i in range(len(rows)):
        inside[i] = follow(tree, rows[i], seen[i], shared, rewards[i], carries[i], new)


@compiled
def follow_first_all(tree: Tree, rewards: Array, carries: Array, new: int) -> None:
    """Takes a step in every tree (see `follow_first`)."""
    for row in range(len(rewards)):
        follow_first(tree, row, rewards[row], carries[row], new)


@compiled
def backup_all(tree: Tree, leaf_values: Array, gamma: float) -> None:
    """Ends the simulation in every tree, with values `[B]` of the leaves (see `backup`)."""
    for row in range(len(leaf_values)):
        backup(tree, row, leaf_values[row], gamma)


@compiled
def most_visited_all(tree: Tree) -> None:
    """Chooses the most visited action of every root (see `most_visited`)."""
    for row in range(len(tree.action)):
        tree.action[row] = most_visited(tree, row)
