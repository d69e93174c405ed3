"""A finite Markov decision process as arrays: what dynamic programming and the compiled loops of planners work on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np

from zoo_core.acting import env_id_of
from zoo_core.errors import UnsupportedSpaceError
from zoo_core.plugins import make_env

Array = np.ndarray[Any, Any]
Outcome = tuple[float, int, float, bool]  # probability, next state, reward, whether it terminates

TOLERANCE = 1e-6  # by which the probabilities of a pair may miss 1
MAX_NUMBERS = 2**26  # of a matrix from states to states: 512 MiB


@dataclass(frozen=True, eq=False)
class Table:
    """The outcomes of every state and action.

    S states, A actions, and room for K outcomes a pair; unused room has probability 0.

    Attributes:
        next_state: `[S, A, K]` int64.
        probability: `[S, A, K]` float64, sums to 1 over K.
        reward: `[S, A, K]` float64.
        terminated: `[S, A, K]` bool, whether the episode ends with this outcome; nothing is earned after it.
        initial: `[S]` float64, distribution of first states; 0 everywhere where they are not known.

    Raises:
        ValueError: the arrays do not fit together, probabilities do not sum to 1, or rewards are not finite.
    """

    next_state: Array
    probability: Array
    reward: Array
    terminated: Array
    initial: Array

    def __post_init__(self) -> None:
        shape = self.next_state.shape
        parts = {name: getattr(self, name).shape for name in ("probability", "reward", "terminated")}
        if len(shape) != 3 or set(parts.values()) != {shape} or self.initial.shape != shape[:1]:
            raise ValueError(f"a table has arrays [S, A, K] and initial [S], got next_state {shape}, {parts}")
        if self.next_state.dtype.kind != "i" or self.terminated.dtype != np.bool_:
            raise ValueError(
                "next_state must hold integers and terminated bool, got "
                f"{self.next_state.dtype} and {self.terminated.dtype}"
            )
        if not np.allclose(self.probability.sum(-1), 1.0, atol=TOLERANCE) or (self.probability < 0).any():
            raise ValueError("the probabilities of each state and action must be at least 0 and sum to 1")
        if ((self.next_state < 0) | (self.next_state >= shape[0])).any():
            raise ValueError(f"next states must be in [0, {shape[0]})")
        if not np.isfinite(self.reward).all():
            raise ValueError("rewards must be finite")
        if not (self.initial >= 0).all() or not min(abs(self.initial.sum() - all_) for all_ in (0.0, 1.0)) <= TOLERANCE:
            raise ValueError("initial must be at least 0 and sum to 1, or be 0 everywhere")

    @classmethod
    def from_env(cls, env: Any) -> Table:
        """Reads the exact table of an environment that has one.

        Args:
            env: an id, a Gymnasium environment or an SB3 VecEnv, whose environment has `P`, with
                `P[state][action] = [(probability, next_state, reward, terminated), ...]`, and `initial_state_distrib`
                `[S]`, as those of Gymnasium's toy text do.

        Raises:
            TypeError: it has none.
        """
        env = make_env(env) if isinstance(env, str) else env
        process, initial = (_attribute(env, name) for name in ("P", "initial_state_distrib"))
        if process is None or initial is None:
            name = env.spec.id if isinstance(env, gym.Env) and env.spec else env_id_of(env) or type(env).__name__
            raise TypeError(
                f"{name} has no exact table, P and initial_state_distrib as in Gymnasium's toy text: learn one with "
                "the model 'lookup'"
            )
        return cls.from_outcomes(process, initial)

    @classmethod
    def from_outcomes(cls, process: Mapping[int, Mapping[int, Sequence[Outcome]]], initial: Any) -> Table:
        """Makes a table of `process[state][action] = [(probability, next_state, reward, terminated), ...]`.

        Outcomes that differ in their probability alone become one; those of probability 0 are left out.

        Raises:
            ValueError: states have different numbers of actions, or probabilities do not sum to 1.
        """
        merged = [
            [_merge(process[state][action]) for action in range(len(process[state]))] for state in range(len(process))
        ]
        if len({len(row) for row in merged}) != 1:
            raise ValueError(f"every state must have as many actions, got {sorted({len(row) for row in merged})}")
        num_outcomes = max(len(outcomes) for row in merged for outcomes in row)
        shape = (len(merged), len(merged[0]), num_outcomes)
        next_state, probability, reward = np.zeros(shape, np.int64), np.zeros(shape), np.zeros(shape)
        terminated = np.zeros(shape, bool)
        for state, row in enumerate(merged):
            for action, outcomes in enumerate(row):
                for k, (outcome, chance) in enumerate(outcomes.items()):
                    place = state, action, k
                    next_state[place], reward[place], terminated[place] = outcome
                    probability[place] = chance
        return cls(next_state, probability, reward, terminated, np.array(initial, dtype=np.float64))

    @property
    def num_states(self) -> int:
        """S."""
        return int(self.next_state.shape[0])

    @property
    def num_actions(self) -> int:
        """A."""
        return int(self.next_state.shape[1])

    def expected_reward(self) -> Array:
        """Returns the mean reward of each pair, `[S, A]`."""
        return (self.probability * self.reward).sum(-1)  # type: ignore[no-any-return]

    def transition_matrix(self) -> Array:
        """Returns the distribution of the next state, `[S, A, S]`, whether the episode ends there or goes on.

        Raises:
            UnsupportedSpaceError: the matrix would have more than `MAX_NUMBERS` numbers.
        """
        return self._matrix(self.probability)

    def continuing_matrix(self) -> Array:
        """Returns the probability of each next state from which the episode goes on, `[S, A, S]`: P of
        `V = max(R + γ P V)`.

        Raises:
            UnsupportedSpaceError: the matrix would have more than `MAX_NUMBERS` numbers.
        """
        return self._matrix(self.probability * ~self.terminated)

    def compact(self) -> Table:
        """Returns a copy in which the outcomes of each pair come first, with room for as many as a pair has."""
        used = self.probability > 0.0
        order = np.argsort(~used, axis=-1, kind="stable")[..., : used.sum(-1).max()]
        names = ("next_state", "probability", "reward", "terminated")
        parts = {name: np.take_along_axis(getattr(self, name), order, -1) for name in names}
        return Table(**parts, initial=self.initial.copy())

    def _matrix(self, weight: Array) -> Array:
        numbers = self.num_states**2 * self.num_actions
        check_numbers(numbers, "the matrix of a table", "take its next_state and probability [S, A, K]")
        matrix = np.zeros((self.num_states, self.num_actions, self.num_states))
        state, action = np.arange(self.num_states)[:, None, None], np.arange(self.num_actions)[:, None]
        np.add.at(matrix, (state, action, self.next_state), weight)
        return matrix


def check_numbers(num: int, what: str, instead: str) -> None:
    """Checks that a dense matrix is of a size that is meant.

    Raises:
        UnsupportedSpaceError: it has more than `MAX_NUMBERS` numbers.
    """
    if num > MAX_NUMBERS:
        raise UnsupportedSpaceError(f"{what} needs {num:,} numbers, at most {MAX_NUMBERS:,}: {instead}")


def _attribute(env: Any, name: str) -> Any:
    """Returns what the environment itself calls by a name, None if nothing; that of the first in a VecEnv."""
    if isinstance(env, gym.Env):
        return getattr(env.unwrapped, name, None)
    try:
        return env.get_attr(name)[0]
    except AttributeError:
        return None


def _merge(outcomes: Sequence[Outcome]) -> dict[tuple[int, float, bool], float]:
    merged: dict[tuple[int, float, bool], float] = {}
    for probability, next_state, reward, terminated in outcomes:
        if probability != 0.0:
            key = int(next_state), float(reward), bool(terminated)
            merged[key] = merged.get(key, 0.0) + float(probability)
    return merged
