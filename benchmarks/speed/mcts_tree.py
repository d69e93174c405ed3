"""Simulations of the compiled trees alone, beside mctx's: 32 roots, 50 simulations, 7 actions, a model that adds.

No torch and no network: what is timed is choosing, adding nodes, and telling returns to the edges. mctx (JAX, compiled
for the same batch) searches the same model: PUCT against its `muzero_policy`, Gumbel against its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from benchmarks.results import Bar, Condition, Run
from benchmarks.speed.case import Measured
from benchmarks.speed.mctx_peer import GAMMA, mctx_search
from benchmarks.speed.timing import fastest
from zoo_mcts import gumbel, puct
from zoo_mcts.compiled import Array, compiled
from zoo_mcts.policy_tree import Leaves, PolicyTree, begin_all, end_all, make_tree

NUM_ROOTS, SIMULATIONS, ACTIONS = 32, 50, 7
CONSIDERED = 16  # at the roots by sequential halving; mctx's default
C_BASE, C_INIT, C_VISIT, C_SCALE = 19_652.0, 1.25, 50.0, 0.1
BAR = Bar((Condition("puct_over_mctx", ">=", 5.0), Condition("gumbel_over_mctx", ">=", 3.0)))
ROUNDS = 10


def measure() -> Measured:
    functions: dict[str, Callable[[], object]] = {"puct": puct_search, "gumbel": gumbel_search}
    for policy in ("muzero", "gumbel"):
        functions[f"mctx_{policy}"] = mctx_search(policy, "trivial", NUM_ROOTS, SIMULATIONS, ACTIONS)
    seconds = fastest(functions, rounds=ROUNDS)
    figures = {"puct_over_mctx": seconds["mctx_muzero"] / seconds["puct"]}
    figures["gumbel_over_mctx"] = seconds["mctx_gumbel"] / seconds["gumbel"]
    figures |= {f"{name}_simulations_per_s": NUM_ROOTS * SIMULATIONS / value for name, value in seconds.items()}
    return Measured(BAR, [Run(seed=0, score=figures["puct_over_mctx"], figures=figures)])


def puct_search() -> PolicyTree:
    """Searches from all roots by PUCT, from making the trees to recommending actions."""
    tree, leaves, places = _begin()
    explore = puct.exploration(SIMULATIONS, C_BASE, C_INIT)
    _search_by_puct(tree, leaves, places, explore, SIMULATIONS, GAMMA)
    puct.most_visited_all(tree, np.empty(NUM_ROOTS, np.float32))
    return tree


def gumbel_search() -> PolicyTree:
    """The same by sequential halving."""
    tree, leaves, places = _begin()
    shape = NUM_ROOTS, ACTIONS
    halving = gumbel.Halving(
        noise=np.zeros(shape, np.float32),
        num_considered=np.zeros(NUM_ROOTS, np.int64),
        schedule=_SCHEDULE,
        c_visit=C_VISIT,
        c_scale=C_SCALE,
    )
    _search_by_gumbel(tree, leaves, places, halving, SIMULATIONS, GAMMA)
    gumbel.survivor_all(tree, halving, np.empty(shape, np.float32), np.empty(NUM_ROOTS, np.float32))
    return tree


_SCHEDULE = gumbel.schedule(min(CONSIDERED, ACTIONS), SIMULATIONS)
_RNG = np.random.default_rng(0)
_LOGITS = _RNG.normal(size=(NUM_ROOTS, ACTIONS)).astype(np.float32)
_PLACES = _RNG.normal(size=NUM_ROOTS).astype(np.float32)


def _begin() -> tuple[PolicyTree, Leaves, Array]:
    """Returns trees without roots, room for what leaves are worth, and for the places `[B, M]` of nodes."""
    tree = make_tree(SIMULATIONS + 1, ACTIONS, _RNG.integers(0, 2**63, NUM_ROOTS).astype(np.uint64))
    places = np.empty((NUM_ROOTS, SIMULATIONS + 1), np.float32)
    places[:, 0] = _PLACES
    nothing = np.zeros(NUM_ROOTS, np.float32)
    leaves = Leaves(
        reward=nothing,
        continues=nothing + np.float32(1.0),
        sign=np.ones(1, np.float32),
        value=np.zeros(NUM_ROOTS, np.float32),
        logits=_LOGITS.copy(),
        legal=np.zeros((0, ACTIONS), np.bool_),
    )
    return tree, leaves, places


@compiled
def _search_by_puct(
    tree: PolicyTree, leaves: Leaves, places: Array, explore: Array, num_simulations: int, gamma: float
) -> None:
    begin_all(tree, leaves, False)
    leaves.logits[:] = 0.0
    for simulation in range(1, num_simulations + 1):
        puct.walk_all(tree, explore, True)
        _add(tree, leaves, places, simulation)
        end_all(tree, leaves, simulation, gamma, False)


@compiled
def _search_by_gumbel(
    tree: PolicyTree, leaves: Leaves, places: Array, halving: gumbel.Halving, num_simulations: int, gamma: float
) -> None:
    begin_all(tree, leaves, True)
    leaves.logits[:] = 0.0
    gumbel.draw_all(tree, halving, 1.0)
    for simulation in range(1, num_simulations + 1):
        gumbel.walk_all(tree, halving, simulation)
        _add(tree, leaves, places, simulation)
        end_all(tree, leaves, simulation, gamma, True)


@compiled
def _add(tree: PolicyTree, leaves: Leaves, places: Array, simulation: int) -> None:
    """Makes a step of the model in each tree: adds the action, and values the place that it leads to by its sine."""
    for row in range(len(places)):
        place = places[row, tree.node[row]] + tree.action[row]
        places[row, simulation] = place
        leaves.value[row] = math.sin(place)
