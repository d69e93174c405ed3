"""Games of OpenSpiel (Lanctot et al. 2019, arXiv:1908.09453)."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from gymnasium import spaces

from zoo_core.errors import UnknownNameError, ZooError, did_you_mean
from zoo_mcts.games.catalogue import OPEN_SPIEL
from zoo_mcts.games.game import NUM_PLAYERS, Array
from zoo_mcts.games.positions import PositionGame

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # of a terminal, in some games' pictures


class Position:
    """A state of pyspiel that nobody changes; two are the same that the same moves led to."""

    __slots__ = ("state",)

    def __init__(self, state: Any) -> None:
        self.state = state

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Position) and self.state.history() == other.state.history()

    def __hash__(self) -> int:
        return hash(tuple(self.state.history()))


class OpenSpielGame(PositionGame):
    """A game by its name in OpenSpiel. A position is a state of pyspiel, which is cloned before a move is made.

    A player sees the observation tensor. Where its layout is channels, rows, columns, the channels come last here,
    as in all other games.

    Args:
        name: such as "othello".
        **parameters: of the game, such as board_size of "hex"; `zoo_mcts.games.open_spiel.parameters_of` lists them.

    Raises:
        UnknownNameError: OpenSpiel has no such game.
        ValueError: it is no game that two play in turns, without chance, seeing everything; or a parameter is wrong.
        ZooError: OpenSpiel is not installed.
    """

    def __init__(self, name: str, **parameters: Any) -> None:
        self.id = OPEN_SPIEL + name
        pyspiel = import_pyspiel()
        if why := why_not(name):
            raise ValueError(f"{self.id} does not fit: {why}")
        known = parameters_of(name)
        if unknown := [each for each in parameters if each not in known]:
            raise ValueError(f"{self.id} has no parameter {unknown[0]!r}{did_you_mean(unknown[0], known)}")
        self.kwargs = {each: value for each, value in parameters.items() if value != known[each]}
        try:
            self.rules = pyspiel.load_game(name, parameters)
        except pyspiel.SpielError as error:
            raise ValueError(f"{self.id} cannot be made: {error}") from error
        if self.rules.num_players() != NUM_PLAYERS:
            raise ValueError(f"{self.id} does not fit: two players are needed, it has {self.rules.num_players()}")
        self.num_actions = self.rules.num_distinct_actions()
        self._first = int(self.rules.new_initial_state().current_player())  # in chess 1
        self._shape = tuple(self.rules.observation_tensor_shape())
        planes = len(self._shape) == 3 and self.rules.observation_tensor_layout() == pyspiel.TensorLayout.CHW
        self._order = (1, 2, 0) if planes else tuple(range(len(self._shape)))
        self.view = spaces.Box(-np.inf, np.inf, tuple(self._shape[axis] for axis in self._order), np.float32)

    def begin(self) -> Position:
        """Returns the position in which the game begins."""
        return Position(self.rules.new_initial_state())

    def moves(self, position: Position) -> list[int]:
        """Returns the legal moves."""
        legal: list[int] = position.state.legal_actions()
        return legal

    def move(self, position: Position, action: int) -> tuple[Position, float]:
        """Makes a move on a clone."""
        after = position.state.clone()
        after.apply_action(action)
        return Position(after), after.player_reward(position.state.current_player())

    def ended(self, position: Position) -> bool:
        """Returns whether the game is over."""
        return bool(position.state.is_terminal())

    def turn(self, position: Position) -> int:
        """Returns who moves next."""
        return int(position.state.current_player()) ^ self._first

    def see(self, position: Position, player: int) -> Array:
        """Returns the observation tensor of a player, channels last."""
        tensor = np.asarray(position.state.observation_tensor(player ^ self._first), np.float32)
        return tensor.reshape(self._shape).transpose(self._order)

    def render(self, state: Any, row: int) -> str:
        """Returns the position as OpenSpiel writes it."""
        return _COLOURS.sub("", str(state.position[row].state)).rstrip()

    def action_name(self, state: Any, row: int, action: int) -> str:
        """Returns the name of a move as OpenSpiel writes it."""
        player = int(state.player[row]) ^ self._first
        return str(state.position[row].state.action_to_string(player, action))


def import_pyspiel() -> Any:
    """Returns OpenSpiel's module.

    Raises:
        ZooError: it is not installed.
    """
    try:
        import pyspiel
    except ImportError as error:
        raise ZooError("games of OpenSpiel need it: pip install open_spiel, or zoo-mcts[open-spiel]") from error
    return pyspiel


def why_not(name: str) -> str:
    """Returns in a line why a game of OpenSpiel cannot be played here; nothing if it can.

    Raises:
        UnknownNameError: OpenSpiel has no such game.
    """
    pyspiel = import_pyspiel()
    kinds = {kind.short_name: kind for kind in pyspiel.registered_games()}
    if name not in kinds:
        raise UnknownNameError(f"OpenSpiel has no game {name!r}{did_you_mean(name, kinds)}")
    kind, known = kinds[name], pyspiel.GameType
    fewest, most = kind.min_num_players, kind.max_num_players
    if not fewest <= NUM_PLAYERS <= most:
        return f"two players are needed, it has {fewest if fewest == most else f'{fewest} to {most}'}"
    if kind.dynamics != known.Dynamics.SEQUENTIAL:
        return "moves are simultaneous"
    if kind.chance_mode != known.ChanceMode.DETERMINISTIC:
        return "chance plays a part"
    if kind.information != known.Information.PERFECT_INFORMATION:
        return "information is hidden from players"
    if kind.utility != known.Utility.ZERO_SUM:
        return "what one wins is not what the other loses"
    if not kind.provides_observation_tensor:
        return "OpenSpiel has no tensor of what players see"
    return "" if kind.default_loadable else "it is made from other games"


def parameters_of(name: str) -> dict[str, Any]:
    """Returns the parameters of a game of OpenSpiel with their defaults."""
    kinds = import_pyspiel().registered_games()
    return next(dict(kind.parameter_specification) for kind in kinds if kind.short_name == name)
