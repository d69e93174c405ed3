"""Somebody's own environment, which can be imported by name, and random walks."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session", autouse=True)
def dots_and_boxes():
    """Makes the module `dots_and_boxes` of this folder one that can be imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent)
        yield importlib.import_module("dots_and_boxes")
    del sys.modules["dots_and_boxes"]


@pytest.fixture(scope="session")
def random_moves():
    def choose(legal, rng):
        """Returns a random legal move in each position, int64 `[B]`; 0 where there is none."""
        return np.where(legal, rng.random(legal.shape), -1.0).argmax(1)

    return choose


@pytest.fixture(scope="session")
def play_line():
    def play(game, *moves):
        """Returns what the last of these moves led to, from the beginning of a game."""
        state = game.initial(1)
        for move in moves:
            played = game.play(state, np.array([move]))
            state = played.state
        return played

    return play
