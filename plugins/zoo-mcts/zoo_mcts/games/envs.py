"""A game as a Gymnasium environment: one player learns, the other is played for it."""

from __future__ import annotations

from typing import Any, SupportsFloat

import gymnasium as gym
import numpy as np
from PIL import Image, ImageDraw

from zoo_mcts.games.game import Array, Game, Positions
from zoo_mcts.games.lookup import game_of, make_game

_MARGIN = 10  # pixels around a picture


class SelfPlayEnv(gym.Env[dict[str, Array], np.int64]):
    """A board game against an opponent, or with both sides in one hand.

    Observations are PettingZoo's, "observation" and "action_mask", of the player to move. An illegal move loses.
    SB3-contrib's MaskablePPO finds the legal moves by `action_masks`.

    Args:
        game: an id such as "connect_four_v3", a PettingZoo AEC environment or its factory, or a `Game`.
        opponent: a player by name, such as "random", "minimax:3" or a run directory (see `zoo_mcts.players`); or
            anything with SB3's `predict`; or a `Player`. None: every step is a move of whoever's turn it is, and is
            paid with the reward of that player.
        seat: 0 begins, 1 answers, None is drawn for every game.
        render_mode: "ansi" returns text, "rgb_array" a picture of it.
        **game_kwargs: of the game, where it is given by its id.

    Raises:
        ValueError: the environment is not one of a board game that two play (see `game_of`), or there is no such seat.
    """

    metadata = {  # noqa: RUF012 - as Gymnasium declares it
        "render_modes": ["ansi", "rgb_array"],
        "render_fps": 1,
    }

    def __init__(
        self,
        game: Any,
        opponent: Any = "random",
        seat: int | None = None,
        render_mode: str | None = None,
        **game_kwargs: Any,
    ) -> None:
        if seat not in (0, 1, None):
            raise ValueError(f"seat must be 0, 1 or None, got {seat!r}")
        self.game: Game = make_game(game, **game_kwargs) if isinstance(game, str) else game_of(game)
        self.opponent, self.seat, self.render_mode = opponent, seat, render_mode
        self.observation_space: Any = self.game.observation_space
        self.action_space: Any = self.game.action_space
        self.state: Positions = None
        self._mine = 0
        self._player: Any = None  # made at the first reset: it may be read from a file

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Array], dict[str, Any]]:
        """Begins a game; where the opponent begins, it has moved."""
        super().reset(seed=seed)
        self.state = self.game.initial(1)
        drawn = int(self.np_random.integers(2))
        self._mine = drawn if self.seat is None else self.seat
        if self.opponent is not None:
            self._player = self._player or _as_player(self.opponent, self.game)
            self._let_opponent_move()
        return self._see(), {"seat": self._mine}

    def step(self, action: Any) -> tuple[dict[str, Array], SupportsFloat, bool, bool, dict[str, Any]]:
        """Makes a move, and lets the opponent answer."""
        played = self.game.play(self.state, np.array([action], np.int64))
        self.state = played.state
        reward = float(played.reward[0])
        if self.opponent is not None:
            reward += self._let_opponent_move()
        return self._see(), reward, bool(self.game.over(self.state)[0]), False, {"seat": self._mine}

    def action_masks(self) -> Array:
        """Returns the legal moves, bool `[A]`."""
        legal: Array = self.game.legal(self.state)[0]
        return legal

    def render(self) -> Any:
        """Returns the position as text, or as a picture of it."""
        text = self.game.render(self.state, 0)
        return text if self.render_mode == "ansi" else _draw(text)

    def _let_opponent_move(self) -> float:
        """Plays the other side while it is to move; returns what that is worth to us."""
        reward = 0.0
        while not self.game.over(self.state)[0] and self.game.player(self.state)[0] != self._mine:
            choice = self._player.choose(self.game, self.state, rng=self.np_random)
            played = self.game.play(self.state, choice.action)
            self.state = played.state
            reward -= float(played.reward[0])
        return reward

    def _see(self) -> dict[str, Array]:
        mask = self.game.legal(self.state)[0].astype(np.int8)
        return {"observation": self.game.observe(self.state)[0], "action_mask": mask}


def _as_player(opponent: Any, game: Game) -> Any:
    from zoo_mcts.players import PolicyPlayer, make_player  # players are made of environments' policies, too

    if isinstance(opponent, str):
        return make_player(opponent, game)
    if hasattr(opponent, "choose"):
        return opponent
    if hasattr(opponent, "predict"):
        return PolicyPlayer(opponent)
    raise TypeError(
        f"opponent must be a player's name, a Player or a policy with predict(), got {type(opponent).__name__}"
    )


def _draw(text: str) -> Array:
    """Returns a text as an image `[H, W, 3]`, uint8."""
    left, top, right, bottom = ImageDraw.Draw(Image.new("RGB", (1, 1))).multiline_textbbox((0, 0), text, font_size=28)
    size = int(right - left) + 2 * _MARGIN, int(bottom - top) + 2 * _MARGIN
    image = Image.new("RGB", size, "white")
    ImageDraw.Draw(image).multiline_text((_MARGIN - left, _MARGIN - top), text, fill="black", font_size=28)
    return np.asarray(image)
