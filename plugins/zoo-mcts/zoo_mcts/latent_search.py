"""The same searches in a small latent model of dense layers: all simulations in one compiled loop, without torch.

Rows are searched one after another, so that a tree and the network stay in the cache. See `dense` for what a model must
be like.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from zoo_core.planner import Evaluate
from zoo_core.world_model import WorldModel
from zoo_mcts import gumbel, puct
from zoo_mcts.compiled import Array, apart, compiled, exp_below_zero, reordered
from zoo_mcts.dense import LEAST_RANGE, POLICY, REWARD, TRANSFORM_SLOPE, TRUNK, VALUE, DenseModel
from zoo_mcts.gumbel import Halving
from zoo_mcts.policy_tree import ROOT, PolicyTree, backup, make_node, set_prior

NO_ACTION = -1
MOST_WORK = 4_000_000  # roots times weights, up to which it is faster than calls of torch; measured


class Room(NamedTuple):
    """Where a search in a dense model keeps what it works on.

    Attributes:
        roots: float32 `[B, F]` latents.
        latents: float32 `[M, F]` of the nodes of one tree after another.
        work: float32 `[3 * W]`, three times the width of the widest layer: what goes into a layer and comes out.
        logits: float32 `[1, A]` of the policy at the new node.
        legal: bool `[0, A]`: everything is.
    """

    roots: Array
    latents: Array
    work: Array
    logits: Array
    legal: Array


def dense_of(model: WorldModel, evaluate: Evaluate | None, num_roots: int) -> DenseModel | None:
    """Returns the layers of a model in which this search is faster, else None (see `dense`)."""
    if getattr(evaluate, "__self__", None) is not model or not hasattr(model, "dense"):
        return None
    owner = _definer(type(model), "dense")
    later = type(model).__mro__[: type(model).__mro__.index(owner)]
    if any(name in vars(cls) for cls in later for name in ("step", "evaluate", "legal_actions", "features")):
        return None
    dense: DenseModel | None = model.dense()
    if dense is None or num_roots * len(dense.weights) > MOST_WORK:
        return None
    return dense


def _definer(cls: type, name: str) -> type:
    """Returns the class from which `cls` has an attribute."""
    return next(base for base in cls.__mro__ if name in vars(base))


def make_room(dense: DenseModel, roots: Array, num_nodes: int) -> Room:
    """Returns the room that a search from latents `[B, F]` needs.

    Raises:
        ValueError: the roots' latents are not those of the model.
    """
    width, size = int(dense.sizes.max()), int(dense.sizes[dense.depths[TRUNK] - 1, 1])
    if roots.ndim != 2 or roots.shape[1] != size:
        raise ValueError(
            f"the features of {len(roots)} roots must be latents [{len(roots)}, {size}], got {roots.shape}"
        )
    num_actions = int(dense.sizes[-1, 1])
    return Room(
        roots=roots,
        latents=np.empty((num_nodes, size), np.float32),
        work=np.empty(3 * width, np.float32),
        logits=np.empty((1, num_actions), np.float32),
        legal=np.zeros((0, num_actions), np.bool_),
    )


@compiled
def search_puct(
    tree: PolicyTree, dense: DenseModel, room: Room, num_simulations: int, gamma: float, explore: Array, rescale: bool
) -> int:
    """Makes all simulations of `mcts` from each root.

    Returns:
        -1, or a row in which the logits of some node are no policy; they are left in `room.logits`.
    """
    for row in range(len(tree.node)):
        _copy(room.roots[row], room.latents[ROOT])
        for simulation in range(1, num_simulations + 1):
            puct.walk(tree, row, explore, rescale)
            if not _grow(tree, row, dense, room, simulation, gamma, False):
                return row
    return -1


@compiled
def search_gumbel(
    tree: PolicyTree, dense: DenseModel, room: Room, num_simulations: int, gamma: float, halving: Halving
) -> int:
    """Makes all simulations of `gumbel-mcts` from each root; returns what `search_puct` does."""
    for row in range(len(tree.node)):
        _copy(room.roots[row], room.latents[ROOT])
        for simulation in range(1, num_simulations + 1):
            gumbel.walk(tree, row, halving, simulation)
            if not _grow(tree, row, dense, room, simulation, gamma, True):
                return row
    return -1


@apart
def _grow(tree: PolicyTree, row: int, dense: DenseModel, room: Room, new: int, gamma: float, as_logits: bool) -> bool:
    """Ends a simulation: makes its node, and tells the way there its return; says whether the logits are a policy."""
    if tree.ended[row] != ROOT:  # in a model without ends: there is nothing left to do
        return True
    work, width, size = room.work, len(room.work) // 3, room.latents.shape[1]
    _copy(room.latents[tree.node[row]], work)
    at, offset = _run(dense, TRUNK, tree.action[row], work, 0, 0)
    if dense.scaled:
        _scale(work[at : at + size])
    _copy(work[at : at + size], room.latents[new])
    end, offset = _run(dense, REWARD, NO_ACTION, work, at, offset)
    reward = _number(work[end : end + width], dense.supports[0])
    end, offset = _run(dense, VALUE, NO_ACTION, work, at, offset)
    value = _number(work[end : end + width], dense.supports[1])
    end, offset = _run(dense, POLICY, NO_ACTION, work, at, offset)
    _copy(work[end : end + len(tree.scores)], room.logits[0])
    make_node(tree, row, new, reward, np.float32(dense.sign), value)
    proper = set_prior(tree, row, new, room.logits, room.legal, 0, as_logits)
    if proper:
        backup(tree, row, new, value, gamma)
    return proper


@apart
def _run(dense: DenseModel, part: int, action: int, work: Array, begin: int, offset: int) -> Any:
    """Runs the layers of a part of the model.

    Args:
        dense: the model.
        part: TRUNK or a head.
        action: that goes into the trunk beside the latent; NO_ACTION for a head.
        work: see `Room`; what is at `begin` stays there.
        begin: where in it the inputs are: 0, or a multiple of W.
        offset: where in the weights the part begins.

    Returns:
        Where in `work` the outputs are, and where in the weights the next part begins.
    """
    width, at, free = len(work) // 3, begin, (begin + len(work) // 3) % len(work)
    first = 0
    for before in range(part):
        first += dense.depths[before]
    last = first + dense.depths[part] - 1
    for layer in range(first, last + 1):
        num_inputs, num_outputs = dense.sizes[layer, 0], dense.sizes[layer, 1]
        acts = layer == first and action != NO_ACTION
        given = num_inputs - dense.sizes[-1, 1] if acts else num_inputs
        inputs, outputs = work[at : at + given], work[free : free + num_outputs]
        bias = offset + num_inputs * num_outputs
        _layer(dense.weights, offset, inputs, dense.weights[bias : bias + num_outputs], outputs)
        if acts:  # the one input that is 1, where those of other actions are 0
            column = offset + (given + action) * num_outputs
            _add(outputs, dense.weights[column : column + num_outputs])
        if layer < last or (part == TRUNK and dense.trunk_relu):
            _relu(outputs)
        offset = bias + num_outputs
        at, free = free, (free + width) % len(work)
        if free == begin:
            free = (free + width) % len(work)
    return at, offset


@compiled
def _number(outputs: Array, support: int) -> Any:
    """Returns what a head says: its number, or the one that its bins stand for."""
    return outputs[0] if support == 0 else _mean_of_bins(outputs, support)


@compiled
def _mean_of_bins(logits: Array, support: int) -> Any:
    """Returns h⁻¹ of the mean of the bins -K to K under the softmax of their logits."""
    highest = np.float32(-np.inf)
    for i in range(2 * support + 1):
        highest = max(highest, logits[i])
    whole, mean = 0.0, 0.0
    for i in range(2 * support + 1):
        weight = exp_below_zero(logits[i] - highest)
        whole += weight
        mean += weight * (i - support)
    mean /= whole
    size = math.sqrt(1.0 + 4.0 * TRANSFORM_SLOPE * (abs(mean) + 1.0 + TRANSFORM_SLOPE)) - 1.0
    size = (size / (2.0 * TRANSFORM_SLOPE)) ** 2 - 1.0
    return np.float32(math.copysign(size, mean))


@reordered
def _layer(weights: Array, offset: int, inputs: Array, bias: Array, outputs: Array) -> None:
    """Puts bias and weights `[outputs, inputs]` from `offset` on, times the inputs, four outputs at a time.

    Slices are counted from 0, which lets the compiler work on several numbers at once.
    """
    num_inputs, num_outputs, row = len(inputs), len(outputs), offset
    fours = num_outputs - num_outputs % 4
    for j in range(0, fours, 4):
        first, second = weights[row : row + num_inputs], weights[row + num_inputs : row + 2 * num_inputs]
        row += 2 * num_inputs
        third, fourth = weights[row : row + num_inputs], weights[row + num_inputs : row + 2 * num_inputs]
        row += 2 * num_inputs
        one = two = three = four = np.float32(0.0)
        for i in range(num_inputs):
            one += inputs[i] * first[i]
            two += inputs[i] * second[i]
            three += inputs[i] * third[i]
            four += inputs[i] * fourth[i]
        outputs[j] = one + bias[j]
        outputs[j + 1] = two + bias[j + 1]
        outputs[j + 2] = three + bias[j + 2]
        outputs[j + 3] = four + bias[j + 3]
    for j in range(fours, num_outputs):
        first, one = weights[row : row + num_inputs], np.float32(0.0)
        row += num_inputs
        for i in range(num_inputs):
            one += inputs[i] * first[i]
        outputs[j] = one + bias[j]


@compiled
def _copy(source: Array, target: Array) -> None:
    for i in range(len(source)):
        target[i] = source[i]


@compiled
def _add(outputs: Array, column: Array) -> None:
    for i in range(len(outputs)):
        outputs[i] += column[i]


@compiled
def _relu(values: Array) -> None:
    for i in range(len(values)):
        values[i] = np.float32(0.0) if values[i] < 0.0 else values[i]  # NaN stays


@compiled
def _scale(latent: Array) -> None:
    """Scales a latent to [0, 1] by its least and greatest number."""
    low, high = np.float32(np.inf), np.float32(-np.inf)
    for i in range(len(latent)):
        low, high = min(low, latent[i]), max(high, latent[i])
    factor = np.float32(1.0) / max(high - low, np.float32(LEAST_RANGE))
    for i in range(len(latent)):
        latent[i] = (latent[i] - low) * factor
