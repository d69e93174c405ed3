"""A real environment as an exact world model, where its state can be set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from zoo_core import spaces
from zoo_core.plugins import make_env
from zoo_core.world_model import ModelStep, State, WorldModel, select

Array = np.ndarray[Any, Any]


def _angles(*pairs: tuple[int, int], keep: slice) -> Callable[[Array], Array]:
    """Returns a function from an observation that holds (cos, sin) at the index `pairs` to angles and velocities."""
    return lambda obs: np.concatenate([[np.arctan2(obs[s], obs[c]) for c, s in pairs], obs[keep]])


# Gymnasium's classic control: how the state follows from an observation. Other environments bring the methods
# themselves.
_STATE_FROM_OBSERVATION: dict[str, Callable[[Array], Array]] = {
    "CartPoleEnv": lambda obs: obs,
    "MountainCarEnv": lambda obs: obs,
    "Continuous_MountainCarEnv": lambda obs: obs,
    "PendulumEnv": _angles((0, 1), keep=slice(2, 3)),
    "AcrobotEnv": _angles((0, 1), (2, 3), keep=slice(4, 6)),
}


class SettableEnv:
    """Reads and writes the state of an environment.

    Serves Gymnasium's classic control, and every environment whose `unwrapped` has `get_state()`, `set_state(state)`
    and `state_from_observation(obs)`.

    Raises:
        TypeError: the environment's state cannot be set.
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        self.env: Any = env.unwrapped
        self.env.reset(seed=0)
        self._own = all(hasattr(self.env, name) for name in ("get_state", "set_state", "state_from_observation"))
        self._from_observation = _STATE_FROM_OBSERVATION.get(type(self.env).__name__)
        if not self._own and all(hasattr(self.env, name) for name in ("get_state", "set_state")):
            raise TypeError(
                f"the state of {type(self.env).__name__} does not follow from its observations: SimulatorModel takes "
                "environments with state_from_observation(obs)"
            )
        if not self._own and (self._from_observation is None or not hasattr(self.env, "state")):
            raise TypeError(
                f"the state of {type(self.env).__name__} cannot be set: SimulatorModel takes Gymnasium's classic "
                "control, and environments with get_state(), set_state(state) and state_from_observation(obs)"
            )
        self._dtype = np.dtype(np.float64) if self._own else self._dtype_of_steps()

    def get_state(self) -> Array:
        """Returns the state, float64 `[S]`."""
        return np.array(self.env.get_state() if self._own else self.env.state, dtype=np.float64)

    def set_state(self, state: Array) -> None:
        """Puts the environment into a state `[S]`."""
        if self._own:
            self.env.set_state(state)
            return
        rounded = state.astype(self._dtype)  # some environments start in float64 and go on in float32
        self.env.state = rounded if np.array_equal(rounded, state) else np.array(state)
        if hasattr(self.env, "steps_beyond_terminated"):
            self.env.steps_beyond_terminated = None

    def state_from_observation(self, obs: Array) -> Array:
        """Returns the state `[S]` that an observation shows."""
        if self._own:
            return np.asarray(self.env.state_from_observation(obs), dtype=np.float64)
        assert self._from_observation is not None
        return np.asarray(self._from_observation(np.asarray(obs, dtype=np.float64)), dtype=np.float64)

    def _dtype_of_steps(self) -> np.dtype[Any]:
        """Returns the dtype in which the environment computes once it has made a step."""
        self.env.step(spaces.index(self.env.action_space, spaces.zeros(self.env.action_space, 1), 0))
        dtype = np.asarray(self.env.state).dtype
        self.env.reset(seed=0)
        return dtype


class SimulatorState(NamedTuple):
    """State of the simulator and the observation it shows.

    Attributes:
        simulator: `[B, S]` float64.
        obs: `[B, ...]`.
        terminal: `[B]` bool.
    """

    simulator: Tensor
    obs: Tensor
    terminal: Tensor


