"""The same search in a table: all simulations from all roots in one compiled loop, without a call of the model.

A model is a table if it has `table()`, with the arrays `next_state, probability, reward, terminated` `[S, A, K]` of the
K outcomes of each pair, and states of two fields, `index` and `terminal` `[B]`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch

from zoo_core.planner import Evaluate
from zoo_core.world_model import State, WorldModel
from zoo_mcts.compiled import Array, compiled, uniform
from zoo_mcts.config import UCTConfig
from zoo_mcts.tree import Tree, backup, follow, follow_first
from zoo_mcts.ucb import choose


class Outcomes(NamedTuple):
    """A table, ready to be sampled.

    Attributes:
        next_state: `[S, A, K]`.
        cumulative: `[S, A, K]` probability of an outcome and those before it.
        reward: `[S, A, K]`.
        carry: `[S, A, K]` 0 where the episode ends, else 1.
        leaf_value: `[S]` what the end of a rollout is worth.
        policy: `[S, A]` cumulative probabilities of the simulation policy; `[0, A]` for the uniform one.
    """

    next_state: Array
    cumulative: Array
    reward: Array
    carry: Array
    leaf_value: Array
    policy: Array


def is_table(model: WorldModel, state: State) -> bool:
    """Says whether a model is a table in which all actions are legal."""
    return (
        hasattr(model, "table")
        and getattr(state, "_fields", None) == ("index", "terminal")
        and model.legal_actions(state) is None
    )


def search_table(
    tree: Tree,
    model: WorldModel,
    state: State,
    config: UCTConfig,
    evaluate: Evaluate | None,
    *,
    rng: torch.Generator,
) -> None:
    """Makes all simulations from each root; `evaluate` is called once, on all states of the table."""
    _search(
        tree,
        _read(model, state, evaluate, rng),
        state.index.cpu().numpy(),
        state.terminal.cpu().numpy(),
        config.num_simulations,
        config.gamma,
        config.exploration,
        config.rollout_depth,
        config.num_rollouts if config.rollout_depth > 0 else 1,
        config.sees,
        config.shares,
        config.remembers,
        np.empty(config.num_simulations + 1, np.int64),
    )


def _read(model: Any, state: Any, evaluate: Evaluate | None, rng: torch.Generator) -> Outcomes:
    table = model.table()
    cumulative = table.probability.cumsum(-1)
    num_states, num_actions, _ = cumulative.shape
    leaf_value, policy = np.zeros(num_states), np.zeros((0, num_actions))
    if evaluate is not None:
        index = torch.arange(num_states, device=rng.device)
        evaluation = evaluate(state._replace(index=index, terminal=torch.zeros_like(index, dtype=torch.bool)), rng=rng)
        leaf_value = evaluation.value.double().cpu().numpy()
        if evaluation.logits is not None:
            policy = evaluation.logits.double().softmax(-1).cumsum(-1).cpu().numpy()
    return Outcomes(
        np.ascontiguousarray(table.next_state),
        cumulative / cumulative[..., -1:],  # so that the last possible outcome has 1, not 1 - 1e-16
        np.ascontiguousarray(table.reward),
        1.0 - table.terminated,
        leaf_value,
        policy / policy[..., -1:],
    )


@compiled
def _search(
    tree: Tree,
    outcomes: Outcomes,
    index: Array,
    terminal: Array,
    num_simulations: int,
    gamma: float,
    exploration: float,
    rollout_depth: int,
    num_rollouts: int,
    sees: bool,
    shares: bool,
    remembers: bool,
    places: Array,
) -> None:
    """Searches; `places` `[M]` is room for the table's state at each node of a tree, where that is remembered."""
    for row in range(len(index)):
        for simulation in range(1, num_simulations + 1):
            if terminal[row]:  # a step from there gives nothing and leads nowhere
                choose(tree, row, exploration)
                follow(tree, row, np.uint64(0), False, 0.0, 0.0, simulation)
                backup(tree, row, 0.0, gamma)
                continue
            place = _descend(tree, row, outcomes, index[row], simulation, exploration, sees, shares, remembers, places)
            value = 0.0
            if tree.path_carry[row, tree.length[row] - 1] != 0.0:
                for _ in range(num_rollouts):
                    value += _rollout(outcomes, place, rollout_depth, gamma, tree.streams, row) / num_rollouts
            backup(tree, row, value, gamma)


@compiled
def _descend(
    tree: Tree,
    row: int,
    outcomes: Outcomes,
    place: int,
    simulation: int,
    exploration: float,
    sees: bool,
    shares: bool,
    remembers: bool,
    places: Array,
) -> int:
    """Goes down a tree to a new node or an end; returns the state of the table there."""
    inside = True
    while inside:
        choose(tree, row, exploration)
        action = tree.action[row]
        outcome = _sample(outcomes.cumulative[place, action], tree.streams, row)
        reward, carry = outcomes.reward[place, action, outcome], outcomes.carry[place, action, outcome]
        place = outcomes.next_state[place, action, outcome]
        if remembers:
            inside = follow_first(tree, row, reward, carry, simulation)
            if tree.node[row] == simulation:
                places[simulation] = place
            place = places[tree.node[row]]
        else:
            seen = np.uint64(place) if sees else np.uint64(0)
            inside = follow(tree, row, seen, shares, reward, carry, simulation)
    return place


@compiled
def _rollout(outcomes: Outcomes, place: int, depth: int, gamma: float, streams: Array, row: int) -> float:
    """Returns the discounted return of the simulation policy, and of what is worth where it ends."""
    total, weight = 0.0, 1.0
    for _ in range(depth):
        if len(outcomes.policy) > 0:
            action = _sample(outcomes.policy[place], streams, row)
        else:
            action = int(uniform(streams, row) * outcomes.cumulative.shape[1])
        outcome = _sample(outcomes.cumulative[place, action], streams, row)
        total += weight * outcomes.reward[place, action, outcome]
        weight *= gamma * outcomes.carry[place, action, outcome]
        place = outcomes.next_state[place, action, outcome]
        if weight == 0.0:
            break
    return total if weight == 0.0 else total + weight * outcomes.leaf_value[place]


@compiled
def _sample(cumulative: Array, streams: Array, row: int) -> int:
    """Draws an index by cumulative probabilities, of which the last possible one is 1."""
    chance, drawn = uniform(streams, row), 0
    while cumulative[drawn] <= chance:
        drawn += 1
    return drawn
