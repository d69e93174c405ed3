"""What tabular agents share: a Q for every state and action, ε-greedy acting, and the loop of real steps."""

from __future__ import annotations

import operator
from abc import abstractmethod
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from zoo_core.agent import Agent
from zoo_core.errors import ConfigError
from zoo_core.plugins import AgentSpec, check_spaces, load_object, make_model, model_spec, spec_of
from zoo_core.seeding import numpy_rng, stream_seed
from zoo_core.world_model import WorldModel
from zoo_dyna.exploiting import solved_as_tried
from zoo_dyna.kernels import explore
from zoo_dyna.stored import stored_array
from zoo_tabular.dynamic_programming import Solution, value_iteration
from zoo_tabular.lookup import Lookup, num_pairs
from zoo_tabular.table import Table

Array = np.ndarray[Any, Any]

STEPS_PER_ITERATION = 100  # env steps between two entries of the log


class Steps(NamedTuple):
    """A real step of each of B environments; states and actions count from 0.

    Attributes:
        state: `[B]` int64.
        action: `[B]` int64.
        reward: `[B]` float64.
        next_state: `[B]` int64; where an episode ended, its final state.
        terminated: `[B]` bool.
    """

    state: Array
    action: Array
    reward: Array
    next_state: Array
    terminated: Array


class TabularAgent(Agent):
    """Acts ε-greedily by a table of Q `[S, A]`, with ties broken at random; a subclass learns it in `update`.

    Tables live on the CPU, whatever the device. Behind a VecNormalize it learns from the rewards as they were.
    """

    def __init__(self, env: Any, config: Any = None, **kwargs: Any) -> None:
        super().__init__(env, config, **kwargs)
        spaces: tuple[Any, Any] = self.observation_space, self.action_space
        if isinstance(spec := spec_of(type(self), "agent"), AgentSpec):
            check_spaces(spec, *spaces)  # names agents that take them
        self.num_states, self.num_actions = num_pairs(*spaces, who=type(self).__name__)
        self._first_state, self._first_action = (int(space.start) for space in spaces)
        self.q: Array = np.full((self.num_states, self.num_actions), getattr(self.config, "initial_value", 0.0))
        self.steps_per_iteration: int = STEPS_PER_ITERATION
        self.updates = 0  # of Q, from real steps and from the model
        self.model: Lookup | None = self.make_model()
        self._known: tuple[int, Solution] | None = None  # updates made, and what was best by then
        self._state: Array = np.zeros(self.env.num_envs, np.int64)
        self._learning, self._acting = (numpy_rng(self.seed, name) for name in ("learning", "acting"))

    @abstractmethod
    def update(self, steps: Steps) -> None:
        """Learns from a real step of each environment."""

    def note_beginnings(self, states: Array) -> None:
        """Notes the states `[N]` in which episodes begin."""
        if self.model is not None:
            self.model.begin(states)

    @property
    def world_model(self) -> WorldModel | None:
        """The table of what follows what, if the agent keeps one."""
        return self.model

    def make_model(self) -> Lookup | None:
        """Returns the table that the config names, empty; None if it names none.

        Raises:
            ConfigError: it names a model that is no table.
        """
        name = getattr(self.config, "model", None)
        if name is None:
            return None
        if not issubclass(load_object(model_spec(name).entry_point), Lookup):
            raise ConfigError(f"model must be a table, 'lookup' or 'lookup-deterministic', got {name!r}")
        model: Any = make_model(
            name,
            self.observation_space,
            self.action_space,
            self.config.model_config,
            seed=stream_seed(self.seed, "model"),
            device="cpu",
        )
        model.env_id = getattr(self, "env_id", None)  # a loaded agent learns it later, and its model from the file
        return model  # type: ignore[no-any-return]

    def iterate(self) -> dict[str, float]:
        """Makes real steps and learns from each."""
        for _ in range(0, min(self.steps_per_iteration, self.remaining_timesteps), self.env.num_envs):
            self.update(self._step())
            if self.env.stop:
                break
        metrics = {"q/max": float(self.q.max()), "q/updates": float(self.updates)}
        if self.model is not None:
            self.model.replay_steps = self.num_timesteps
            metrics["model/pairs_tried"] = float((self.model.outcomes.count.sum(-1) > 0).sum())
        return metrics

    def begin_episodes(self) -> None:
        """Resets the environments."""
        self._state = self._states(self.env.reset())
        self.note_beginnings(self._state)

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: np.ndarray[Any, Any] | None = None,
        deterministic: bool = False,
    ) -> tuple[Any, Any]:
        """Chooses one of the best actions, always the same; unless `deterministic` as in learning, ε-greedily, any of
        the best.
        """
        states = self._states(np.atleast_1d(observation))
        if deterministic:
            actions = self.best_actions(states)
        else:
            actions = explore(self.q, states, self.config.explore_prob, self._acting)
        actions = actions + self._first_action
        return (actions if np.ndim(observation) else actions[0]), state

    def best_actions(self, states: Array) -> Array:
        """Returns what a deterministic policy does in states `[B]`: the first of the best actions, by Q."""
        return self.q[states].argmax(-1)  # type: ignore[no-any-return]

    def solve(self, table: Table, gamma: float) -> Solution:
        """Returns what is optimal in a table."""
        return value_iteration(table, gamma)

    def solve_what_was_tried(self) -> Solution:
        """Solves the agent's model, once after each update (see `solved_as_tried`)."""
        assert self.model is not None
        if self._known is None or self._known[0] != self.updates:
            self._known = self.updates, solved_as_tried(self.model, self.solve, self.config.gamma)
        return self._known[1]

    def to_file(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Returns the table of Q."""
        return {"updates": self.updates}, {"q": torch.tensor(self.q)}

    def load_file(self, data: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """Restores what `to_file` returned."""
        self.updates = operator.index(data["updates"])
        self.q = stored_array(tensors["q"], self.q, "q")
        self._known = None

    def to_checkpoint(self) -> Any:
        """Returns where the two random streams stand."""
        return {name: dict(rng.bit_generator.state) for name, rng in self._streams().items()}

    def load_checkpoint(self, state: Any) -> None:
        """Sets the two random streams to where they stood."""
        for name, rng in self._streams().items():
            rng.bit_generator.state = state[name]

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _step(self) -> Steps:
        state = self._state
        action = explore(self.q, state, self.config.explore_prob, self._learning)
        obs, reward, done, infos = self.env.step(action + self._first_action)
        if (normalize := self.get_vec_normalize_env()) is not None:
            reward = normalize.get_original_reward()
        self._state = next_state = self._states(obs)
        terminated = done.copy()
        if done.any():
            next_state = next_state.copy()
            for i in np.flatnonzero(done):
                next_state[i] = self._states(np.atleast_1d(infos[i]["terminal_observation"]))[0]
                terminated[i] = not infos[i].get("TimeLimit.truncated", False)
            self.note_beginnings(self._state[done])
        return Steps(state, action, reward.astype(np.float64), next_state, terminated)

    def _states(self, obs: Any) -> Array:
        """Returns states `[B]`, from 0, of observations `[B]`."""
        states: Array = np.asarray(obs)
        if states.ndim != 1 or states.dtype.kind not in "iu":
            raise ValueError(f"observations must be whole numbers, one or a batch [B] of them, got {obs!r}")
        states = states.astype(np.int64) - self._first_state
        if ((states < 0) | (states >= self.num_states)).any():
            raise ValueError(f"observations must be in {self.observation_space}, got {obs}")
        return states

    def _streams(self) -> dict[str, np.random.Generator]:
        return {"learning": self._learning, "acting": self._acting}