class SimulatorModel(WorldModel):
    """The environment itself as a world model: the oracle that learned models are compared with.

    It steps the simulator row by row, so it is exact and slow. Nothing is learned; `fit` keeps first observations. An
    environment with randomness of its own draws it from the `rng` of the step; a temperature means nothing to it.

    Args:
        env: an id or a Gymnasium environment whose state can be set; its time limit plays no part.
        seed: of the environment's own randomness, if it has any.
        **env_kwargs: arguments of the environment, where `env` is an id.
    """

    def __init__(self, env: str | gym.Env[Any, Any], *, seed: int = 0, **env_kwargs: Any) -> None:
        gym_env = make_env(env, **env_kwargs) if isinstance(env, str) else env
        spaces.check_space(gym_env.observation_space, (gym.spaces.Box,), what="observation", who="SimulatorModel")
        super().__init__(gym_env.observation_space, gym_env.action_space, seed=seed)
        self.env_id = env if isinstance(env, str) else (gym_env.spec.id if gym_env.spec else None)
        self._settable = SettableEnv(gym_env)
        self._env: Any = gym_env.unwrapped
        self._env.reset(seed=seed)

    def fit(self, replay: Any, *, rng: Any, max_updates: Any = None, callback: Any = None) -> dict[str, float]:
        """Keeps first observations; there is nothing to learn."""
        env_id = self.env_id
        self.remember(replay)
        self.env_id = env_id
        return {"transitions": float(len(replay))}

    def observe(
        self,
        state: State | None,
        action: Tensor | None,
        obs: Any,
        is_first: Tensor | None,
        *,
        rng: torch.Generator,
    ) -> SimulatorState:
        """Takes the state that the observation shows; between observations of one episode it is known better."""
        shown = np.stack([self._settable.state_from_observation(row) for row in obs.cpu().numpy()])
        begin = SimulatorState(
            torch.as_tensor(shown, device=self.device),
            obs.clone(),
            torch.zeros(len(obs), dtype=torch.bool, device=self.device),
        )
        if state is None or action is None or is_first is None:
            return begin
        stepped: SimulatorState = self.step(state, action, rng=rng).state
        return select(is_first, begin, stepped._replace(obs=obs.clone()))  # type: ignore[no-any-return]

    def step(
        self,
        state: State,
        action: Tensor,
        *,
        rng: torch.Generator,
        temperature: float = 1.0,
        uncertainty: bool = False,
    ) -> ModelStep:
        """Steps the simulator from each row's state."""
        seeds = torch.randint(2**62, (len(state.terminal),), generator=rng, device=rng.device).tolist()
        rows = zip(state.simulator.cpu().numpy(), spaces.to_numpy(self.action_space, action), strict=True)
        terminal = state.terminal.cpu().numpy()
        after, obs = state.simulator.clone(), state.obs.clone()
        reward, ended = np.zeros(len(terminal), np.float32), terminal.copy()
        for i, (simulator, row_action) in enumerate(rows):
            if terminal[i]:
                continue
            self._settable.set_state(simulator)
            _put_stream(self._env.np_random, seeds[i])
            seen, reward[i], ended[i], _, _ = self._env.step(row_action)
            after[i] = torch.as_tensor(self._settable.get_state())
            obs[i] = torch.as_tensor(np.asarray(seen))
        over = torch.as_tensor(ended, device=self.device)
        zero = torch.zeros(len(over), device=self.device)
        return ModelStep(
            SimulatorState(after, obs, over),
            torch.as_tensor(reward, device=self.device),
            (~over).float(),
            uncertainty={"epistemic": zero, "aleatoric": zero.clone()} if uncertainty else None,
        )

    def decode(self, state: State) -> Tensor:
        """Returns the observation that the simulator gave."""
        return state.obs  # type: ignore[no-any-return]

    def initial_state(self, num: int, *, rng: torch.Generator) -> SimulatorState:
        """Resets the environment `num` times, with seeds drawn from `rng`."""
        seeds = torch.randint(2**31 - 1, (num,), generator=rng, device=rng.device).tolist()
        shown, simulator = [], []
        for seed in seeds:
            shown.append(self._env.reset(seed=seed)[0])
            simulator.append(self._settable.get_state())
        return SimulatorState(
            torch.as_tensor(np.stack(simulator), device=self.device),
            torch.as_tensor(np.stack(shown), device=self.device),
            torch.zeros(num, dtype=torch.bool, device=self.device),
        )

    def save(self, path: str | Path) -> Path:
        """A simulator is made from its environment, not from a file.

        Raises:
            TypeError: always.
        """
        raise TypeError("SimulatorModel has nothing learned to save: make it again with SimulatorModel(env)")


def _put_stream(generator: np.random.Generator, seed: int) -> None:
    """Puts a generator where `seed` says; a tenth of the time that making another one takes."""
    bits: Any = generator.bit_generator
    state = bits.state
    bits.state = {**state, "state": {**state["state"], "state": seed << 64 | seed}, "has_uint32": 0, "uinteger": 0}
