"""The games that have a name here. Nothing is imported for it."""

from __future__ import annotations

# PettingZoo's classics that two play in turns, seeing everything: id, and the class of the rules
CLASSICS = {
    "tictactoe_v3": "zoo_mcts.games.tic_tac_toe:TicTacToe",
    "connect_four_v3": "zoo_mcts.games.connect_four:ConnectFour",
    "chess_v6": "zoo_mcts.games.chess:Chess",
    "go_v5": "zoo_mcts.games.go:Go",
}

OPEN_SPIEL = "open_spiel/"  # what the ids of OpenSpiel's games begin with

# Games of OpenSpiel 2.0 that fit: two players, in turns, no chance, nothing hidden, zero sum, with a tensor to see
OPEN_SPIEL_GAMES = (
    "amazons",
    "antichess",
    "breakthrough",
    "checkers",
    "chess",
    "chinese_checkers",
    "clobber",
    "connect_four",
    "crazyhouse",
    "cursor_go",
    "dots_and_boxes",
    "go",
    "gomoku",
    "havannah",
    "hex",
    "hive",
    "lines_of_action",
    "mancala",
    "mnk",
    "nim",
    "nine_mens_morris",
    "othello",
    "oware",
    "pentago",
    "quoridor",
    "shogi",
    "tic_tac_toe",
    "twixt",
    "ultimate_tic_tac_toe",
    "xiangqi",
    "y",
)


def game_ids() -> list[str]:
    """Returns the ids of all games that `zoo_mcts.games.lookup.make_game` knows by name."""
    return [*CLASSICS, *(OPEN_SPIEL + name for name in OPEN_SPIEL_GAMES)]
