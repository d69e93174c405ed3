"""From what a user typed to a player."""

from __future__ import annotations

from pathlib import Path

from zoo_core.errors import ConfigError, UnknownNameError, ZooError, did_you_mean
from zoo_mcts.games.connect_four import ConnectFour
from zoo_mcts.games.game import Game
from zoo_mcts.players.minimax import MinimaxPlayer
from zoo_mcts.players.perfect import PerfectPlayer
from zoo_mcts.players.player import Player, RandomPlayer
from zoo_mcts.players.search import AgentPlayer, MCTSPlayer

NETWORK = "network"
MAX_DEPTH, MAX_SIMULATIONS = 100, 10_000_000
# The names, and what is counted by the number after the colon; None where there is none
_NAMES = {
    "random": None,
    "minimax": "moves that it looks ahead",
    "minimax-lines": "moves that it looks ahead",
    "mcts": "simulations",
    "perfect": None,
}
_EXAMPLES = {"minimax": 5, "minimax-lines": 5, "mcts": 1000}


def make_player(spec: str, game: Game, *, device: str = "auto") -> Player:
    """Makes a player by name.

    Args:
        spec: "random", "minimax:5" (moves looked ahead), "minimax-lines:5" (the same, and counts open lines of Connect
            Four where it ends), "mcts:1000" (random rollouts), "perfect" (where the game is
            solved), or an agent: a run directory, a file or `hf://owner/name`, with ":network" for its policy alone or
            ":50" for so many simulations.
        game: which it plays.
        device: of agents.

    Raises:
        UnknownNameError: there is no such player, and no agent at this path.
        ConfigError: the number is missing, or is none.
        ZooError: the agent plays another game or none, or the game has no solver.
    """
    name, _, count = spec.partition(":")
    if name in _NAMES:
        number = _number(name, count, spec)
        if name == "minimax":
            return MinimaxPlayer(number, spec)
        if name == "minimax-lines":
            if not isinstance(game, ConnectFour):
                raise ZooError(f"minimax-lines knows the lines of {ConnectFour.id} alone, not {game.id}: take minimax")
            return MinimaxPlayer(number, spec, lines=True)
        if name == "mcts":
            return MCTSPlayer(number, spec)
        return PerfectPlayer(game, spec) if name == "perfect" else RandomPlayer(spec)
    path, how = _split(spec)
    if not path.startswith("hf://") and not _exists(path):
        _refuse(path)
    if how == NETWORK:
        return AgentPlayer.load(path, game, spec, device=device, network=True)
    simulations = None if how is None else _whole(how, "simulations", spec, MAX_SIMULATIONS)
    return AgentPlayer.load(path, game, spec, device=device, num_simulations=simulations)


def _number(name: str, count: str, spec: str) -> int:
    """Returns the number after the colon, 0 for players that have none.

    Raises:
        ConfigError: it is missing, is no number, or should not be there.
    """
    counted = _NAMES[name]
    if counted is None:
        if ":" in spec:
            raise ConfigError(f"player {name!r} takes nothing after it, got {spec!r}")
        return 0
    if not count:
        raise ConfigError(f"player {name!r} needs the number of {counted}, such as '{name}:{_EXAMPLES[name]}'")
    return _whole(count, counted, spec, MAX_SIMULATIONS if name == "mcts" else MAX_DEPTH)


def _whole(text: str, counted: str, spec: str, most: int) -> int:
    if not text.isdecimal() or not 1 <= int(text[:20]) <= most:
        raise ConfigError(
            f"the number of {counted} must be a whole number from 1 to {most:,}, got {text!r} in {spec!r}"
        )
    return int(text)


def _split(spec: str) -> tuple[str, str | None]:
    """Returns the path of an agent, and how it is to play: "network", a number, or None."""
    path, colon, how = spec.rpartition(":")
    if not colon or how.startswith("//") or _exists(spec):
        return spec, None
    if how == NETWORK or how.isdecimal():
        return path, how
    if _exists(path) or path.startswith("hf://"):
        raise ConfigError(f"after {path}: comes {NETWORK!r} or a number of simulations, got {how!r}")
    return spec, None


def _exists(path: str) -> bool:
    return bool(Path(path).name) and (Path(path).exists() or Path(f"{path}.zip").is_file())


def _refuse(path: str) -> None:
    """Raises for what is neither a player nor a path.

    Raises:
        UnknownNameError: always.
    """
    near = did_you_mean(path.partition(":")[0], _NAMES)
    if "/" not in path and near.startswith(": did"):
        raise UnknownNameError(f"unknown player {path!r}{near}")
    parent = Path(path).parent
    siblings = [entry.name.removesuffix(".zip") for entry in parent.iterdir()] if parent.is_dir() else []
    near = did_you_mean(Path(path).name, siblings)
    hint = near if near.startswith(": did") else ""
    raise UnknownNameError(
        f"no player is called {path!r} and no agent is saved there{hint or ';'} players are random, minimax:5, "
        "mcts:1000, perfect, or a run directory"
    )
