"""Looking ahead to a fixed depth, with no idea of what is good beyond it."""

from __future__ import annotations

import numpy as np

from zoo_core.world_model import batch_size, index
from zoo_mcts.games.connect_four import ConnectFour
from zoo_mcts.games.game import Array, Game, Positions
from zoo_mcts.players.bitboards import WIN, search_all
from zoo_mcts.players.player import Choice, draw, shares


class MinimaxPlayer:
    """Alpha-beta search (Knuth & Moore 1975, doi:10.1016/0004-3702(75)90019-3) to a depth D; ties are drawn.

    A position is worth what is certain to be won or lost within D moves: a reward r that is paid by the k-th move from
    here counts r (D + 1 - k), for the player who gets it, and nothing counts after D moves. So a win is preferred to
    no win, a quick win to a late one, and a late loss to a quick one; draws and what lies beyond the horizon are 0.

    With `lines`, which knows Connect Four alone, what lies beyond the horizon is worth what AlphaZero.jl's player of
    this kind thinks of it: the lines of four cells in which the other has no stone, each worth 10 to the number of
    stones in it, less the same of the other player. A win is worth more than all lines. That player draws its moves by
    a softmax of such values, rather than taking the best.

    Args:
        depth: D, in moves of both players.
        name: as users call it.
        lines: count open lines where the search ends.
    """

    deterministic = False

    def __init__(self, depth: int, name: str | None = None, *, lines: bool = False) -> None:
        self.depth = depth
        self.name = name or f"{'minimax-lines' if lines else 'minimax'}:{depth}"
        self.lines = lines

    def choose(self, game: Game, state: Positions, *, rng: np.random.Generator) -> Choice:
        """Draws one of the best moves of each position; its value is 1, 0 or -1, for a win or a loss that is sure."""
        if self.lines:
            best, score = search_all(state.cells, state.over, self.depth, lines=True)
            score = np.trunc(score / WIN)
        else:
            best, score = best_moves(game, state, self.depth)
        return Choice(draw(best, rng), np.sign(score), shares(best))


def best_moves(game: Game, state: Positions, depth: int) -> tuple[Array, Array]:
    """Returns the best moves, bool `[B, A]`, and what they are worth to the player to move, float64 `[B]`.

    Args:
        game: the rules; those of Connect Four are searched in a compiled loop.
        state: B positions; where the game is over no move is best.
        depth: D of `MinimaxPlayer`.
    """
    if isinstance(game, ConnectFour):
        return search_all(state.cells, state.over, depth)
    return search_any(game, state, depth)


def search_any(game: Game, state: Positions, depth: int) -> tuple[Array, Array]:
    """Returns what `best_moves` does, by the rules alone."""
    num = batch_size(state)
    best, score = np.zeros((num, game.num_actions), np.bool_), np.zeros(num)
    for row, over in enumerate(game.over(state).tolist()):
        if not over:
            best[row], score[row] = _search_root(game, index(state, slice(row, row + 1)), depth)
    return best, score


def _search_root(game: Game, state: Positions, depth: int) -> tuple[Array, float]:
    """Returns the best moves of one position, bool `[A]`, and their score."""
    found, best = np.zeros(game.num_actions, np.bool_), -np.inf
    actions, after, reward, sign = _children(game, state)
    for child, action in enumerate(actions.tolist()):
        # A bound just below the best finds those that are as good, too.
        bound = float(np.nextafter(best, -np.inf))
        score = _follow(game, after, child, depth, (reward[child], sign[child]), (bound, np.inf))
        if score > best:
            found[:], best = False, score
        found[action] |= score == best
    return found, best


def _negamax(game: Game, state: Positions, depth: int, alpha: float, beta: float) -> float:
    """Returns what a position is worth to the player to move: exactly between the bounds, else a bound of it."""
    if depth == 0 or game.over(state)[0]:
        return 0.0
    best = -np.inf
    actions, after, reward, sign = _children(game, state)
    for child in range(len(actions)):
        moved = reward[child], sign[child]
        best = max(best, _follow(game, after, child, depth, moved, (max(alpha, best), beta)))
        if best >= beta:
            break
    return best


def _children(game: Game, state: Positions) -> tuple[Array, Positions, list[float], list[float]]:
    """Returns the moves of one position, where they lead, their rewards and signs: those that win come first."""
    actions = np.flatnonzero(game.legal(state)[0])
    played = game.play(index(state, np.zeros(len(actions), np.int64)), actions)
    order = np.argsort(-played.reward, kind="stable")
    return actions[order], index(played.state, order), played.reward[order].tolist(), played.sign[order].tolist()


def _follow(
    game: Game, after: Positions, child: int, depth: int, moved: tuple[float, float], bounds: tuple[float, float]
) -> float:
    """Returns what a move with D = `depth` is worth to who makes it; `moved` is its reward and the sign after it."""
    (reward, sign), (alpha, beta) = moved, bounds
    gained = reward * depth
    low, high = alpha - gained, beta - gained
    if sign < 0.0:
        low, high = -high, -low
    return gained + sign * _negamax(game, index(after, slice(child, child + 1)), depth - 1, low, high)
