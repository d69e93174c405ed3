"""The rules of a board game as a world model: object states, two players, legal moves."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from zoo_core.world_model import ModelStep, WorldModel

_LINES = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6))


class Board(NamedTuple):
    """A position, never changed in place: +1 on the fields of the player to move, −1 on the other's, 0 where free."""

    fields: tuple[int, ...] = (0,) * 9
    over: bool = False

    def play(self, field: int) -> tuple[Board, float]:
        """Returns the position after a move and the mover's reward; a taken field loses at once.

        A game that is over is still seen by the player who made the last move.
        """
        if self.over:
            return self, 0.0
        if self.fields[field]:
            return Board(self.fields, over=True), -1.0
        mine = (*self.fields[:field], 1, *self.fields[field + 1 :])
        won = any(all(mine[i] == 1 for i in line) for line in _LINES)
        if won or all(mine):
            return Board(mine, over=True), float(won)
        return Board(tuple(-value for value in mine)), 0.0


class TicTacToe(WorldModel):
    """Known rules; nothing is learned. A state is a NumPy object array `[B]` of `Board`."""

    num_players: ClassVar[int] = 2

    def __init__(
        self, observation_space: Any = None, action_space: Any = None, config: Any = None, *, seed: int = 0
    ) -> None:
        super().__init__(
            observation_space or spaces.Box(-1, 1, (9,), np.int8), action_space or spaces.Discrete(9), config, seed=seed
        )

    def fit(self, replay: Any = None, **kwargs: Any) -> dict[str, float]:
        """Does nothing: the rules are known."""
        return {"loss": 0.0}

    def initial_state(self, num: int, *, rng: torch.Generator) -> Any:
        """Returns empty boards."""
        return _object_array([Board()] * num)

    def observe(self, state: Any, action: Any, obs: Tensor, is_first: Any, *, rng: torch.Generator) -> Any:
        """Applies the move; where a game begins, it begins at the board that is seen."""
        seen = _object_array([Board(tuple(row)) for row in obs.tolist()])
        if state is None or is_first is None:
            return seen
        return np.where(is_first.cpu().numpy(), seen, self.step(state, action, rng=rng).state)

    def step(
        self, state: Any, action: Tensor, *, rng: torch.Generator, temperature: float = 1.0, uncertainty: bool = False
    ) -> ModelStep:
        """Plays one move on every board."""
        played = [board.play(field) for board, field in zip(state, action.tolist(), strict=True)]
        after = _object_array([board for board, _ in played])
        reward = torch.tensor([reward for _, reward in played], device=self.device)
        over = torch.tensor([board.over for board in after], device=self.device)
        return ModelStep(after, reward, (~over).float(), sign=-1.0)

    def decode(self, state: Any) -> Tensor:
        """Returns the fields `[B, 9]`, as the player to move sees them."""
        return torch.tensor([board.fields for board in state], dtype=torch.int8, device=self.device)

    def legal_actions(self, state: Any) -> Tensor:
        """Returns the free fields; none where the game is over."""
        free = [[value == 0 and not board.over for value in board.fields] for board in state]
        return torch.tensor(free, device=self.device)


def random_opponent(model: WorldModel, state: Any, *, rng: torch.Generator) -> Tensor:
    """Moves uniformly at random among the legal actions, for `opponent=` of a dream."""
    legal = model.legal_actions(state)
    assert legal is not None, f"{type(model).__name__} says nothing about legal actions"
    weights = torch.where(legal.any(-1, keepdim=True), legal, True).float()
    return torch.multinomial(weights, 1, generator=rng)[:, 0]


def _object_array(boards: list[Board]) -> Any:
    array = np.empty(len(boards), dtype=object)  # np.array(boards) would look into the tuples
    for i, board in enumerate(boards):
        array[i] = board
    return array
