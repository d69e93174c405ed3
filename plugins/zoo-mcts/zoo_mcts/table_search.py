"""The same search in a table: all simulations from all roots in one compiled loop, without a call of the model.

A model of one player is a table if it has `table()`, with the arrays `next_state, probability, reward, terminated`
`[S, A, K]` of the K outcomes of each pair, and states of two fields, `index` and `terminal` `[B]`. The same class must
define `table`, `step` and `decode`: a subclass that alters one of them is searched as any other model.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch

from zoo_core.planner import Evaluate
from zoo_core.world_model import State, WorldModel
from zoo_mcts.compiled import Array, compiled, uniform
from zoo_mcts.config import UCTConfig
from zoo_mcts.leaves import check_policy, evaluate_all
from zoo_mcts.tree import Tree, backup, follow, follow_first
from zoo_mcts.ucb import choose


class Outcomes(NamedTuple):
    """A table, and what `evaluate` says of it.

    Attributes:
        next_state: `[S, A, K]`.
        probability: `[S, A, K]`.
        reward: `[S, A, K]`.
        terminated: `[S, A, K]` bool.
        leaf_value: `[S]` what the end of a rollout is worth; `[0]` if it is worth nothing.
        policy: `[S, A]` probabilities of the simulation policy; `[0, A]` for the uniform one.
    """

    next_state: Array
    probability: Array
    reward: Array
    terminated: Array
    leaf_value: Array
    policy: Array


def is_table(model: WorldModel, state: State) -> bool:
    """Says whether a model is a table in which all actions are legal."""
    definers = {_definer(type(model), name) for name in ("table", "step", "decode")}
    return (
        len(definers) == 1
        and model.num_players == 1
        and getattr(state, "_fields", None) == ("index", "terminal")
        and model.legal_actions(state) is None
    )


def _definer(cls: type, name: str) -> type | None:
    """Returns the class from which `cls` has an attribute."""
    return next((base for base in cls.__mro__ if name in vars(base)), None)


def search_table(
    tree: Tree,
    model: WorldModel,
    state: State,
    config: UCTConfig,
    evaluate: Evaluate | None,
    *,
    rng: torch.Generator,
) -> None:
    """Makes all simulations from each root; `evaluate` is called once, on all states of the table.

    Raises:
        ValueError: a root is outside the table, what `evaluate` says is of another shape, or its logits are no policy.
    """
    outcomes = _read(model, state, evaluate, rng)
    _check_roots(state, len(outcomes.next_state))
    _search(
        tree,
        outcomes,
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
    num_states, num_actions, _ = table.next_state.shape
    leaf_value, policy = np.zeros(0), np.zeros((0, num_actions))
    if evaluate is not None:
        index = torch.arange(num_states, device=rng.device)
        everywhere = state._replace(index=index, terminal=torch.zeros_like(index, dtype=torch.bool))
        evaluation = evaluate_all(evaluate, everywhere, num_actions, rng=rng)
        leaf_value = evaluation.value.double().cpu().numpy()
        if evaluation.logits is not None:
            policy = check_policy(evaluation.logits).double().softmax(-1).cpu().numpy()
    parts = table.next_state, table.probability, table.reward, table.terminated
    next_state, probability, reward, terminated = map(np.ascontiguousarray, parts)
    return Outcomes(next_state, probability, reward, terminated, leaf_value, policy)


def _check_roots(state: Any, num_states: int) -> None:
    """Compiled code does not look where it reads."""
    shapes = [list(part.shape) for part in (state.index, state.terminal)]
    if len(shapes[0]) != 1 or shapes[0] != shapes[1]:
        raise ValueError(f"roots must have index and terminal [B], got {shapes[0]} and {shapes[1]}")
    outside = (state.index < 0) | (state.index >= num_states)
    if outside.any():
        raise ValueError(f"roots must be states from 0 to {num_states - 1}, got {int(state.index[outside][0])}")


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
        outcome = _sample(outcomes.probability[place, action], tree.streams, row)
        reward = outcomes.reward[place, action, outcome]
        carry = 0.0 if outcomes.terminated[place, action, outcome] else 1.0
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
            action = int(uniform(streams, row) * outcomes.probability.shape[1])
        outcome = _sample(outcomes.probability[place, action], streams, row)
        total += weight * outcomes.reward[place, action, outcome]
        weight *= 0.0 if outcomes.terminated[place, action, outcome] else gamma
        place = outcomes.next_state[place, action, outcome]
        if weight == 0.0:
            break
    return total if weight == 0.0 or len(outcomes.leaf_value) == 0 else total + weight * outcomes.leaf_value[place]


@compiled
def _sample(probability: Array, streams: Array, row: int) -> int:
    """Draws an index by probabilities; the last possible one has what they miss of 1."""
    chance, drawn = uniform(streams, row), 0
    for i in range(len(probability)):
        if probability[i] > 0.0:
            drawn = i
            chance -= probability[i]
            if chance < 0.0:
                break
    return drawn
