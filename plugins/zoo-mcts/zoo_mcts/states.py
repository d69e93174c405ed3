"""What a search does with a model's states: it keeps those of nodes, and tells apart those that look different."""

from __future__ import annotations

from typing import Any

import numpy as np
import optree
import torch
from torch import Tensor

from zoo_core.errors import Undecodable
from zoo_core.world_model import State, WorldModel, batch_size
from zoo_mcts.compiled import Array, compiled

_FNV_OFFSET, _FNV_PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)


class States:
    """The states of all nodes of B trees, in leaves `[M, B, ...]`.

    Args:
        roots: states `[B]`, kept as those of node 0.
        num_nodes: M.
    """

    def __init__(self, roots: State, num_nodes: int) -> None:
        def make_room(leaf: Any) -> Any:
            shape = (num_nodes, *leaf.shape)
            return leaf.new_empty(shape) if isinstance(leaf, Tensor) else np.empty(shape, leaf.dtype)

        leaves, self._structure = optree.tree_flatten(roots)
        self._kept = [make_room(leaf) for leaf in leaves]
        self._rows = np.arange(batch_size(roots))
        # the same in one row after another, for which there are faster ways to take some of them
        self._flat = [kept.reshape(num_nodes * len(self._rows), *kept.shape[2:]) for kept in self._kept]
        self.put(0, roots)

    def put(self, node: int, state: State) -> None:
        """Keeps the states `[B]` of a node in each tree."""
        for kept, leaf in zip(self._kept, optree.tree_leaves(state), strict=True):
            kept[node] = leaf

    def get(self, nodes: Array) -> State:
        """Returns the states `[B]` of nodes `[B]`."""
        return self.take(nodes * len(self._rows) + self._rows)

    def take(self, places: Array) -> State:
        """Returns the states `[B]` at `node * B + row`, int64 `[B]`."""
        leaves: list[Any] = []
        index: Tensor | None = None
        for flat in self._flat:
            if isinstance(flat, Tensor):
                if index is None or index.device != flat.device:
                    index = torch.from_numpy(places).to(flat.device)
                leaves.append(flat.index_select(0, index))
            else:
                leaves.append(flat.take(places, axis=0))
        return optree.tree_unflatten(self._structure, leaves)


def hash_rows(model: WorldModel, state: State) -> Array:
    """Returns numbers, uint64 `[B]`, that are the same where rows look the same (FNV-1a of the observation's bytes).

    Rows of a model that cannot decode look as their features do.
    """
    try:
        seen = model.decode(state)
    except Undecodable:
        seen = model.features(state)
    leaves = [np.ascontiguousarray(leaf.cpu().numpy()) for leaf in optree.tree_leaves(seen)]
    hashes = np.full(len(leaves[0]), _FNV_OFFSET)
    for leaf in leaves:
        _hash_bytes(leaf.reshape(len(leaf), -1).view(np.uint8), hashes)
    return hashes


@compiled
def _hash_bytes(data: Array, hashes: Array) -> None:
    """Adds bytes `[B, N]` to hashes `[B]`."""
    for row in range(len(data)):
        bits = hashes[row]
        for i in range(data.shape[1]):
            bits = (bits ^ np.uint64(data[row, i])) * _FNV_PRIME
        hashes[row] = bits
