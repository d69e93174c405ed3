"""Registers OpenSpiel's games with Gymnasium, as `open_spiel/othello`; OpenSpiel is imported when one is made."""

from __future__ import annotations

from zoo_mcts.games.catalogue import OPEN_SPIEL, OPEN_SPIEL_GAMES
from zoo_mcts.games.registered import register

register(OPEN_SPIEL + name for name in OPEN_SPIEL_GAMES)
