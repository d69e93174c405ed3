"""What a PettingZoo environment says of a game: the truth that rules are held against."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
from pettingzoo.utils import wrappers
from pettingzoo.utils.env_logger import EnvLogger

from zoo_mcts.games.adapters import SHIMMY_MODULE, layers, strange_wrappers
from zoo_mcts.games.catalogue import CLASSICS, OPEN_SPIEL
from zoo_mcts.games.game import Array, Game
from zoo_mcts.games.replayed import ReplayedGame

ILLEGAL_REWARD = -1.0  # of who makes an illegal move


class Moment(NamedTuple):
    """What an environment says after a move, or where the game begins.

    Attributes:
        reward: of the player who moved.
        over: the game has ended.
        player: who is to move; after the end, who did not move last.
        mask: the legal moves, bool `[A]`; none after the end.
        seen: what that player sees; None after an illegal move, of which environments show this and that.
    """

    reward: float
    over: bool
    player: int
    mask: Array
    seen: Array | None


class Reality:
    """A game that is played in an environment.

    Args:
        make_env: makes an AEC environment.
        seed: with which it is reset.
    """

    def __init__(self, make_env: Callable[[], Any], seed: int) -> None:
        self.env = make_env()
        self.env.reset(seed=seed)
        first = self.env.agent_selection
        self.agents = (first, *(agent for agent in self.env.possible_agents if agent != first))
        self.ends_illegal = any(isinstance(each, wrappers.TerminateIllegalWrapper) for each in layers(self.env))
        self._from_open_spiel = type(self.env.unwrapped).__module__ == SHIMMY_MODULE

    def look(self, reward: float = 0.0, *, mover: int = 1, illegal: bool = False) -> Moment:
        """Returns what the environment says now.

        Args:
            reward: of the last move.
            mover: who made it.
            illegal: it was not legal.
        """
        env = self.env
        over = any(env.terminations.values()) or any(env.truncations.values())
        player = 1 - mover if over else self.agents.index(env.agent_selection)
        shown = None if illegal else env.observe(self.agents[player])
        mask = np.zeros(env.action_space(self.agents[0]).n, np.bool_)
        if not over:
            source = shown if isinstance(shown, Mapping) else env.infos[env.agent_selection]
            mask = np.array(source["action_mask"]).astype(np.bool_)
        seen = shown["observation"] if isinstance(shown, Mapping) else shown
        if seen is not None and self._from_open_spiel:
            seen = self._as_games_have_it(seen, player)
        return Moment(reward, over, player, mask, seen)

    def step(self, action: int) -> tuple[int, float]:
        """Makes a move; returns who made it, and the reward of that player."""
        mover = self.env.agent_selection
        self.env.step(action)
        return self.agents.index(mover), float(self.env.rewards[mover])

    def skip(self, actions: Sequence[int]) -> None:
        """Makes legal moves without looking, which wrappers that only watch would do at each."""
        env = self.env if strange_wrappers(self.env) else self.env.unwrapped
        for action in actions:
            env.step(action)

    def _as_games_have_it(self, seen: Array, player: int) -> Array:
        """Returns what Shimmy shows, with the channels last; at the end from its state: it shows what was before."""
        env = self.env.unwrapped
        if env.game_state.is_terminal():
            number = env.possible_agents.index(self.agents[player])
            seen = np.reshape(env.game_state.observation_tensor(number), seen.shape)
        return np.moveaxis(seen, 0, -1) if seen.ndim == 3 else seen


def environment_of(game: Game) -> Callable[[], Any]:
    """Returns what makes the environment whose rules a game has.

    Raises:
        ValueError: it is not known.
    """
    if game.id in CLASSICS:
        name = game.id.rpartition("_v")[0]
        return partial(import_module(f"pettingzoo.classic.{name}.{name}").env, **game.kwargs)
    if game.id.startswith(OPEN_SPIEL):
        return partial(_open_spiel_env, game.id.removeprefix(OPEN_SPIEL), dict(game.kwargs))
    if isinstance(game, ReplayedGame):
        return partial(_ends_illegal, game.make_env)
    raise ValueError(f"the environment of {game.id} is not known")


@contextmanager
def no_word_on_illegal_moves() -> Iterator[None]:
    """Lets PettingZoo say nothing of illegal moves, which are meant."""
    logger = EnvLogger.get_logger()
    disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = disabled
        EnvLogger.flush()


def _open_spiel_env(name: str, config: dict[str, Any]) -> Any:
    from shimmy.openspiel_compatibility import OpenSpielCompatibilityV0

    return _ends_illegal(partial(OpenSpielCompatibilityV0, game_name=name, config=config or None))


def _ends_illegal(make_env: Callable[[], Any]) -> Any:
    return wrappers.TerminateIllegalWrapper(make_env(), illegal_reward=ILLEGAL_REWARD)
