"""The interface of a game's rules: what a game brings so that it can be searched, played and learned.

Two players, perfect information, no chance, and what one wins the other loses. Everything works on a batch of B
positions that do not know of each other; positions are never changed in place.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from zoo_mcts.compiled import compiled, uniform

Array = np.ndarray[Any, Any]
Positions = Any  # a pytree whose leaves are NumPy arrays with the leading dimension B
NUM_PLAYERS = 2
BIT: Any = np.bool_  # of planes of yes and no; Box takes it, and its types do not say so


class Played(NamedTuple):
    """What a move led to, for each of B positions.

    Attributes:
        state: the positions after it.
        reward: float32 `[B]`, for the player who moved.
        over: bool `[B]`, the game ended; also where it was over before.
        sign: float32 `[B]`, -1 where the other player moves next, 1 where the same one does.
    """

    state: Positions
    reward: Array
    over: Array
    sign: Array


class Game(ABC):
    """Rules of a game.

    An illegal move ends the game, and loses it. A move in a game that is over changes nothing and pays nothing.

    Attributes:
        id: by which `zoo_mcts.games.lookup.make_game` makes it, such as "connect_four_v3".
        kwargs: with which it does, JSON-able.
        num_actions: A.
        view: space of the planes that the player to move sees.
    """

    id: str
    kwargs: Mapping[str, Any]
    num_actions: int
    view: spaces.Box

    @property
    def action_space(self) -> spaces.Discrete:
        """All moves there are; `legal` says which are allowed."""
        return spaces.Discrete(self.num_actions)

    @property
    def observation_space(self) -> spaces.Dict:
        """What a player sees, as PettingZoo has it: "observation" and "action_mask" (1 where a move is allowed)."""
        mask = spaces.Box(0, 1, (self.num_actions,), np.int8)
        return spaces.Dict({"observation": self.view, "action_mask": mask})

    @abstractmethod
    def initial(self, num: int) -> Positions:
        """Returns `num` positions in which the game begins."""

    @abstractmethod
    def play(self, state: Positions, action: Array) -> Played:
        """Makes a move, int64 `[B]` from 0, in each position."""

    @abstractmethod
    def legal(self, state: Positions) -> Array:
        """Returns which moves are allowed, bool `[B, A]`; none where the game is over."""

    @abstractmethod
    def observe(self, state: Positions) -> Array:
        """Returns what the player to move sees, `[B, ...]` in `view`."""

    @abstractmethod
    def player(self, state: Positions) -> Array:
        """Returns whose turn it is, int64 `[B]`: 0 for the player who began, else 1."""

    @abstractmethod
    def over(self, state: Positions) -> Array:
        """Returns which games have ended, bool `[B]`."""

    def random_returns(self, state: Positions, *, depth: int, gamma: float, seeds: Array) -> Array:
        """Returns what random moves from each position came to, for the player to move there, float64 `[B]`.

        Args:
            state: B positions.
            depth: moves at most.
            gamma: discount of each move.
            seeds: uint64 `[B]`, of the random moves of each row.
        """
        streams, action = seeds.copy(), np.zeros(len(seeds), np.int64)
        returns, weight = np.zeros(len(seeds)), np.ones(len(seeds))
        for _ in range(depth):
            legal = self.legal(state)
            if not legal.any():
                break
            choose_random(legal, streams, action)
            played = self.play(state, action)
            returns += weight * played.reward
            weight *= gamma * played.sign
            state = played.state
        return returns

    def render(self, state: Positions, row: int) -> str:
        """Returns a picture of a position in text; by default the planes that are seen."""
        return str(self.observe(state)[row])

    def action_name(self, state: Positions, row: int, action: int) -> str:
        """Returns what players call a move in a position, by default its number."""
        return str(action)

    def parse_action(self, state: Positions, row: int, text: str) -> int:
        """Returns the move that a player means by a text.

        Raises:
            ValueError: no legal move of the position is called so.
        """
        legal = np.flatnonzero(self.legal(state)[row]).tolist()
        names = {self.action_name(state, row, action): action for action in legal}
        if text in names:
            return names[text]
        if text.isdecimal() and int(text) in legal:
            return int(text)
        raise ValueError(f"{text!r} is no legal move here; legal are {', '.join(names)}")

    def symmetries(self, planes: Array, policy: Array) -> list[tuple[Array, Array]]:
        """Returns what is the same position seen otherwise, such as in a mirror, itself first.

        Args:
            planes: `[B, ...]` as `observe` returns them.
            policy: `[B, A]` anything that goes with moves.
        """
        return [(planes, policy)]


@compiled
def choose_random(legal: Array, streams: Array, action: Array) -> None:
    """Fills in a move `[B]` that is legal `[B, A]`, uniformly drawn from each row's stream; 0 where none is."""
    for row in range(len(action)):
        choices = 0
        action[row] = 0
        for candidate in range(legal.shape[1]):
            if legal[row, candidate]:
                choices += 1
                if uniform(streams, row) * choices < 1.0:
                    action[row] = candidate
