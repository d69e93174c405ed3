"""B search trees in arrays for searches with a policy: each simulation makes one step, and evaluates where it leads.

How actions are chosen is no matter of the tree: see `puct` and `gumbel`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from zoo_mcts.compiled import Array, compiled, exp_below_zero, greatest, total

ROOT = 0  # node of every tree; nothing leads there, so as a child it means that there is none
NOWHERE = -1  # instead of an end: there is nothing left to try at the root
NO_ROW = -1


class PolicyTree(NamedTuple):
    """B trees of at most M nodes with A actions; an edge is a node and an action.

    Simulation i makes node i of every tree, unless it comes to where an episode ended before.

    Attributes:
        child: int32 `[B, M, A]` node that an edge leads to, ROOT where none was made.
        prior: float32 `[B, M, A]` probabilities, or logits less their greatest; -inf where an action is ruled out: it
            is illegal, has no chance, or had a return that is no finite number.
        visits: int32 `[B, M, A]` simulations that passed an edge; 0 where it is ruled out.
        value: float32 `[B, M, A]` mean of their returns, for the player who moves there.
        total: int32 `[B, M]` sum of the visits of a node's edges.
        parent: int32 `[B, M]` node from which a node was made.
        made_by: int32 `[B, M]` action that led from there.
        reward: float32 `[B, M]` of that step.
        carry: float32 `[B, M]` what the return after it counts, but for the discount: `continues * sign`.
        worth: float32 `[B, M]` value that `evaluate` gave the node.
        mean: float32 `[B, M]` mean of that value and the returns from the node.
        low: float32 `[B]` least value that an edge had.
        high: float32 `[B]` greatest value that an edge had.
        node: int64 `[B]` where the simulation leaves what is known.
        place: int64 `[B]` row of that node where the states of all trees are in one row, node by node: node * B + b.
        action: int64 `[B]` what it does there; in the end, what is recommended.
        ended: int64 `[B]` node at which the simulation came to a known end, ROOT where it makes a new node, NOWHERE.
        streams: uint64 `[B]` the randomness of each tree.
        scores: float32 `[A]` room to compare actions in.
    """

    child: Array
    prior: Array
    visits: Array
    value: Array
    total: Array
    parent: Array
    made_by: Array
    reward: Array
    carry: Array
    worth: Array
    mean: Array
    low: Array
    high: Array
    node: Array
    place: Array
    action: Array
    ended: Array
    streams: Array
    scores: Array


class Leaves(NamedTuple):
    """What the model and `evaluate` say of a step in each of B trees.

    Attributes:
        reward: float32 `[B]`.
        continues: float32 `[B]`.
        sign: float32 `[B]`, or `[1]` for all.
        value: float32 `[B]` of the states after it; `[0]` if all are worth 0.
        logits: float32 `[B, A]` of the policy there; `[0, A]` if it is uniform.
        legal: bool `[B, A]`; `[0, A]` if all actions are.
    """

    reward: Array
    continues: Array
    sign: Array
    value: Array
    logits: Array
    legal: Array


_NONE = np.zeros(0, np.float32)
_NO_TABLE = np.zeros((0, 0), np.float32)
NO_LEAVES = Leaves(_NONE, _NONE, _NONE, _NONE, _NO_TABLE, np.zeros((0, 0), np.bool_))  # where no tree grows


def make_tree(num_nodes: int, num_actions: int, seeds: Array) -> PolicyTree:
    """Returns trees of which nothing is known, not even the root, one for each of `seeds` (uint64 `[B]`).

    What belongs to nodes is written when they are made: to clear it all now would take longer than a short search.
    """
    num = len(seeds)
    nodes, edges = (num, num_nodes), (num, num_nodes, num_actions)
    return PolicyTree(
        child=np.empty(edges, np.int32),
        prior=np.empty(edges, np.float32),
        visits=np.empty(edges, np.int32),
        value=np.empty(edges, np.float32),
        total=np.empty(nodes, np.int32),
        parent=np.empty(nodes, np.int32),
        made_by=np.empty(nodes, np.int32),
        reward=np.empty(nodes, np.float32),
        carry=np.empty(nodes, np.float32),
        worth=np.empty(nodes, np.float32),
        mean=np.empty(nodes, np.float32),
        low=np.full(num, np.inf, np.float32),
        high=np.full(num, -np.inf, np.float32),
        node=np.full(num, ROOT),
        place=np.arange(num),
        action=np.zeros(num, np.int64),
        ended=np.full(num, ROOT),
        streams=seeds.copy(),
        scores=np.empty(num_actions, np.float32),
    )


@compiled
def clear_node(tree: PolicyTree, row: int, node: int, value: Any) -> None:
    """Makes a node of which nothing was tried, with the value that `evaluate` gives it."""
    for action in range(len(tree.scores)):
        tree.child[row, node, action] = ROOT
        tree.visits[row, node, action] = 0
        tree.value[row, node, action] = 0.0
    tree.total[row, node] = 0
    tree.worth[row, node] = value
    tree.mean[row, node] = value if np.isfinite(value) else np.float32(0.0)  # only a root is kept with another


@compiled
def make_node(tree: PolicyTree, row: int, new: int, reward: Any, carry: Any, value: Any) -> None:
    """Makes the node to which the simulation's step leads.

    Args:
        tree: to change.
        row: the tree's.
        new: number of the node.
        reward: of the step.
        carry: `continues * sign` of the step.
        value: what `evaluate` says of where it leads.
    """
    clear_node(tree, row, new, value)
    node, action = tree.node[row], tree.action[row]
    tree.child[row, node, action] = new
    tree.parent[row, new] = node
    tree.made_by[row, new] = action
    tree.reward[row, new] = reward
    tree.carry[row, new] = carry


@compiled
def set_prior(tree: PolicyTree, row: int, node: int, logits: Array, legal: Array, given: int, as_logits: bool) -> bool:
    """Notes the policy of a node: the softmax of the logits of legal actions; of all actions where none is legal.

    Args:
        tree: to change.
        row: the tree's.
        node: its number.
        logits: `[b, A]`; `[0, A]` if the policy is uniform.
        legal: bool `[b, A]`; `[0, A]` if all actions are.
        given: which row of these.
        as_logits: keep logits, less their greatest, rather than probabilities.

    Returns:
        Whether it is a policy: the greatest logit is a finite number.
    """
    prior = tree.prior[row, node]
    num_actions = len(prior)
    masked: Any = False
    if len(legal) > 0:
        for action in range(num_actions):
            masked = masked or legal[given, action]
    proper: Any = True
    for action in range(num_actions):
        possible = not masked or legal[given, action]
        logit = logits[given, action] if len(logits) > 0 else np.float32(0.0)
        logit = logit if possible else np.float32(-np.inf)
        proper = proper and logit < np.inf  # NaN is not
        prior[action] = logit
    highest = greatest(prior) if proper else np.float32(-np.inf)
    if highest == -np.inf:
        return False
    for action in range(num_actions):
        prior[action] -= highest
    if not as_logits:
        _to_probabilities(prior, tree.scores)
    return True


@compiled
def _to_probabilities(prior: Array, scores: Array) -> None:
    """Turns logits `[A]`, of which 0 is the greatest, into probabilities, in place; -inf stays."""
    for action in range(len(prior)):
        scores[action] = np.float32(exp_below_zero(prior[action]))
    inverse = np.float32(1.0) / total(scores)
    for action in range(len(prior)):
        prior[action] = scores[action] * inverse if prior[action] > -np.inf else np.float32(-np.inf)


@compiled
def backup(tree: PolicyTree, row: int, end: int, value: Any, gamma: float) -> None:
    """Tells every edge on the way from the root to a node the return that came after it.

    G = r + γ · continues · sign · G', from the node to the root. An edge whose return is no finite number is ruled out.
    It says nothing of the edge before it, where there is something else to do, and all of it, where there is not.

    Args:
        tree: to change.
        row: the tree's.
        end: the node.
        value: return after it, for the player who moves there.
        gamma: discount γ.
    """
    outcome, node = value, end
    while node != ROOT:
        carry, reward = tree.carry[row, node], tree.reward[row, node]
        action, node = tree.made_by[row, node], tree.parent[row, node]
        outcome = reward if carry == 0.0 else reward + gamma * carry * outcome
        visits, mean = tree.visits[row, node, action], tree.value[row, node, action]
        if not np.isfinite(outcome):
            tree.prior[row, node, action] = -np.inf
            tree.total[row, node] -= visits
            tree.visits[row, node, action] = 0
            if _has_other(tree, row, node):
                break
            continue
        visits += 1
        mean += (outcome - mean) / visits
        tree.visits[row, node, action] = visits
        tree.value[row, node, action] = mean
        tree.total[row, node] += 1
        tree.mean[row, node] += (outcome - tree.mean[row, node]) / (1 + tree.total[row, node])
        tree.low[row] = min(tree.low[row], mean)
        tree.high[row] = max(tree.high[row], mean)


@compiled
def _has_other(tree: PolicyTree, row: int, node: int) -> bool:
    """Says whether an action is left that is not ruled out."""
    left = 0
    for action in range(len(tree.scores)):
        left += tree.prior[row, node, action] > -np.inf
    return left > 0


@compiled
def descend(tree: PolicyTree, row: int, node: int, action: int) -> Any:
    """Takes a step of the simulation.

    Args:
        tree: whose simulation it is.
        row: the tree's.
        node: where it is.
        action: what it does; less than 0 if there is nothing left to do, as there may be at the root.

    Returns:
        The node that it leads to; ROOT if the simulation stops there: the edge is new, or the episode ends with it.
    """
    tree.node[row], tree.action[row] = node, max(action, 0)
    tree.place[row] = node * len(tree.place) + row
    if action < 0:
        tree.ended[row] = NOWHERE
        return ROOT
    child = tree.child[row, node, action]
    ends = child != ROOT and tree.carry[row, child] == 0.0
    tree.ended[row] = child if ends else ROOT
    return ROOT if ends else child


# -- in all trees ------------------------------------------------------------------------------------------------------


@compiled
def begin_all(tree: PolicyTree, leaves: Leaves, as_logits: bool) -> int:
    """Notes what is known of the roots; see `end_all`."""
    for row in range(len(tree.node)):
        clear_node(tree, row, ROOT, leaves.value[row] if len(leaves.value) > 0 else np.float32(0.0))
        if not set_prior(tree, row, ROOT, leaves.logits, leaves.legal, row, as_logits):
            return row
    return NO_ROW


@compiled
def end_all(tree: PolicyTree, leaves: Leaves, new: int, gamma: float, as_logits: bool) -> int:
    """Ends the simulation in every tree: makes node `new` and tells the way there its return.

    Returns:
        A row whose logits are no policy, else NO_ROW.
    """
    for row in range(len(tree.node)):
        if tree.ended[row] != ROOT:
            backup(tree, row, max(tree.ended[row], ROOT), 0.0, gamma)  # from the root: nothing
            continue
        value = leaves.value[row] if len(leaves.value) > 0 else np.float32(0.0)
        carry = leaves.continues[row] * leaves.sign[row if len(leaves.sign) > 1 else 0]
        make_node(tree, row, new, leaves.reward[row], carry, value)
        if carry != 0.0 and not set_prior(tree, row, new, leaves.logits, leaves.legal, row, as_logits):
            return row
        backup(tree, row, new, value, gamma)
    return NO_ROW
