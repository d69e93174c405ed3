"""A game between a person and a player, as a conversation of lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from zoo_mcts.games.boards import StonesGame
from zoo_mcts.games.game import Game, Positions
from zoo_mcts.players.player import Choice, Player

_MAX_LISTED = 10  # moves of which the weight is shown
_LINE = 100  # characters of a line of moves
_COMMANDS = {
    "help": "the legal moves, and these words",
    "hint": "what the opponent would play in your place",
    "why": "what the opponent thought of its last move",
    "undo": "take back your last move, and the answer to it",
    "quit": "end the game",
}


class _Turn(NamedTuple):
    """A position, and the opponent's last choice before it with the position in which it was made."""

    state: Positions
    thought: tuple[Positions, Choice] | None


class Dialogue:
    """Plays one game.

    Args:
        game: the rules.
        opponent: of the person.
        seat: of the person: 0 begins, 1 answers.
        show: say what the opponent thought with each of its moves.
        rng: source of the opponent's randomness.
        read: returns the line that answers a prompt, or None where there is no more.
        say: prints a line.
    """

    def __init__(
        self,
        game: Game,
        opponent: Player,
        *,
        seat: int,
        show: bool,
        rng: np.random.Generator,
        read: Callable[[str], str | None],
        say: Callable[[str], object],
    ) -> None:
        self.game, self.opponent, self.seat, self.show = game, opponent, seat, show
        self.rng, self.read, self.say = rng, read, say
        self.turn = _Turn(game.initial(1), None)
        self.moves = 0
        self._before: list[tuple[_Turn, int]] = []  # the person's turns so far, and the moves made before each
        self._points = 0.0  # of the person

    def run(self) -> None:
        """Plays until the game is over, or the person has had enough."""
        begins = "You begin" if self.seat == 0 else f"{self.opponent.name} begins"
        if isinstance(self.game, StonesGame):
            begins += f", and you are {'xo'[self.seat]}"
        self.say(f'{self.game.id} against {self.opponent.name}. {begins}; type a move, or "help".\n')
        self._draw_board()
        while not self.game.over(self.turn.state)[0]:
            if self.game.player(self.turn.state)[0] != self.seat:
                self._let_opponent_move()
            elif not self._let_person_move():
                return
        won = "You win" if self._points > 0.0 else f"{self.opponent.name} wins" if self._points < 0.0 else "A draw"
        self.say(f"{won}, after {self.moves} moves.")

    # -- turns ---------------------------------------------------------------------------------------------------------

    def _let_opponent_move(self) -> None:
        state = self.turn.state
        choice = self.opponent.choose(self.game, state, rng=self.rng)
        action = int(choice.action[0])
        self.say(f"{self.opponent.name} plays {self.game.action_name(state, 0, action)}\n")
        self._move(action, (state, choice))
        self._draw_board()
        if self.show:
            self._explain(state, choice, f"{self.opponent.name} thought its position worth")

    def _let_person_move(self) -> bool:
        """Asks until there is a legal move; returns False where the game is given up."""
        while True:
            line = self.read("your move: ")
            if line is None or line.lower() in ("quit", "exit"):
                self.say("\nThe input ended, and the game with it." if line is None else "You gave the game up.")
                return False
            if not line:
                continue
            if not self._obey(line.lower()):
                try:
                    action = self.game.parse_action(self.turn.state, 0, line)
                except ValueError as error:
                    self.say(f'{self._reason(line) or error}; "help" says more')
                    continue
                self._before.append((self.turn, self.moves))
                self._move(action, self.turn.thought)
                self.say("")
                self._draw_board()
                return True

    def _move(self, action: int, thought: tuple[Positions, Choice] | None) -> None:
        mine = self.game.player(self.turn.state)[0] == self.seat
        played = self.game.play(self.turn.state, np.array([action], np.int64))
        self._points += float(played.reward[0]) * (1 if mine else -1)
        self.turn = _Turn(played.state, thought)
        self.moves += 1

    # -- what else can be typed ----------------------------------------------------------------------------------------

    def _obey(self, word: str) -> bool:
        """Does what a word asks for; returns False if it is none of them."""
        if word in ("help", "?"):
            self._help()
        elif word == "hint":
            choice = self.opponent.choose(self.game, self.turn.state, rng=self.rng)
            name = self.game.action_name(self.turn.state, 0, int(choice.action[0]))
            self.say(f"{self.opponent.name} would play {name} in your place")
            self._explain(self.turn.state, choice, "and thinks your position worth")
        elif word == "why":
            if self.turn.thought is None:
                self.say(f"{self.opponent.name} has made no move yet")
            else:
                self._explain(*self.turn.thought, f"{self.opponent.name} thought its position worth")
        elif word == "undo":
            self._undo()
        else:
            return False
        return True

    def _help(self) -> None:
        legal = np.flatnonzero(self.game.legal(self.turn.state)[0]).tolist()
        names = [self.game.action_name(self.turn.state, 0, action) for action in legal]
        line = "legal moves:"
        for name in names:
            if len(line) + 1 + len(name) > _LINE:
                self.say(line)
                line = " "
            line = f"{line} {name}"
        self.say(line)
        for word, meaning in _COMMANDS.items():
            self.say(f"{word:<5} {meaning}")

    def _undo(self) -> None:
        if not self._before:
            self.say("there is no move of yours to take back")
            return
        self.turn, self.moves = self._before.pop()
        self.say("")
        self._draw_board()

    def _explain(self, state: Positions, choice: Choice, words: str) -> None:
        """Says what a choice was made of; `words` come before the value."""
        if choice.value is not None:
            self.say(f"{words} {float(choice.value[0]):+.2f}, where 1 is a win and -1 a loss; of the moves:")
        if choice.weights is None:
            self.say(f"{self.opponent.name} does not say what it thinks of other moves")
            return
        weights = choice.weights[0]
        num = getattr(self.opponent, "visits", None)
        for action in np.argsort(-weights, kind="stable")[:_MAX_LISTED].tolist():
            if weights[action] > 0.0:
                visits = f", {weights[action] * num:.0f} of {num} visits" if num else ""
                self.say(f"  {self.game.action_name(state, 0, action):>5}  {weights[action]:6.1%}{visits}")

    def _reason(self, text: str) -> str:
        """Says why there is no such move, where that is known."""
        if not isinstance(self.game, StonesGame) or not text.isdecimal():
            return ""
        place = "column" if self.game.shape.falls else "cell"
        if int(text) >= self.game.num_actions:
            return f"there is no {place} {text}, only 0 to {self.game.num_actions - 1}"
        return f"{place} {text} is {'full' if self.game.shape.falls else 'taken'}"

    def _draw_board(self) -> None:
        self.say(self.game.render(self.turn.state, 0) + "\n")
