"""A game as an SB3 VecEnv in which whoever steps plays both sides: where self-play happens."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.envs.registration import EnvSpec
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from zoo_core.world_model import index, put
from zoo_mcts.games.game import Array, Game, Positions


class GameVecEnv(VecEnv):
    """B games side by side. A step is one move in each, by the player whose turn it is there.

    Observations are what the player to move sees, rewards those of the player who moved. A game that is over begins
    anew; its `info` has what SB3 wants of it, and as return the result of the player who began: 1, 0 or -1.

    Args:
        game: the rules.
        num_envs: B.

    Attributes:
        state: the B positions.
    """

    def __init__(self, game: Game, num_envs: int) -> None:
        self.game = game
        self.render_mode = None
        super().__init__(num_envs, game.observation_space, game.action_space)
        self.state: Positions = game.initial(num_envs)
        self._length = np.zeros(num_envs, np.int64)
        self._result = np.zeros(num_envs)
        self._actions: Array = np.zeros(num_envs, np.int64)

    def reset(self) -> dict[str, Array]:
        """Begins all games anew."""
        self.state = self.game.initial(self.num_envs)
        self._length[:] = 0
        self._result[:] = 0.0
        return self._see(self.state)

    def step_async(self, actions: Array) -> None:
        """Takes the moves, one a game."""
        self._actions = np.asarray(actions, np.int64)

    def step_wait(self) -> VecEnvStepReturn:
        """Makes the moves."""
        first = self.game.player(self.state) == 0
        played = self.game.play(self.state, self._actions)
        self.state = played.state
        self._length += 1
        self._result += np.where(first, played.reward, -played.reward)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        ended = np.flatnonzero(played.over)
        if len(ended) > 0:
            self._begin_anew(ended, infos)
        return self._see(self.state), played.reward, played.over.copy(), infos

    def _begin_anew(self, rows: Array, infos: list[dict[str, Any]]) -> None:
        last = self._see(index(self.state, rows))
        for i, row in enumerate(rows):
            infos[row] = {
                "terminal_observation": {name: value[i] for name, value in last.items()},
                "TimeLimit.truncated": False,
                "episode": {"r": float(self._result[row]), "l": int(self._length[row])},
            }
        self.state = put(self.state, rows, self.game.initial(len(rows)))
        self._length[rows] = 0
        self._result[rows] = 0.0

    def _see(self, state: Positions) -> dict[str, Array]:
        return {"observation": self.game.observe(state), "action_mask": self.game.legal(state).astype(np.int8)}

    # -- what else a VecEnv answers ------------------------------------------------------------------------------------

    def close(self) -> None:
        """Does nothing."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Returns an attribute of the game, or its spec as an environment, once for each chosen game."""
        if attr_name == "spec":
            value: Any = EnvSpec(self.game.id, kwargs=dict(self.game.kwargs))
        elif attr_name == "render_mode":
            value = None
        else:
            value = self.game if attr_name == "game" else getattr(self.game, attr_name)
        return [value] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Raises AttributeError: rules do not change."""
        raise AttributeError(f"{attr_name} of {self.game.id} cannot be set")

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        """Answers `action_masks`, which MaskablePPO asks for.

        Raises:
            AttributeError: it was another method.
        """
        if method_name != "action_masks":
            raise AttributeError(f"{type(self).__name__} has no method {method_name!r}")
        legal = self.game.legal(self.state)
        return [legal[i] for i in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Returns False: there is nothing to wrap."""
        return [False] * len(list(self._get_indices(indices)))
