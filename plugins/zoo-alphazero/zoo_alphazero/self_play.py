"""Self-play: many games at once, every move by a search, and what is learned from them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from zoo_alphazero.losses import outcomes
from zoo_alphazero.replay import Positions
from zoo_core import seeding
from zoo_core.planner import Plan, Planner
from zoo_core.world_model import State, WorldModel, index
from zoo_mcts.game_agent import choose_moves
from zoo_mcts.games.game import Array, Game


class Moment(NamedTuple):
    """A position of a running game, and what was done there.

    Attributes:
        planes: what the player saw.
        legal: bool `[A]`.
        policy: `[A]` what the search recommended, π.
        value: what the search expected, for the player.
        player: who moved.
        reward: for that player.
    """

    planes: Array
    legal: Array
    policy: Array
    value: float
    player: int
    reward: float


class SelfPlay:
    """Plays both sides of games that run side by side.

    Args:
        game: the rules.
        model: the same as a world model.
        num_games: that run at once.
        temperature_moves: of a game that are drawn by the weights of the search; later ones are its own choice.
        random_openings: greatest number of random moves that a game begins with.
        seed: of all that is drawn.
    """

    def __init__(
        self, game: Game, model: WorldModel, *, num_games: int, temperature_moves: int, random_openings: int, seed: int
    ) -> None:
        self.game, self.model, self.num_games = game, model, num_games
        self.temperature_moves, self.random_openings = temperature_moves, random_openings
        self._rng = seeding.rng(seed, "self-play")
        self._running: list[list[Moment]] = []
        self._played = np.zeros(num_games, np.int64)  # moves of each game
        self._opening = np.zeros(num_games, np.int64)  # how many of these are random

    def begin(self) -> None:
        """Forgets the running games: all begin anew."""
        self._running = [[] for _ in range(self.num_games)]
        self._played[:] = 0
        self._opening = self._draw_openings(self.num_games)

    def move(self, env: Any, state: State, planner: Planner) -> list[list[Moment]]:
        """Makes one move in every game.

        Args:
            env: VecEnv of the games.
            state: their positions.
            planner: searches for moves.

        Returns:
            The games that this ended, without their random openings.
        """
        legal, player = self.game.legal(state), self.game.player(state)
        action = choose_moves(torch.zeros(legal.shape), torch.from_numpy(legal), self._rng)
        searched = np.flatnonzero(self._played >= self._opening)
        moments: dict[int, Moment] = {}
        if len(searched) > 0:
            positions = index(state, searched)
            plan = planner.plan(self.model, positions, rng=self._rng)
            samples = hasattr(planner.config, "gumbel_scale")  # its action is a sample of its policy already
            early = (self._played[searched] < self.temperature_moves) & (not samples)
            action[searched] = self._choose(plan, early, legal[searched])
            moments = self._note(searched, positions, plan, legal[searched], player[searched])
        _, reward, over, _ = env.step(action)
        self._played += 1
        for row, moment in moments.items():
            self._running[row].append(moment._replace(reward=float(reward[row])))
        return self._end(np.flatnonzero(over))

    def _choose(self, plan: Plan, early: Array, legal: Array) -> Array:
        """Returns moves drawn by the search's weights (τ = 1) where it is `early`, its own choice later (τ → 0)."""
        weights = _required(plan.weights).cpu()
        drawn = choose_moves(torch.log(weights), torch.from_numpy(legal), self._rng)
        return np.where(early, drawn, plan.action.cpu().numpy())

    def _note(self, rows: Array, positions: State, plan: Plan, legal: Array, player: Array) -> dict[int, Moment]:
        planes = self.game.observe(positions)
        policy, value = _required(plan.weights).cpu().numpy(), plan.value.cpu().numpy()
        return {
            int(row): Moment(planes[i], legal[i], policy[i], float(value[i]), int(player[i]), 0.0)
            for i, row in enumerate(rows)
        }

    def _end(self, rows: Array) -> list[list[Moment]]:
        ended = []
        for row in rows:
            ended.append(self._running[row])
            self._running[row] = []
        self._played[rows] = 0
        self._opening[rows] = self._draw_openings(len(rows))
        return ended

    def _draw_openings(self, num: int) -> Array:
        drawn = torch.randint(self.random_openings + 1, (num,), generator=self._rng, device=self._rng.device)
        openings: Array = drawn.cpu().numpy()
        return openings

    def to_checkpoint(self) -> Tensor:
        """Returns where the random stream stands; running games are not kept."""
        return self._rng.get_state()

    def load_checkpoint(self, state: Tensor) -> None:
        """Sets the random stream to where it stood."""
        self._rng.set_state(state)


def positions_of(game: list[Moment]) -> Positions:
    """Returns what is learned from a game that is over: in each position what the search recommended, and z."""
    outcome = outcomes(np.array([each.reward for each in game]), np.array([each.player for each in game]))
    planes, legal, policy = (np.stack([each[i] for each in game]) for i in range(3))
    return Positions(planes, legal, policy, outcome)


def _required(weights: Tensor | None) -> Tensor:
    if weights is None:
        raise ValueError(
            "the planner recommends no weights: self-play needs one that does, such as mcts or gumbel-mcts"
        )
    return weights
