"""Players of board games: at random, by looking ahead, by solving, and by what was learned."""

from zoo_mcts.players.lookup import make_player
from zoo_mcts.players.player import Choice, Player, PolicyPlayer, RandomPlayer, draw

__all__ = ["Choice", "Player", "PolicyPlayer", "RandomPlayer", "draw", "make_player"]
