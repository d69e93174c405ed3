"""What agents that play board games share: the game, acting by the network alone, and by a search."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor

from zoo_core.acting import SpacesOnly
from zoo_core.agent import Agent
from zoo_core.config import build_config, check_range
from zoo_core.planner import Evaluation, Plan
from zoo_core.seeding import rng as make_rng
from zoo_core.world_model import State
from zoo_mcts.games.game import Array, Game
from zoo_mcts.games.lookup import game_of, make_game
from zoo_mcts.games.rules import RulesModel
from zoo_mcts.games.vec_env import GameVecEnv


@dataclass(frozen=True)
class GameAgentConfig:
    """What is played, and how much of it at once."""

    num_games: int = 64  # played at once, by one network call
    game: str | None = None  # id of the game; None takes that of the environment
    game_kwargs: Mapping[str, Any] = field(default_factory=dict)  # over those of the game, such as board_size of go_v5

    def __post_init__(self) -> None:
        check_range("num_games", self.num_games, 1)


class GameAgent(Agent):
    """Learns a board game by playing both sides of `config.num_games` games at once.

    A subclass says in `iterate` how it learns, in `evaluate_planes` what its network says, and in `search` how it
    searches. An env step is a move in one game.

    Args:
        env: a game's id, a PettingZoo AEC environment or its factory, a `SelfPlayEnv`, or a VecEnv of these; its
            opponent, if it has one, is not played against.
        config: an instance of `config_class`, a mapping of its fields, or None for the defaults.
        **kwargs: `seed`, `device`, `verbose`, `tensorboard_log`, as of every agent.

    Attributes:
        game: its rules.
        rules: the same as a world model.

    Raises:
        ValueError: it is no board game of two players, or another one than the config names.
    """

    config_class = GameAgentConfig
    config: Any

    def __init__(self, env: Any, config: Any = None, **kwargs: Any) -> None:
        config = build_config(type(self).config_class, config)
        if isinstance(env, SpacesOnly):
            game = make_game(config.game, **config.game_kwargs)
        else:
            env = game = game_of(env, **({} if config.game else config.game_kwargs))
            _check_game(game, config)
        config = replace(config, game=game.id, game_kwargs=dict(game.kwargs))
        super().__init__(env, config, **kwargs)
        self.game: Game = game
        self.rules = RulesModel.of(game).to(self.device)
        self._acting = make_rng(self.seed, "acting")

    @classmethod
    def vec_env_of(cls, env: Any, config: Any, *, seed: int | None = None) -> VecEnv:
        """Returns `config.num_games` games of what was given, both sides of which are played.

        Raises:
            ValueError: it is no board game of two players, or another one than the config names.
        """
        if isinstance(env, SpacesOnly):
            return env
        game = game_of(env)
        _check_game(game, config)
        return GameVecEnv(game, config.num_games)

    @property
    def world_model(self) -> RulesModel:
        """The rules of the game."""
        return self.rules

    # -- acting --------------------------------------------------------------------------------------------------------

    @abstractmethod
    def evaluate_planes(self, planes: Tensor) -> Evaluation:
        """Returns what the network says of what players see.

        Args:
            planes: `[B, ...]` as `Game.observe` returns them, on the agent's device.

        Returns:
            The value `[B]` for the player to move, and logits `[B, A]` that know nothing of the rules.
        """

    def network_alone(self, state: State) -> Evaluation:
        """Returns what the network says of positions, without a search."""
        with torch.no_grad():
            return self.evaluate_planes(torch.from_numpy(self.game.observe(state)).to(self.device))

    def evaluate(self, state: State, *, rng: torch.Generator) -> Evaluation:
        """Returns what a search asks of positions: by default, what the network says."""
        return self.network_alone(state)

    @abstractmethod
    def search(
        self,
        state: State,
        *,
        num_simulations: int | None = None,
        rng: torch.Generator | None = None,
        deterministic: bool = True,
    ) -> Plan:
        """Searches from positions of `game`, for play rather than for learning.

        Args:
            state: B positions.
            num_simulations: from each; None takes those of the config.
            rng: source of randomness; None draws from the stream of acting.
            deterministic: without noise at the root.

        Returns:
            The move, the value for the player to move, and how strongly each move is recommended.
        """

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = False
    ) -> tuple[Any, Any]:
        """Chooses moves by the network alone: the likeliest legal one, or a sample.

        Args:
            observation: {"observation", "action_mask"}, of one position or of a batch.
            state: is not used.
            episode_start: is not used.
            deterministic: take the likeliest.
        """
        mask = np.asarray(observation["action_mask"]).astype(bool)
        planes = np.asarray(observation["observation"])
        single = mask.ndim == 1
        if single:
            mask, planes = mask[None], planes[None]
        with torch.no_grad():
            logits = self.evaluate_planes(torch.from_numpy(np.ascontiguousarray(planes)).to(self.device)).logits
        assert logits is not None
        action = choose_moves(logits.float().cpu(), torch.from_numpy(mask), None if deterministic else self._acting)
        return (action[0] if single else action), state

    def begin_episodes(self) -> None:
        """Begins all games anew."""
        self.env.reset()


def choose_moves(logits: Tensor, legal: Tensor, rng: torch.Generator | None) -> Array:
    """Returns legal moves, int64 `[B]`: samples of the softmax, or without `rng` the likeliest (Gumbel-max).

    Where no move is legal, the game is over, and any will do.

    Args:
        logits: `[B, A]`.
        legal: bool `[B, A]`.
        rng: source of randomness.
    """
    if rng is not None:
        noise = torch.rand(logits.shape, generator=rng).clamp_min(torch.finfo(logits.dtype).tiny)
        logits = logits - torch.log(-torch.log(noise))
    moves: Array = logits.masked_fill(~legal, -torch.inf).argmax(1).numpy()
    return moves


def _check_game(game: Game, config: Any) -> None:
    if config.game is not None and (game.id, dict(game.kwargs)) != (config.game, dict(config.game_kwargs)):
        mine, other = (_describe(*each) for each in ((config.game, config.game_kwargs), (game.id, game.kwargs)))
        raise ValueError(f"the agent plays {mine}, the environment is {other}: make an agent of its own for it")


def _describe(game: str, kwargs: Mapping[str, Any]) -> str:
    return f"{game} ({', '.join(f'{name}={value}' for name, value in kwargs.items())})" if kwargs else game
