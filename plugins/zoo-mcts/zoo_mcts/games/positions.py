"""Games whose positions are Python objects, such as the boards of a library."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from zoo_mcts.games.game import Array, Game, Played


class ObjectBoards(NamedTuple):
    """B positions.

    Attributes:
        position: objects `[B]`, which nobody changes.
        player: int8 `[B]`, who is to move; 0 began. After the end it is the player who did not move last.
        over: bool `[B]`.
    """

    position: Array
    player: Array
    over: Array


class PositionGame(Game):
    """A game of which a library knows the rules, one position at a time.

    A subclass says what happens in one position, and never changes one that it was given. Whose turn it is, what is
    over and what illegal moves lead to is kept here.
    """

    @abstractmethod
    def begin(self) -> Any:
        """Returns the position in which the game begins."""

    @abstractmethod
    def moves(self, position: Any) -> Sequence[int]:
        """Returns the legal moves of a position in which the game is not over."""

    @abstractmethod
    def move(self, position: Any, action: int) -> tuple[Any, float]:
        """Returns the position after a legal move, and the reward of the player who made it."""

    @abstractmethod
    def ended(self, position: Any) -> bool:
        """Returns whether the game is over."""

    @abstractmethod
    def turn(self, position: Any) -> int:
        """Returns who moves next in a game that is not over, 0 for the player who began."""

    @abstractmethod
    def see(self, position: Any, player: int) -> Array:
        """Returns what a player sees, in `view`."""

    def initial(self, num: int) -> ObjectBoards:
        """Returns `num` positions in which the game begins."""
        return ObjectBoards(
            as_objects([self.begin() for _ in range(num)]), np.zeros(num, np.int8), np.zeros(num, np.bool_)
        )

    def play(self, state: ObjectBoards, action: Array) -> Played:
        """Makes a move in each position."""
        after = ObjectBoards(state.position.copy(), state.player.copy(), state.over.copy())
        reward = np.zeros(len(state.over), np.float32)
        for row in np.flatnonzero(~state.over):
            position, move = state.position[row], int(action[row])
            if move in self.moves(position):
                after.position[row], reward[row] = self.move(position, move)
                after.over[row] = self.ended(after.position[row])
            else:
                reward[row], after.over[row] = -1.0, True
            other = 1 - state.player[row]
            after.player[row] = other if after.over[row] else self.turn(after.position[row])
        again = (after.player == state.player) & ~after.over
        return Played(after, reward, after.over, np.where(again, 1.0, -1.0).astype(np.float32))

    def legal(self, state: ObjectBoards) -> Array:
        """Returns which moves are allowed, bool `[B, A]`; none where the game is over."""
        mask = np.zeros((len(state.over), self.num_actions), np.bool_)
        for row in np.flatnonzero(~state.over):
            mask[row, self.moves(state.position[row])] = True
        return mask

    def observe(self, state: ObjectBoards) -> Array:
        """Returns what the player to move sees, `[B, ...]`."""
        seen = np.empty((len(state.over), *self.view.shape), self.view.dtype)
        for row, (position, player) in enumerate(zip(state.position, state.player, strict=True)):
            seen[row] = self.see(position, int(player))
        return seen

    def player(self, state: ObjectBoards) -> Array:
        """Returns whose turn it is."""
        return state.player.astype(np.int64)

    def over(self, state: ObjectBoards) -> Array:
        """Returns which games have ended."""
        return state.over


def as_objects(things: Sequence[Any]) -> Array:
    """Returns an array of objects `[B]`, also of such as NumPy would take apart."""
    array = np.empty(len(things), object)
    for i, thing in enumerate(things):
        array[i] = thing
    return array
