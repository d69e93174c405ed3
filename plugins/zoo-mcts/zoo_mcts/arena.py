"""Games between two players, all at once: each player is asked for its moves in all games where it is to move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from zoo_core.seeding import numpy_rng
from zoo_core.world_model import index, repeat, stack
from zoo_mcts.games.game import Array, Game, Positions
from zoo_mcts.players.player import Player, draw

OPENING_MOVES = 4  # drawn at the beginning of each game between players that never vary
MAX_MOVES = 2_000  # a game that is longer is drawn
_MAX_DRAWS = 100  # of openings, until none ends its game


class Record(NamedTuple):
    """What games came to for a player."""

    wins: int
    draws: int
    losses: int

    @property
    def games(self) -> int:
        """Number of games."""
        return sum(self)

    @property
    def score(self) -> float:
        """Points in all, a draw counting half."""
        return self.wins + self.draws / 2


@dataclass(frozen=True)
class Games:
    """N games between two players.

    Attributes:
        players: their names.
        began: bool `[N]`, whether the first of the two made the first move of the game.
        result: int8 `[N]`, 1 where the first of the two won, 0 drawn, -1 where the second did.
        moves: int32 `[N, T]`, of both players, those of the opening among them; -1 after the end.
        opening_moves: of each game that were drawn at random.
    """

    players: tuple[str, str]
    began: Array
    result: Array
    moves: Array
    opening_moves: int

    @property
    def length(self) -> Array:
        """Number of moves of each game, int64 `[N]`."""
        length: Array = (self.moves >= 0).sum(1)
        return length

    def record(self, player: int, seat: int | None = None) -> Record:
        """Returns what one of the players won.

        Args:
            player: 0 or 1.
            seat: 0 for the games that it began, 1 for the others, None for all.
        """
        result = self.result if player == 0 else -self.result
        if seat is not None:
            began = self.began if player == 0 else ~self.began
            result = result[began == (seat == 0)]
        return Record(*(int((result == value).sum()) for value in (1, 0, -1)))


def play_games(
    game: Game,
    first: Player,
    second: Player,
    num_games: int,
    *,
    seed: int,
    opening_moves: int | None = None,
    on_progress: Callable[[int], object] | None = None,
) -> Games:
    """Plays games between two players, who take turns to begin.

    Games 2i and 2i + 1 have the same opening, and each player begins one of them. An opening is a number of moves drawn
    at random, none of which ends the game; unless told, it is `OPENING_MOVES` where both players are deterministic,
    since all their games would be the same two, and nothing else.

    Args:
        game: the rules.
        first: begins the games with even numbers.
        second: begins the others.
        num_games: N, even.
        seed: of all random choices.
        opening_moves: drawn at random at the beginning of each game.
        on_progress: called with the number of games that are over, after each move.

    Raises:
        ValueError: the number of games is odd, or openings of this length end the game.
    """
    if num_games < 2 or num_games % 2 == 1:
        raise ValueError(f"the number of games must be even, so that each player begins half of them, got {num_games}")
    players = first, second
    if opening_moves is None:
        opening_moves = OPENING_MOVES if first.deterministic and second.deterministic else 0
    state, opening = draw_openings(game, num_games // 2, opening_moves, numpy_rng(seed, "openings"))
    state, moves = repeat(state, 2), list(repeat(opening, 2).T)
    streams = [numpy_rng(seed, f"player/{number}") for number in range(2)]
    began = np.arange(num_games) % 2 == 0
    points = np.zeros(num_games)
    running = np.arange(num_games)
    while len(running) > 0 and len(moves) < MAX_MOVES:
        turn = (game.player(state) == 0) != began[running]  # 0: the first of the two is to move
        action = np.empty(len(running), np.int64)
        for number, player in enumerate(players):
            rows = np.flatnonzero(turn == number)
            if len(rows) > 0:
                action[rows] = player.choose(game, index(state, rows), rng=streams[number]).action
        played = game.play(state, action)
        points[running] += np.where(turn, -played.reward, played.reward)
        moves.append(np.full(num_games, -1, np.int32))
        moves[-1][running] = action
        going = np.flatnonzero(~played.over)
        running, state = running[going], index(played.state, going)
        if on_progress is not None:
            on_progress(num_games - len(running))
    result = np.sign(points).astype(np.int8)
    result[running] = 0
    return Games((first.name, second.name), began, result, np.stack(moves, 1), opening_moves)


def draw_openings(game: Game, num: int, num_moves: int, rng: np.random.Generator) -> tuple[Positions, Array]:
    """Returns `num` positions after so many random moves, none of which is over, and the moves, int32 `[num, moves]`.

    Raises:
        ValueError: (almost) every game is over after so many moves.
    """
    found: list[tuple[Positions, Array]] = []
    missing = num
    for _ in range(_MAX_DRAWS):
        state, moves = game.initial(missing), np.empty((missing, num_moves), np.int32)
        for move in range(num_moves):
            moves[:, move] = draw(game.legal(state), rng)
            state = game.play(state, moves[:, move].astype(np.int64)).state
        going = np.flatnonzero(~game.over(state))
        found.append((index(state, going), moves[going]))
        missing -= len(going)
        if missing == 0:
            return stack([state for state, _ in found]), np.concatenate([moves for _, moves in found])
    raise ValueError(f"{num_moves} random moves end a game of {game.id}: take a shorter opening")
