"""Who moves in the games from which AlphaGo learns: bots for the records, a pool of earlier selves, both policies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from stable_baselines3.common.vec_env import VecEnv

from zoo_alphazero.alphago.learner import Logits
from zoo_core.world_model import State, index
from zoo_mcts.game_agent import choose_moves
from zoo_mcts.games.game import Array, Game


class Mover(Protocol):
    """Moves for both sides of B games, which begin and end when they do.

    Attributes:
        tag: int64 `[B]`, a number to remember of each game.
    """

    tag: Array

    def begin(self, rows: Array) -> None:
        """Says that new games begin in these rows."""

    def choose(self, state: State, ply: Array) -> Array:
        """Returns a move in each of B positions, before which `ply` `[B]` moves were made."""


class Ended(NamedTuple):
    """A game that came to its end.

    Attributes:
        moves: from the beginning.
        result: for the player who began.
        tag: of its mover.
    """

    moves: list[int]
    result: float
    tag: int


class RunningGames:
    """The games in a `GameVecEnv`, and the moves made in them so far.

    Args:
        num: B.
        mover: moves for both sides.
    """

    def __init__(self, num: int, mover: Mover) -> None:
        self.mover = mover
        self._moves: list[list[int]] = [[] for _ in range(num)]
        mover.begin(np.arange(num))

    def step(self, env: VecEnv, state: State) -> list[Ended]:
        """Makes a move in each game, and returns those that ended.

        Args:
            env: of the games, to step.
            state: their B positions.
        """
        actions = self.mover.choose(state, np.array([len(moves) for moves in self._moves]))
        _, _, _, infos = env.step(actions)
        ended, rows = [], []
        for row, (action, info) in enumerate(zip(actions.tolist(), infos, strict=True)):
            self._moves[row].append(action)
            if "episode" in info:
                ended.append(Ended(self._moves[row], info["episode"]["r"], int(self.mover.tag[row])))
                self._moves[row] = []
                rows.append(row)
        if rows:
            self.mover.begin(np.array(rows))
        return ended


class Recorder:
    """Bots that play each other, so that there are games to learn from.

    Both players of a game are drawn from all. It begins with up to `opening` random moves; later, too, each move is a
    random one with probability `random_prob`. All moves are recorded alike.

    Args:
        game: the rules.
        players: of `zoo_mcts.players`.
        num: B.
        opening: most random moves that a game begins with.
        random_prob: of a random move.
        rng: source of randomness.
    """

    def __init__(
        self,
        game: Game,
        players: Sequence[Any],
        num: int,
        *,
        opening: int,
        random_prob: float,
        rng: np.random.Generator,
    ) -> None:
        self.game, self.players, self.rng = game, players, rng
        self.most_random, self.random_prob = opening, random_prob
        self.tag = np.zeros(num, np.int64)
        self._seats, self._opening = np.zeros((num, 2), np.int64), np.zeros(num, np.int64)

    def begin(self, rows: Array) -> None:
        """Draws players and length of the opening for new games."""
        self._seats[rows] = self.rng.integers(len(self.players), size=(len(rows), 2))
        self._opening[rows] = self.rng.integers(self.most_random + 1, size=len(rows))

    def choose(self, state: State, ply: Array) -> Array:
        """Returns the moves of those whose turn it is, some of them random."""
        legal = self.game.legal(state)
        moves: Array = np.where(legal, self.rng.random(legal.shape), -1.0).argmax(1)
        sober = (ply >= self._opening) & (self.rng.random(len(ply)) >= self.random_prob)
        who = self._seats[np.arange(len(ply)), self.game.player(state)]
        for i, player in enumerate(self.players):
            rows = np.flatnonzero(sober & (who == i))
            if len(rows) > 0:
                moves[rows] = np.asarray(player.choose(self.game, index(state, rows), rng=self.rng).action)
        return moves


class PoolPlay:
    """The learning policy p_ρ against one of its earlier selves, in a seat that is drawn for each game.

    `tag` is the learner's seat: 0 if it begins.

    Args:
        game: the rules.
        learner: logits of p_ρ.
        num: B.
        rng: source of randomness, on the CPU.

    Attributes:
        opponent: number of the earlier self that games are against which begin now, and its logits.
    """

    def __init__(self, game: Game, learner: Logits, num: int, *, rng: torch.Generator) -> None:
        self.game, self.learner, self.rng = game, learner, rng
        self.tag = np.zeros(num, np.int64)
        self.opponent: tuple[int, Logits] = 0, learner
        self._against = np.zeros(num, np.int64)
        self._logits: dict[int, Logits] = {}

    def begin(self, rows: Array) -> None:
        """Draws the learner's seat, and remembers whom it plays against."""
        self.tag[rows] = torch.randint(2, (len(rows),), generator=self.rng).numpy()
        number, logits = self.opponent
        self._against[rows] = number
        self._logits[number] = logits
        self._logits = {i: each for i, each in self._logits.items() if (self._against == i).any()}

    def choose(self, state: State, ply: Array) -> Array:
        """Samples from the policy whose turn it is."""
        planes = self.game.observe(state)
        logits = torch.zeros(len(planes), self.game.num_actions)
        learns = self.game.player(state) == self.tag
        sides = [(learns, self.learner)]
        sides += [(~learns & (self._against == number), policy) for number, policy in self._logits.items()]
        for chosen, policy in sides:
            rows = np.flatnonzero(chosen)
            if len(rows) > 0:
                logits[rows] = policy(planes[rows])
        return choose_moves(logits, torch.from_numpy(self.game.legal(state)), self.rng)


class ValuePlay:
    """Games of which one position each becomes an example for the value network.

    U is drawn for each game. The moves before the U-th are sampled from p_σ, the U-th is uniformly random, those after
    it are sampled from p_ρ. The position after the random move is the example; `tag` is U.

    Args:
        game: the rules.
        before: logits of p_σ.
        after: logits of p_ρ.
        num: B.
        lengths: of games, one of which is drawn to draw U from 1 to its length.
        rng: source of randomness, on the CPU.
    """

    def __init__(
        self, game: Game, before: Logits, after: Logits, num: int, *, lengths: Array, rng: torch.Generator
    ) -> None:
        self.game, self.before, self.after, self.rng = game, before, after, rng
        self.lengths = torch.from_numpy(lengths)
        self.tag = np.zeros(num, np.int64)

    def begin(self, rows: Array) -> None:
        """Draws U of new games."""
        drawn = torch.randint(len(self.lengths), (len(rows),), generator=self.rng)
        share = torch.rand(len(rows), generator=self.rng, dtype=torch.float64)
        self.tag[rows] = 1 + (share * self.lengths[drawn]).long().numpy()

    def choose(self, state: State, ply: Array) -> Array:
        """Samples from p_σ, from all legal moves, or from p_ρ."""
        planes = self.game.observe(state)
        logits = torch.zeros(len(planes), self.game.num_actions)  # of the random move: all alike
        for chosen, policy in ((ply + 1 < self.tag, self.before), (ply + 1 > self.tag, self.after)):
            rows = np.flatnonzero(chosen)
            if len(rows) > 0:
                logits[rows] = policy(planes[rows])
        return choose_moves(logits, torch.from_numpy(self.game.legal(state)), self.rng)
