"""Registers PettingZoo's games with Gymnasium by their names, such as `connect_four_v3`, each against an opponent."""

from __future__ import annotations

from collections.abc import Iterable

import gymnasium as gym

from zoo_mcts.games.catalogue import CLASSICS


def register(ids: Iterable[str]) -> None:
    """Registers games by their ids; what makes the environments is imported when one is made."""
    for id in ids:
        if id not in gym.registry:
            gym.register(id, entry_point="zoo_mcts.games.envs:SelfPlayEnv", kwargs={"game": id})


register(CLASSICS)
