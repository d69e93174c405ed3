"""Positions of games, and the command run in this process."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from zoo_core.cli import main
from zoo_mcts.games.connect_four import ConnectFour
from zoo_mcts.games.tic_tac_toe import TicTacToe
from zoo_mcts.players import RandomPlayer


@dataclass(frozen=True)
class Shown:
    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


def play_moves(game, moves):
    """Returns the position after moves, a number each."""
    state = game.initial(1)
    for move in moves:
        state = game.play(state, np.array([int(move)])).state
    return state


def play_at_random(game, num_moves, num, seed=0):
    """Returns positions after random moves; some may be over."""
    rng, state = np.random.default_rng(seed), game.initial(num)
    for _ in range(num_moves):
        state = game.play(state, RandomPlayer().choose(game, state, rng=rng).action).state
    return state


@pytest.fixture(scope="session")
def after():
    return play_moves


@pytest.fixture(scope="session")
def at_random():
    return play_at_random


@pytest.fixture(scope="session")
def connect_four():
    return ConnectFour()


@pytest.fixture(scope="session")
def tic_tac_toe():
    return TicTacToe()


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def zoo(monkeypatch, tmp_path, capsys):
    """Runs a command in an empty directory, with lines that are typed."""
    monkeypatch.chdir(tmp_path)

    def run(arguments, typed=""):
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        code = main(arguments.split())
        shown = capsys.readouterr()
        return Shown(code, shown.out, shown.err)

    return run
