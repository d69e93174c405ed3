"""The rules of games against their environments, ply by ply, in a thousand random games of each."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from benchmarks.learn.report import Measured, in_processes
from benchmarks.results import Bar, Condition, Control, Run
from zoo_mcts.games.connect_four import ConnectFour
from zoo_mcts.games.game import Array, Game
from zoo_mcts.games.lookup import make_game
from zoo_mcts.games.proof import Disagreement, Proof, prove
from zoo_mcts.games.reality import environment_of
from zoo_mcts.games.replayed import ReplayedGame

CASE = "games-proof"
NUM_GAMES = 1_000  # of each
_PIECE = 50  # games that one process plays at a time
GAMES: dict[str, dict[str, Any]] = {  # the slowest first, so that processes end together
    "chess_v6": {},
    "go_v5": {"board_size": 9},
    "open_spiel/chess": {},
    "open_spiel/othello": {},
    "open_spiel/mancala": {},
    "open_spiel/connect_four": {},
    "open_spiel/dots_and_boxes": {},
    "open_spiel/tic_tac_toe": {},
    "connect_four_v3": {},
    "tictactoe_v3": {},
}
REPLAYED = "connect_four_v3, replayed"
BROKEN = "full columns are legal"


class Piece(NamedTuple):
    """What so many games came to, and what differed, if something did."""

    proof: Proof
    difference: str


class ForgetsFullColumns(ConnectFour):
    """Connect Four with a wrong mask."""

    def legal(self, state: Any) -> Array:
        """Returns all columns, also those that have no room."""
        return np.repeat(~state.over[:, None], self.num_actions, axis=1)


def measure(num_games: int = NUM_GAMES, jobs: int = 2) -> Measured:
    """The share of plies in which rules say what the environment says; a wrong mask must be found."""
    begun = time.perf_counter()
    names = [*GAMES, REPLAYED, BROKEN]
    work = [(name, first, min(_PIECE, num_games - first)) for name in names for first in range(0, num_games, _PIECE)]
    done = in_processes(play, work, jobs)
    pieces = {name: [piece for (of, _, _), piece in zip(work, done, strict=True) if of == name] for name in names}
    broken = pieces.pop(BROKEN)
    everything = [piece for of_one in pieces.values() for piece in of_one]
    plies = sum(piece.proof.plies + piece.proof.clone_plies for piece in everything)
    figures = {"games": float(sum(piece.proof.games for piece in everything)), "plies": float(plies)}
    run = Run(0, _share(everything), plies, wall_s=round(time.perf_counter() - begun, 1), figures=figures)
    extra = {
        "task": "rules of games against their environments, in random games: share of plies that agree",
        "games": {name: _summary(of_one) for name, of_one in pieces.items()},
    }
    control = Control(f"Connect Four in which {BROKEN}", [Run(0, _share(broken))], note=broken[0].difference)
    return Measured(Bar((Condition("score", ">=", 1.0),)), [run], [control], extra)


def play(name: str, seed: int, num_games: int) -> Piece:
    """Plays some games of one kind, until something differs."""
    game = _game(name)
    make_env = _raw_connect_four if name == REPLAYED else environment_of(game)
    game.play(game.initial(1), game.legal(game.initial(1)).argmax(1))  # compiles what is compiled, before time is taken
    try:
        return Piece(prove(game, make_env, num_games, seed=seed), "")
    except Disagreement as error:
        return Piece(error.proof, str(error))


def _game(name: str) -> Game:
    if name == BROKEN:
        return ForgetsFullColumns()
    return ReplayedGame(_raw_connect_four) if name == REPLAYED else make_game(name, **GAMES[name])


def _raw_connect_four() -> Any:
    return import_module("pettingzoo.classic.connect_four.connect_four").env()


def _share(pieces: Sequence[Piece]) -> float:
    """Returns the share of plies that agree; what follows a difference was not played."""
    agree = sum(piece.proof.plies + piece.proof.clone_plies for piece in pieces)
    return agree / (agree + sum(bool(piece.difference) for piece in pieces))


def _summary(pieces: Sequence[Piece]) -> dict[str, Any]:
    proofs = [asdict(piece.proof) for piece in pieces]
    total = {name: sum(proof[name] for proof in proofs) for name in proofs[0]}
    seconds, env_seconds = total.pop("game_s"), total.pop("env_s")
    speeds = {
        "plies_per_s": round((total["plies"] + total["clone_plies"]) / seconds),
        "env_plies_per_s": round(total["plies"] / env_seconds),
    }
    return {**total, **speeds, "differences": [piece.difference for piece in pieces if piece.difference]}
