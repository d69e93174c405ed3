"""Rollouts: games played to their end by the fast policy, many at once."""

from __future__ import annotations

import numpy as np

from zoo_core.world_model import State, batch_size, index
from zoo_mcts.games.game import Array, Game


def rollouts(game: Game, state: State, weight: Array, bias: Array, *, rng: np.random.Generator) -> Array:
    """Plays a game from every position to its end, and returns z `[B]`: the result for the player to move there.

    Both sides draw their moves from p_π, the softmax of `planes @ weight + bias` over the legal moves. What is drawn
    depends on B and on the longest game alone, so no row disturbs another.

    Args:
        game: the rules.
        state: B positions; a game that is over is worth 0.
        weight: `[F, A]`.
        bias: `[A]`.
        rng: source of randomness.
    """
    num, num_actions = batch_size(state), game.num_actions
    outcome = np.zeros(num, np.float32)
    side = np.ones(num, np.float32)  # 1 where the player of the leaf is to move, else -1
    rows = np.arange(num)
    while True:
        goes_on = ~game.over(state)
        if not goes_on.all():
            state, rows = index(state, goes_on), rows[goes_on]
        if len(rows) == 0:
            return outcome
        noise = -np.log(-np.log(rng.random((num, num_actions), np.float32).clip(np.float32(1e-30))))  # Gumbel
        logits = game.observe(state).reshape(len(rows), -1).astype(np.float32) @ weight + bias
        moves = np.where(game.legal(state), logits + noise[rows], -np.inf).argmax(1)
        played = game.play(state, moves)
        outcome[rows] += side[rows] * played.reward
        side[rows] *= played.sign
        state = played.state
