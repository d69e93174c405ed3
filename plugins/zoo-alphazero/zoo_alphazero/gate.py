"""The evaluator of AlphaGo Zero: games between two networks, each with its own search."""

from __future__ import annotations

import numpy as np
import torch

from zoo_core.planner import Planner
from zoo_core.progress import Progress
from zoo_core.world_model import State, WorldModel, index, put
from zoo_mcts.game_agent import choose_moves
from zoo_mcts.games.game import Array, Game


def score(
    game: Game,
    model: WorldModel,
    candidate: Planner,
    best: Planner,
    *,
    num_games: int,
    opening_moves: int,
    rng: torch.Generator,
    show: bool = False,
) -> float:
    """Returns the share of the points that a candidate wins of another player: 1 a win, ½ a draw.

    Every opening is played twice, with the colours changed. Moves are the searches' own choice (τ → 0).

    Args:
        game: the rules.
        model: the same as a world model.
        candidate: searches for one player.
        best: searches for the other.
        num_games: even, all played at once.
        opening_moves: random moves that a game begins with; without any, games of the same players would be alike.
        rng: source of randomness.
        show: show a progress bar.
    """
    openings = _draw_openings(game, num_games // 2, opening_moves, rng)
    state = index(openings, np.tile(np.arange(num_games // 2), 2))
    seat = np.repeat([0, 1], num_games // 2)  # of the candidate
    points = np.full(num_games, 0.5)
    with Progress("games of the candidate", num_games, show=show) as progress:
        while len(rows := np.flatnonzero(~game.over(state))) > 0:
            running = index(state, rows)
            moves_next = game.player(running) == seat[rows]
            action = np.zeros(len(rows), np.int64)
            for planner, turns in ((candidate, np.flatnonzero(moves_next)), (best, np.flatnonzero(~moves_next))):
                if len(turns) > 0:
                    action[turns] = planner.plan(model, index(running, turns), rng=rng).action.cpu().numpy()
            played = game.play(running, action)
            points[rows] += np.where(moves_next, played.reward, -played.reward) / 2.0
            state = put(state, rows, played.state)
            progress.to(int(game.over(state).sum()))
    return float(points.mean())


def _draw_openings(game: Game, num: int, num_moves: int, rng: torch.Generator) -> State:
    """Returns positions after random moves; a game that these would end stays before the move that ends it."""
    state = game.initial(num)
    for _ in range(num_moves):
        legal = torch.from_numpy(game.legal(state))
        played = game.play(state, choose_moves(torch.zeros(legal.shape), legal, rng))
        going_on: Array = np.flatnonzero(~played.over)
        state = put(state, going_on, index(played.state, going_on))
    return state
