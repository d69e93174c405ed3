"""What a player is, and the two simplest ones."""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple, Protocol

import numpy as np

from zoo_mcts.games.game import Array, Game, Positions


class Choice(NamedTuple):
    """What a player would do in each of B positions.

    Attributes:
        action: int64 `[B]`.
        value: float `[B]` what the position is worth to the player to move, in [-1, 1]; None if it does not say.
        weights: float `[B, A]` shares of the moves, such as visits of a search; None if it does not say.
    """

    action: Array
    value: Array | None = None
    weights: Array | None = None


class Player(Protocol):
    """Plays a game, in many positions at once.

    Attributes:
        name: as users call it.
        deterministic: whether it always makes the same move in the same position; two such players are given games
            that begin differently.
    """

    name: str
    deterministic: bool

    def choose(self, game: Game, state: Positions, *, rng: np.random.Generator) -> Choice:
        """Chooses a legal move in each of B positions, none of which is over.

        Args:
            game: the rules.
            state: B positions.
            rng: source of randomness.
        """


class RandomPlayer:
    """Every legal move is as likely."""

    deterministic = False

    def __init__(self, name: str = "random") -> None:
        self.name = name

    def choose(self, game: Game, state: Positions, *, rng: np.random.Generator) -> Choice:
        """Draws a legal move in each position."""
        legal = game.legal(state)
        return Choice(draw(legal, rng), weights=shares(legal))


class PolicyPlayer:
    """Plays what SB3's `predict` says, deterministically: an agent of SB3, MaskablePPO, or an agent of the zoo.

    Args:
        policy: has `predict`, and observes what `SelfPlayEnv` shows.
        name: as users call it.
    """

    deterministic = True

    def __init__(self, policy: Any, name: str | None = None) -> None:
        self.policy = policy
        self.name = name or type(policy).__name__
        self._takes_masks = "action_masks" in inspect.signature(policy.predict).parameters

    def choose(self, game: Game, state: Positions, *, rng: np.random.Generator) -> Choice:
        """Asks the policy; a move that is not legal is made, and loses."""
        legal = game.legal(state)
        seen = {"observation": game.observe(state), "action_mask": legal.astype(np.int8)}
        masks = {"action_masks": legal} if self._takes_masks else {}
        action, _ = self.policy.predict(seen, deterministic=True, **masks)
        return Choice(np.asarray(action, np.int64))


def draw(weights: Array, rng: np.random.Generator) -> Array:
    """Draws an index of each row by its weights, int64 `[B]`; 0 where all are 0.

    A row takes one number of the generator, so that rows drawn one by one are the same.

    Args:
        weights: `[B, A]`, at least 0.
        rng: source of randomness.
    """
    cumulative = np.cumsum(weights, 1, dtype=np.float64)
    drawn: Array = (cumulative > rng.random((len(weights), 1)) * cumulative[:, -1:]).argmax(1)
    return drawn


def shares(weights: Array) -> Array:
    """Returns the weights `[B, A]` as shares of their sum in each row."""
    share: Array = weights / np.maximum(weights.sum(1, keepdims=True), 1)
    return share
