"""The rules of a game as a world model: exact, nothing to learn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from zoo_core.world_model import ModelStep, State, WorldModel, batch_size, select
from zoo_mcts.games.game import NUM_PLAYERS, Game
from zoo_mcts.games.lookup import make_game


@dataclass(frozen=True)
class RulesConfig:
    """Which game's rules."""

    game: str = "tictactoe_v3"  # as `zoo list envs` names it
    game_kwargs: Mapping[str, Any] = field(default_factory=dict)  # of its environment, such as board_size for go_v5


class RulesModel(WorldModel):
    """Known rules, under the same searches as a learned model: what AlphaZero has and MuZero learns.

    Beliefs are positions, NumPy arrays; they stay on the CPU, whatever the device of rewards and observations is.

    Args:
        observation_space: of the game; None takes it from there.
        action_space: of the game; None takes it from there.
        config: which game.
        seed: not used.
        game: the rules, if they are there already; by default they are made as the config says.

    Raises:
        ValueError: the spaces are not those of the game.
    """

    config_class = RulesConfig
    config: RulesConfig
    num_players: ClassVar[int] = NUM_PLAYERS

    def __init__(
        self,
        observation_space: Any = None,
        action_space: Any = None,
        config: Any = None,
        *,
        seed: int = 0,
        game: Game | None = None,
    ) -> None:
        super().__init__(observation_space, action_space, config, seed=seed)
        self._set_game(game or make_game(self.config.game, **self.config.game_kwargs))

    @classmethod
    def of(cls, game: Game) -> Self:
        """Returns the model of a game that is there already."""
        return cls(config={"game": game.id, "game_kwargs": dict(game.kwargs)}, game=game)

    def fit(self, replay: Any = None, **kwargs: Any) -> dict[str, float]:
        """Does nothing: the rules are known."""
        return {"loss": 0.0}

    def initial_state(self, num: int, *, rng: torch.Generator) -> State:
        """Returns positions in which the game begins."""
        return self.game.initial(num)

    def observe(self, state: State | None, action: Any, obs: Any, is_first: Any, *, rng: torch.Generator) -> State:
        """Applies the moves; rows that begin are at the beginning of the game, whatever is seen."""
        fresh = self.game.initial(len(obs["observation"]))
        if state is None or action is None or is_first is None:
            return fresh
        return select(is_first, fresh, self.game.play(state, _array(action)).state)

    def step(
        self, state: State, action: Tensor, *, rng: torch.Generator, temperature: float = 1.0, uncertainty: bool = False
    ) -> ModelStep:
        """Makes one move in every position."""
        played = self.game.play(state, _array(action))
        to = self.device
        continues = torch.from_numpy(~played.over).to(to, torch.float32)
        return ModelStep(
            played.state, torch.from_numpy(played.reward).to(to), continues, torch.from_numpy(played.sign).to(to)
        )

    def decode(self, state: State) -> dict[str, Tensor]:
        """Returns what the player to move sees, as the environment shows it."""
        seen = {"observation": self.game.observe(state), "action_mask": self.game.legal(state).astype(np.int8)}
        return {name: torch.from_numpy(np.ascontiguousarray(value)).to(self.device) for name, value in seen.items()}

    def legal_actions(self, state: State) -> Tensor:
        """Returns the moves that are allowed; none where the game is over."""
        return torch.from_numpy(self.game.legal(state)).to(self.device)

    def random_returns(self, state: State, *, depth: int, gamma: float, rng: torch.Generator) -> Tensor:
        """Returns what at most `depth` random moves from each position came to, `[B]`, for the player to move there."""
        seeds = torch.randint(2**63 - 1, (batch_size(state),), generator=rng, device=rng.device).cpu().numpy()
        returns = self.game.random_returns(state, depth=depth, gamma=gamma, seeds=seeds.view(np.uint64))
        return torch.from_numpy(returns).to(rng.device, torch.float32)

    def _set_game(self, game: Game) -> None:
        for name in ("observation_space", "action_space"):
            given, right = getattr(self, name), getattr(game, name)
            if given is not None and given != right:
                raise ValueError(f"{name} of {game.id} is {right}, got {given}")
            setattr(self, name, right)
        self.game = game


def _array(action: Any) -> Any:
    return action.cpu().numpy() if isinstance(action, Tensor) else np.asarray(action)
