"""Proof that rules are those of an environment: random games in both, compared ply by ply."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import optree

from zoo_core.world_model import index, repeat, stack
from zoo_mcts.games.game import Array, Game, Positions
from zoo_mcts.games.reality import Moment, Reality, environment_of, no_word_on_illegal_moves

_SIDE_BY_SIDE = 8  # games in a batch
_ILLEGAL_GAMES = 4  # of so many games, one ends with an illegal move, if there are any
_ILLEGAL_PLIES = 10  # about so many plies after it began
_OTHER_PLIES = 8  # that another line from an earlier position is followed


@dataclass
class Proof:
    """What was compared, and found to be the same.

    Attributes:
        games: that were played.
        plies: moves in them.
        illegal: games that an illegal move ended.
        clones: earlier positions from which it was played on, in two lines.
        clone_plies: moves in these.
        env_s: seconds that the environments took.
        game_s: seconds that the rules took for the same moves.
    """

    games: int = 0
    plies: int = 0
    illegal: int = 0
    clones: int = 0
    clone_plies: int = 0
    env_s: float = 0.0
    game_s: float = 0.0


class Disagreement(AssertionError):
    """Rules say something else than the environment.

    Attributes:
        proof: what was compared before.
    """

    def __init__(self, message: str, proof: Proof) -> None:
        super().__init__(message)
        self.proof = proof


@dataclass
class _Line:
    """A game as it went in an environment: `moments[t]` is before `actions[t]`, and one more after the last."""

    number: int
    reality: Reality
    rng: np.random.Generator
    moments: list[Moment]
    actions: list[int] = field(default_factory=list)
    kept: int = 0  # the ply at which the position was kept
    kept_state: Positions = None

    @property
    def over(self) -> bool:
        return self.moments[-1].over


def prove(game: Game, make_env: Callable[[], Any] | None = None, num_games: int = 20, *, seed: int = 0) -> Proof:
    """Plays random games by rules and in an environment side by side, and compares all that they say.

    That is, before every move and after the end: legal moves, what the player sees, whose turn it is, whether the game
    is over, rewards and signs; some games end with an illegal move. From a position in the middle of each game it is
    played on after the game has ended, along the same line and along another, mixed with those of other games: what a
    move does to one position must not show in another.

    Args:
        game: the rules.
        make_env: makes an AEC environment of the same game; by default that of its name.
        num_games: to play.
        seed: of the environments, and of the random moves.

    Raises:
        Disagreement: an `AssertionError` that says game, ply and what differs.
    """
    make_env = make_env or environment_of(game)
    prover = _Prover(game, make_env, seed)
    with no_word_on_illegal_moves():
        for first in range(0, num_games, _SIDE_BY_SIDE):
            lines = prover.play(range(first, min(first + _SIDE_BY_SIDE, num_games)))
            prover.play_on(lines)
    return prover.proof


class _Prover:
    def __init__(self, game: Game, make_env: Callable[[], Any], seed: int) -> None:
        self.game, self.make_env, self.seed = game, make_env, seed
        self.proof = Proof()

    def play(self, numbers: Sequence[int]) -> list[_Line]:
        """Plays games to their ends in both."""
        lines = []
        for number in numbers:
            reality = Reality(self.make_env, self.seed)
            rng = np.random.default_rng([self.seed, number])
            lines.append(_Line(number, reality, rng, [reality.look()]))
        state = self.game.initial(len(lines))
        self._compare(state, lines, [0] * len(lines))
        while not all(line.over for line in lines):
            for row, line in enumerate(lines):
                self._keep(line, state, row)
            running = [not line.over for line in lines]
            begun = time.perf_counter()
            actions = [self._advance(line) if go else 0 for line, go in zip(lines, running, strict=True)]
            self.proof.env_s += time.perf_counter() - begun
            self.proof.plies += sum(running)
            state = self._play(state, actions, lines, [len(line.actions) for line in lines], running)
        self.proof.games += len(lines)
        return lines

    def play_on(self, lines: Sequence[_Line]) -> None:
        """Plays on from the kept positions: row 2i as the game went, row 2i + 1 in another way."""
        lines = lines[::-1]
        state = repeat(stack([line.kept_state for line in lines]), 2)
        others = [self._other_line(line) for line in lines]
        both = [line for pair in zip(lines, others, strict=True) for line in pair]
        plies = [line.kept for line in both]
        self._compare(state, both, plies)
        while any(ply < len(line.actions) for line, ply in zip(both, plies, strict=True)):
            running = [ply < len(line.actions) for line, ply in zip(both, plies, strict=True)]
            rows = np.flatnonzero(running)
            state, both = index(state, rows), [both[row] for row in rows]
            plies = [plies[row] + 1 for row in rows]
            actions = [line.actions[ply - 1] for line, ply in zip(both, plies, strict=True)]
            state = self._play(state, actions, both, plies, [True] * len(both))
            self.proof.clone_plies += len(both)
        self.proof.clones += len(lines)

    def _keep(self, line: _Line, state: Positions, row: int) -> None:
        """Keeps a position of a game, any of them as likely."""
        if not line.over and line.rng.random() < 1.0 / len(line.moments):
            line.kept, line.kept_state = len(line.actions), index(state, np.array([row]))

    def _advance(self, line: _Line) -> int:
        """Makes a random move in the environment."""
        mask = line.moments[-1].mask
        may_be_illegal = line.reality.ends_illegal and line.number % _ILLEGAL_GAMES == 0 and not mask.all()
        illegal = bool(may_be_illegal and line.rng.random() < 1.0 / _ILLEGAL_PLIES)
        action = int(line.rng.choice(np.flatnonzero(~mask if illegal else mask)))
        mover, reward = line.reality.step(action)
        line.actions.append(action)
        line.moments.append(line.reality.look(reward, mover=mover, illegal=illegal))
        self.proof.illegal += illegal
        return action

    def _other_line(self, line: _Line) -> _Line:
        """Returns a line that leaves a game at the kept position, played in a new environment."""
        reality = Reality(self.make_env, self.seed)
        reality.skip(line.actions[: line.kept])
        moments = line.moments[: line.kept + 1]
        other = _Line(line.number, reality, line.rng, moments, line.actions[: line.kept], line.kept)
        while not other.over and len(other.actions) < line.kept + _OTHER_PLIES:
            self._advance(other)
        return other

    def _play(
        self, state: Positions, actions: list[int], lines: list[_Line], plies: list[int], running: list[bool]
    ) -> Positions:
        """Makes moves by the rules, and compares what they lead to; where a game does not run, nothing may change."""
        before, leaves = self.game.player(state), [leaf.copy() for leaf in optree.tree_leaves(state)]
        begun = time.perf_counter()
        played = self.game.play(state, np.array(actions, np.int64))
        self.proof.game_s += time.perf_counter() - begun
        if not all(map(_same, leaves, optree.tree_leaves(state))):
            self._fail(lines[0], plies[0], "a position", "a move wrote into the arrays of the position before it")
        for row, (line, ply) in enumerate(zip(lines, plies, strict=True)):
            moment = line.moments[ply]
            self._expect(line, ply, "the reward", moment.reward if running[row] else 0.0, float(played.reward[row]))
            if not moment.over:
                sign = 1.0 if moment.player == before[row] else -1.0
                self._expect(line, ply, "the sign", sign, float(played.sign[row]))
            self._expect(line, ply, "whether a move ended the game", moment.over, bool(played.over[row]))
        self._compare(played.state, lines, plies)
        return played.state

    def _compare(self, state: Positions, lines: Sequence[_Line], plies: Sequence[int]) -> None:
        """Compares positions with what environments said at the same plies."""
        begun = time.perf_counter()
        masks, seen = self.game.legal(state), self.game.observe(state)
        players, over = self.game.player(state), self.game.over(state)
        self.proof.game_s += time.perf_counter() - begun
        for row, (line, ply) in enumerate(zip(lines, plies, strict=True)):
            moment = line.moments[ply]
            self._expect(line, ply, "whether the game is over", moment.over, bool(over[row]))
            if not moment.over:
                self._expect(line, ply, "whose turn it is", moment.player, int(players[row]))
            self._expect_array(line, ply, "which moves are legal", moment.mask, masks[row])
            if moment.seen is not None:
                self._expect_array(line, ply, "what the player sees", moment.seen, seen[row])

    def _expect(self, line: _Line, ply: int, what: str, real: Any, ruled: Any) -> None:
        if real != ruled:
            self._fail(line, ply, what, f"{real} in the environment, {ruled} by the rules")

    def _expect_array(self, line: _Line, ply: int, what: str, real: Array, ruled: Array) -> None:
        if real.shape != ruled.shape:
            self._fail(line, ply, what, f"shape {real.shape} in the environment, {ruled.shape} by the rules")
        differ = np.argwhere(real.astype(ruled.dtype) != ruled)
        if len(differ) > 0:
            at = tuple(differ[0].tolist())
            values = f"{real[at]} in the environment, {ruled[at]} by the rules"
            self._fail(line, ply, what, f"{len(differ)} entries, the first {at}: {values}")

    def _fail(self, line: _Line, ply: int, what: str, how: str) -> None:
        where = f"{self.game.id}, seed {self.seed}, game {line.number}, ply {ply}"
        raise Disagreement(f"{where}: {what} differs: {how}", self.proof)


def _same(kept: Array, now: Array) -> bool:
    if kept.dtype == object:
        return all(a is b for a, b in zip(kept, now, strict=True))
    return np.array_equal(kept, now)
