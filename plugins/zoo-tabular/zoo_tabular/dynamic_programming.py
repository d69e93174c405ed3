"""Exact dynamic programming on a table (Sutton & Barto 2018, chapter 4): the oracle of everything that plans."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from zoo_core.config import check_range
from zoo_tabular.table import MAX_NUMBERS, Table, check_numbers

Array = np.ndarray[Any, Any]

TOLERANCE = 1e-10  # largest change of a value in the last sweep
ROUNDING = 2.0**-48  # times the largest value: a change that sweeps cannot get below, 16 units in the last place
MAX_SWEEPS = 100_000
PATIENCE = 10_000  # sweeps after which to solve for the values of the policy that they have come to
DENSE = 0.25  # share of next states above which a matrix product is faster, though sweeps in place need fewer of them
SAME = 1e-10  # times the largest value: actions that differ by less do so by rounding, and are equally good


class Solution(NamedTuple):
    """What is optimal, at a discount.

    Attributes:
        value: `[S]` best expected return from each state.
        q: `[S, A]` best expected return after each action.
        policy: `[S]` int64, of the best actions the first that leads, by best actions alone, nearest to an end: at a
            discount of 1, to walk in circles is often as good as to arrive. The first of all where none leads to one.
        sweeps: passes over all states, or improvements of the policy.
    """

    value: Array
    q: Array
    policy: Array
    sweeps: int


class Backups(NamedTuple):
    """A table prepared for sweeps: the outcomes from which an episode goes on, pair after pair.

    Attributes:
        reward: `[S, A]` expected reward.
        first: `[S * A + 1]` where the outcomes of each pair begin.
        next_state: `[N]` int32.
        weight: `[N]` discount times probability.
    """

    reward: Array
    first: Array
    next_state: Array
    weight: Array


def value_iteration(
    table: Table, gamma: float, *, tolerance: float = TOLERANCE, max_sweeps: int = MAX_SWEEPS
) -> Solution:
    """Sweeps over all states until no value changes by more than `tolerance`, or than rounding makes it.

    Sweeps are made in place; a table that leads nearly everywhere from everywhere is swept faster by a matrix product.

    Near a discount of 1 that may take long. After every `PATIENCE` sweeps it therefore goes on from the exact values of
    its greedy policy (modified policy iteration, Puterman & Shin 1978), unless there are too many states to solve for.

    Args:
        table: what is known of the world.
        gamma: discount in [0, 1]; 1 needs a best policy that ends, wherever it begins.
        tolerance: largest change in the last sweep; values are then within `tolerance * gamma / (1 - gamma)`.
        max_sweeps: sweeps after which to give up.

    Raises:
        ValueError: `gamma` or `tolerance` is out of range, or the values still change after `max_sweeps`.
    """
    check_range("tolerance", tolerance, 0.0)
    backups = prepare(table, gamma)
    sweep = partial(sweep_matrix_until, *as_matrix(backups)) if is_dense(backups) else partial(sweep_until, *backups)
    value, sweeps = np.zeros(table.num_states), 0
    while True:
        more, change = sweep(value, tolerance, min(PATIENCE, max_sweeps - sweeps))
        sweeps += more
        if change <= max(tolerance, ROUNDING * float(np.abs(value).max())):
            return _solution(table, backups, value, sweeps)
        if sweeps >= max_sweeps:
            discount = "a discount below 1" if gamma == 1.0 else "a smaller discount"
            raise ValueError(
                f"the values still change by {change:.3g} after {sweeps:,} sweeps at gamma={gamma}: take {discount}"
            )
        if gamma < 1.0 and table.num_states**2 <= MAX_NUMBERS:
            value = policy_evaluation(table, backed_up(*backups, value).argmax(-1), gamma)


def policy_iteration(table: Table, gamma: float) -> Solution:
    """Evaluates a policy exactly and makes it greedy, until it stays (Howard 1960).

    The first policy leads to an end wherever one does. Undiscounted, those after it then do, too, unless there are
    rewards to be had for ever.

    Raises:
        ValueError: `gamma` is outside [0, 1], or is 1 where no policy ends or going on for ever pays.
        UnsupportedSpaceError: there are too many states to solve for.
    """
    backups = prepare(table, gamma)
    policy = _towards_an_end(table, backups, np.ones((table.num_states, table.num_actions), bool))
    states, improvements = np.arange(table.num_states), 0
    while True:
        value = policy_evaluation(table, policy, gamma)
        q = backed_up(*backups, value)
        better = q.max(-1) > q[states, policy] + _same(q)
        improvements += 1
        if not better.any():
            return _solution(table, backups, value, improvements)
        policy = np.where(better, q.argmax(-1), policy)


def policy_evaluation(table: Table, policy: Array, gamma: float) -> Array:
    """Solves for the value `[S]` of a policy, exactly.

    Args:
        table: what is known of the world.
        policy: `[S]` actions, or `[S, A]` their probabilities.
        gamma: discount in [0, 1]; 1 needs a policy that ends, wherever it begins.

    Raises:
        ValueError: `gamma` is outside [0, 1], or is 1 where the policy never ends, or `policy` is none for the table.
        UnsupportedSpaceError: there are too many states to solve for.
    """
    check_range("gamma", gamma, 0.0, 1.0)
    check_numbers(table.num_states**2, "solving for the values of a policy", "take value iteration")
    chances = _chances(policy, table.num_states, table.num_actions)
    reward = (chances * table.expected_reward()).sum(-1)
    weight = chances[:, :, None] * table.probability
    matrix = np.zeros((table.num_states, table.num_states))
    np.add.at(matrix, (np.arange(table.num_states)[:, None, None], table.next_state), weight * ~table.terminated)
    if gamma == 1.0 and not _ends((weight * table.terminated).sum((1, 2)) > 0.0, matrix > 0.0).all():
        raise ValueError("there are states from which the policy never ends, so it has no value: take gamma below 1")
    matrix *= -gamma
    matrix[np.diag_indices(table.num_states)] += 1.0
    return np.linalg.solve(matrix, reward)


def prepare(table: Table, gamma: float) -> Backups:
    """Sorts out what a sweep needs of a table.

    Raises:
        ValueError: `gamma` is outside [0, 1].
    """
    check_range("gamma", gamma, 0.0, 1.0)
    goes_on = (table.probability > 0.0) & ~table.terminated
    first = np.concatenate([[0], goes_on.sum(-1).reshape(-1).cumsum()])
    weight = gamma * table.probability[goes_on]
    return Backups(table.expected_reward(), first, table.next_state[goes_on].astype(np.int32), weight)


@njit(cache=True)
def sweep_until(
    reward: Array, first: Array, next_state: Array, weight: Array, value: Array, tolerance: float, max_sweeps: int
) -> tuple[int, float]:
    """Backs up all states, in place, up to `max_sweeps` times; returns the sweeps and the change in the last one."""
    num_states, num_actions = reward.shape
    change = np.inf
    enough = tolerance
    sweeps = 0
    while sweeps < max_sweeps and change > enough:
        change = largest = 0.0
        for state in range(num_states):
            best = -np.inf
            for action in range(num_actions):
                total = reward[state, action]
                pair = state * num_actions + action
                for i in range(first[pair], first[pair + 1]):
                    total += weight[i] * value[next_state[i]]
                best = max(best, total)
            change = max(change, abs(best - value[state]))
            largest = max(largest, abs(best))
            value[state] = best
        enough = max(tolerance, ROUNDING * largest)
        sweeps += 1
    return sweeps, change


def is_dense(backups: Backups) -> bool:
    """Says whether sweeps by matrix products are faster than outcome by outcome."""
    numbers = backups.reward.size * len(backups.reward)
    return len(backups.next_state) > DENSE * numbers and numbers <= MAX_NUMBERS


def as_matrix(backups: Backups) -> tuple[Array, Array]:
    """Returns the expected rewards `[S, A]`, and the weights of the next states `[S * A, S]`."""
    matrix = np.zeros((backups.reward.size, len(backups.reward)))
    pairs = np.repeat(np.arange(len(matrix)), np.diff(backups.first))
    np.add.at(matrix, (pairs, backups.next_state), backups.weight)
    return backups.reward, matrix


def sweep_matrix_until(
    reward: Array, matrix: Array, value: Array, tolerance: float, max_sweeps: int
) -> tuple[int, float]:
    """Backs up all states at once, as `sweep_until` does one after the other; `value` is changed in place too."""
    change, enough, sweeps = np.inf, tolerance, 0
    while sweeps < max_sweeps and change > enough:
        best = ((matrix @ value).reshape(reward.shape) + reward).max(-1)
        change = float(np.abs(best - value).max())
        value[:] = best
        enough = max(tolerance, ROUNDING * float(np.abs(best).max()))
        sweeps += 1
    return sweeps, change


@njit(cache=True)
def backed_up(reward: Array, first: Array, next_state: Array, weight: Array, value: Array) -> Array:
    """Returns the expected return `[S, A]` of one step and `value` after it."""
    q = reward.copy()
    num_states, num_actions = reward.shape
    for state in range(num_states):
        for action in range(num_actions):
            pair = state * num_actions + action
            for i in range(first[pair], first[pair + 1]):
                q[state, action] += weight[i] * value[next_state[i]]
    return q


@njit(cache=True)
def first_steps(first: Array, next_state: Array, ends: Array, allowed: Array) -> Array:
    """Returns for each state the first action with which a shortest way to an end begins, `[S]`, or the first allowed
    one where there is no way; a step is one that may lead there, however unlikely.

    Args:
        first: `[S * A + 1]`, with the next one what `Backups` holds.
        next_state: `[N]`.
        ends: `[S, A]` bool, whether the episode may end at once.
        allowed: `[S, A]` bool, the actions to choose from, one a state at least.
    """
    num_states, num_actions = ends.shape
    start = np.zeros(num_states + 1, np.int64)  # where the pairs that lead to each state begin
    for pair in range(num_states * num_actions):
        for i in range(first[pair], first[pair + 1]):
            start[next_state[i] + 1] += 1
    start = start.cumsum()
    leading_to, filled = np.empty(start[-1], np.int64), start.copy()
    for pair in range(num_states * num_actions):
        for i in range(first[pair], first[pair + 1]):
            leading_to[filled[next_state[i]]] = pair
            filled[next_state[i]] += 1

    steps, found, num_found = np.full(num_states, num_states), np.empty(num_states, np.int64), 0
    for state in range(num_states):
        if (ends[state] & allowed[state]).any():
            steps[state], found[num_found] = 0, state
            num_found += 1
    looked_at = 0
    while looked_at < num_found:  # breadth first, from the ends backwards
        state = found[looked_at]
        looked_at += 1
        for pair in leading_to[start[state] : start[state + 1]]:
            before, action = pair // num_actions, pair % num_actions
            if allowed[before, action] and steps[before] == num_states:
                steps[before], found[num_found] = steps[state] + 1, before
                num_found += 1

    policy = np.full(num_states, -1)
    for state in range(num_states):
        for action in range(num_actions):
            if not allowed[state, action]:
                continue
            pair = state * num_actions + action
            nearest = -1 if ends[state, action] else num_states
            for i in range(first[pair], first[pair + 1]):
                nearest = min(nearest, steps[next_state[i]])
            if nearest < steps[state]:
                policy[state] = action
                break
            if policy[state] < 0:
                policy[state] = action
    return policy


def _towards_an_end(table: Table, backups: Backups, allowed: Array) -> Array:
    ends = np.asarray(((table.probability > 0.0) & table.terminated).any(-1))
    policy: Array = first_steps(backups.first, backups.next_state, ends, allowed)
    return policy


def _solution(table: Table, backups: Backups, value: Array, sweeps: int) -> Solution:
    q = backed_up(*backups, value)
    best = q.max(-1)
    return Solution(best, q, _towards_an_end(table, backups, q >= best[:, None] - _same(q)), sweeps)


def _same(q: Array) -> float:
    return SAME * float(np.abs(q).max())


def _chances(policy: Array, num_states: int, num_actions: int) -> Array:
    policy = np.asarray(policy)
    if policy.shape == (num_states,) and policy.dtype.kind in "iu" and ((policy >= 0) & (policy < num_actions)).all():
        return np.eye(num_actions)[policy]  # type: ignore[no-any-return]
    if policy.shape == (num_states, num_actions) and (policy >= 0).all() and np.allclose(policy.sum(-1), 1.0):
        return policy
    raise ValueError(
        f"a policy of {num_states} states has an action from 0 to {num_actions - 1} for each, or the probabilities "
        f"[{num_states}, {num_actions}] of all, got an array {policy.shape} of {policy.dtype}"
    )


def _ends(at_once: Array, leads_to: Array) -> Array:
    """Returns the states `[S]` from which `leads_to` `[S, S]` shows a way to one that may end at once."""
    ends = at_once
    while (more := ends | leads_to[:, ends].any(-1)).sum() > ends.sum():
        ends = more
    return ends
