"""What tabular agents do at every step, compiled: choosing actions, Q-learning, planning from a table of outcomes.

`.py_func` of each is the same loop in plain Python. They call none of another file, since numba would not notice that
it has changed, and would go on with what it has cached of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = np.ndarray[Any, Any]


@njit(cache=True)
def below(rng: np.random.Generator, num: int) -> int:
    """Returns a random integer in [0, num); the generator's own `integers` takes ten times as long in compiled code."""
    return int(rng.random() * num)


@njit(cache=True)
def greedy_action(values: Array, rng: np.random.Generator) -> int:
    """Returns one of the actions of the highest value `[A]`, each as likely: a fixed one would keep an agent that knows
    nothing yet in a corner.
    """
    best, num_best = 0, 0
    for action in range(len(values)):
        if num_best == 0 or values[action] > values[best]:
            best, num_best = action, 1
        elif values[action] == values[best]:
            num_best += 1
            if below(rng, num_best) == 0:
                best = action
    return best


@njit(cache=True)
def explore(q: Array, state: Array, explore_prob: float, rng: np.random.Generator) -> Array:
    """Returns ε-greedy actions `[B]` in states `[B]`."""
    action = np.empty(len(state), np.int64)
    for i in range(len(state)):
        if explore_prob > 0.0 and rng.random() < explore_prob:
            action[i] = below(rng, q.shape[1])
        else:
            action[i] = greedy_action(q[state[i]], rng)
    return action


@njit(cache=True)
def learn_from_steps(
    q: Array,
    state: Array,
    action: Array,
    reward: Array,
    next_state: Array,
    terminated: Array,
    learning_rate: float,
    gamma: float,
) -> None:
    """Makes one update of Q-learning for each step `[B]`, in place (Watkins 1989)."""
    for i in range(len(state)):
        target = reward[i]
        if not terminated[i]:
            target += gamma * q[next_state[i]].max()
        q[state[i], action[i]] += learning_rate * (target - q[state[i], action[i]])


@njit(cache=True)
def note_tried(
    state: Array,
    action: Array,
    states: Array,
    num_states: Array,
    actions: Array,
    num_actions: Array,
    last_tried: Array,
    clock: Array,
) -> None:
    """Notes the pairs of steps `[B]` in a memory of what was tried, in place; see `zoo_dyna.memory`."""
    for i in range(len(state)):
        s, a = state[i], action[i]
        if num_actions[s] == 0:
            states[num_states[0]] = s
            num_states[0] += 1
        if last_tried[s, a] == 0:
            actions[s, num_actions[s]] = a
            num_actions[s] += 1
        clock[0] += 1
        last_tried[s, a] = clock[0]


@njit(cache=True)
def plan(
    q: Array,
    outcome_next: Array,
    outcome_count: Array,
    outcome_reward: Array,
    outcome_terminated: Array,
    states: Array,
    num_states: Array,
    actions: Array,
    num_actions: Array,
    last_tried: Array,
    clock: Array,
    num_updates: int,
    learning_rate: float,
    gamma: float,
    curious: bool,
    bonus: float,
    unseen_reward: float,
    rng: np.random.Generator,
) -> None:
    """Makes `num_updates` updates of Q-learning, in place, with what the model says follows (Sutton & Barto 2018,
    section 8.2, step f); none while nothing was seen.

    Args:
        q: `[S, A]`.
        outcome_next: `[S, A, K]`, with the three after it what `Lookup.outcomes` holds.
        outcome_count: `[S, A, K]`.
        outcome_reward: `[S, A, K]`.
        outcome_terminated: `[S, A, K]`.
        states: `[S]` the states seen so far, with the five after it what `zoo_dyna.memory.Memory` holds.
        num_states: `[1]`.
        actions: `[S, A]`.
        num_actions: `[S]`.
        last_tried: `[S, A]`.
        clock: `[1]`.
        num_updates: n.
        learning_rate: α.
        gamma: γ.
        curious: also consider actions that were never tried in a state that was seen, as Dyna-Q+ does.
        bonus: κ of Dyna-Q+: the reward of planning is κ√τ more; what is stored in the model stays as it is.
        unseen_reward: of a pair never tried, which leads back to its state.
        rng: source of randomness.
    """
    if num_states[0] == 0:
        return
    for _ in range(num_updates):
        s = states[below(rng, num_states[0])]
        a = below(rng, q.shape[1]) if curious else actions[s, below(rng, num_actions[s])]
        reward, next_state, terminated = unseen_reward, s, False
        if last_tried[s, a] > 0:
            k = draw_outcome(outcome_count[s, a], rng)
            reward, next_state, terminated = outcome_reward[s, a, k], outcome_next[s, a, k], outcome_terminated[s, a, k]
        target = reward + bonus * np.sqrt(clock[0] - last_tried[s, a])
        if not terminated:
            target += gamma * q[next_state].max()
        q[s, a] += learning_rate * (target - q[s, a])


@njit(cache=True)
def draw_outcome(count: Array, rng: np.random.Generator) -> int:
    """Draws an outcome in proportion to counts `[K]`, of which one at least is not 0."""
    if len(count) == 1:
        return 0
    left = rng.random() * count.sum()
    for k in range(len(count)):
        left -= count[k]
        if left < 0.0:
            return k
    return int(np.argmax(count))  # rounding took what was left
