"""Value iteration and policy iteration as agents (Bellman 1957; Howard 1960; Sutton & Barto 2018, chapter 4): count
what happens, solve the table of it exactly, act by the solution, and again.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np

from zoo_core.acting import SpacesOnly
from zoo_core.errors import ConfigError
from zoo_core.replay import Replay
from zoo_core.seeding import rng
from zoo_dyna.config import DynamicProgrammingConfig
from zoo_dyna.exploiting import solved
from zoo_dyna.tabular_agent import Steps, TabularAgent
from zoo_tabular.dynamic_programming import Solution, policy_iteration, value_iteration
from zoo_tabular.lookup import Lookup
from zoo_tabular.table import Table

Array = np.ndarray[Any, Any]

EXACT = "exact"  # in place of a model's name: the environment's own table


class DynamicProgrammingAgent(TabularAgent):
    """Learns a table by counting, or reads the environment's own, and solves it."""

    config_class: ClassVar[type] = DynamicProgrammingConfig
    model: Lookup

    def __init__(self, env: Any, config: Any = None, **kwargs: Any) -> None:
        super().__init__(env, config, **kwargs)
        self.steps_per_iteration = int(self.config.round_steps)

    @abstractmethod
    def solve(self, table: Table, gamma: float) -> Solution:
        """Returns what is optimal in a table."""

    def best_actions(self, states: Array) -> Array:
        """Returns those of the solution of what was tried; the first best by Q might lead in circles."""
        return self.solve_what_was_tried().policy[states]

    def make_model(self) -> Lookup:
        """Returns the table that the config names, empty, or for "exact" the environment's own."""
        if self.config.model != EXACT:
            model = super().make_model()
            assert model is not None
            return model
        model = Lookup(self.observation_space, self.action_space, self.config.model_config)
        model.env_id = getattr(self, "env_id", None)
        return model

    def on_learn_start(self) -> None:
        """Solves what is known before the first step.

        Raises:
            ValueError: the table is to be read, and there is no environment.
            TypeError: the environment has no table.
        """
        if self.config.model == EXACT:
            if isinstance(self.get_env(), SpacesOnly):
                raise ValueError(
                    "the agent has no environment, whose table it is to read: pass one to load(path, env=...) or call "
                    "set_env(env)"
                )
            self.model.know(Table.from_env(self.env))
            self._solve()
        super().on_learn_start()

    def iterate(self) -> dict[str, float]:
        """Makes real steps, and solves the table that they make."""
        metrics = super().iterate()
        if self.config.model != EXACT:
            metrics |= self._solve()
        return metrics

    def update(self, steps: Steps) -> None:
        """Counts what happened."""
        if self.config.model != EXACT:
            self.model.record(*steps)

    def note_beginnings(self, states: Array) -> None:
        """Counts where episodes begin."""
        if self.config.model != EXACT:
            super().note_beginnings(states)

    def learn_offline(self, replay: Replay) -> dict[str, float]:
        """Counts what is in a replay, and solves that.

        Raises:
            ConfigError: there is nothing to be learned, since the model is "exact".
        """
        if self.config.model == EXACT:
            raise ConfigError("model='exact' is read from the environment, not learned from data: take 'lookup'")
        metrics = self.model.fit(replay, rng=rng(self.seed, "fit"))
        return {f"model/{name}": value for name, value in metrics.items()} | self._solve()

    def _solve(self) -> dict[str, float]:
        solution = solved(self.model, self.solve, self.config.gamma)
        self.q = solution.q
        self.updates += solution.sweeps * self.q.size
        return {"planning/sweeps": float(solution.sweeps), "q/max": float(self.q.max())}


class ValueIterationAgent(DynamicProgrammingAgent):
    """Solves its table by value iteration."""

    def solve(self, table: Table, gamma: float) -> Solution:
        """Sweeps until no value changes."""
        return value_iteration(table, gamma)


class PolicyIterationAgent(DynamicProgrammingAgent):
    """Solves its table by policy iteration."""

    def solve(self, table: Table, gamma: float) -> Solution:
        """Evaluates and improves a policy until it stays."""
        return policy_iteration(table, gamma)
