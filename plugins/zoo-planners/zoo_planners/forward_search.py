"""Forward search: every sequence of Discrete actions to a depth, level by level."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from zoo_core.errors import ConfigError
from zoo_core.planner import Plan, Planner
from zoo_core.world_model import State, WorldModel, batch_size, index, repeat
from zoo_planners.actions import num_actions
from zoo_planners.config import ForwardSearchConfig
from zoo_planners.discrete import each_action, legal_actions
from zoo_planners.evaluation import state_values
from zoo_planners.returns import rank_nan_last, weighted

NAME = "forward-search"


class ForwardSearch(Planner):
    """Exhaustive search to depth d: V(s) = max over a of the mean of r + γ · continues · sign · V(s').

    The mean is over `num_samples` C outcomes of each state and action. In a deterministic model one is enough; with
    more this is sparse sampling (Kearns, Mansour & Ng 2002, doi:10.1023/A:1017932429737, figure 1), which plans nearly
    optimally in any model, at a cost that does not grow with the number of states. Each level is one call of the model,
    with (A · C)^level rows a root; where the search ends, `evaluate` says what a state is worth. As many roots are
    searched at a time as `max_rows` has room for.

    `Plan.value` is that of the best action, for the player to move; `sequence` the best path, if there is one
    (`num_samples=1`), from where it ended without meaning.

    Differs from the paper: as many samples are drawn at every level. The paper also allows fewer of them further down.
    """

    config_class = ForwardSearchConfig
    config: ForwardSearchConfig

    def check(self, model: WorldModel) -> None:
        """Raises what `plan` would raise of this model from any state.

        Raises:
            UnsupportedSpaceError: the model's actions are not Discrete.
            ConfigError: there are more than `max_rows` states to look at from a single root.
        """
        self._roots_at_a_time(num_actions(model, NAME))

    def plan(self, model: WorldModel, state: State, *, rng: torch.Generator, previous: Plan | None = None) -> Plan:
        """Searches from B roots; `previous` is not used.

        Raises:
            UnsupportedSpaceError: the model's actions are not Discrete.
            ConfigError: there are more than `max_rows` states to look at from a single root.
            ValueError: `evaluate` returns values of another shape.
            NonFiniteError: every return from a root is NaN.
        """
        actions = num_actions(model, NAME)
        together = self._roots_at_a_time(actions)
        parts = [index(state, slice(start, start + together)) for start in range(0, batch_size(state), together)]
        with torch.no_grad():
            returns, paths = zip(*(self._search(model, part, actions, rng) for part in parts), strict=True)
        value, action = rank_nan_last(torch.cat(returns), model).max(1)
        return Plan(action, value, sequence=torch.cat(paths) if self.config.num_samples == 1 else None)

    def _roots_at_a_time(self, actions: int) -> int:
        config = self.config
        rows: int = (actions * config.num_samples) ** config.depth
        if rows > config.max_rows:
            raise ConfigError(
                f"{NAME} to depth={config.depth} would look at ({actions} actions · {config.num_samples} num_samples)^"
                f"{config.depth} states from each root, more than max_rows={config.max_rows:,}: lower depth or "
                "num_samples, or raise max_rows"
            )
        return config.max_rows // rows

    def _search(self, model: WorldModel, state: State, actions: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Returns what each action is worth, `[B, A]`, and the best path `[B, d]` if each action has one outcome."""
        returns = self._back_up(*self._look_ahead(model, state, actions, rng))
        return returns[0], _best_path(returns)

    def _look_ahead(
        self, model: WorldModel, state: State, actions: int, rng: torch.Generator
    ) -> tuple[list[Level], Tensor]:
        """Takes every action in every state, level by level; returns the levels, and what the last states are worth."""
        levels = []
        for _ in range(self.config.depth):
            legal = legal_actions(model, state, actions)
            tried = each_action(legal).flatten().repeat_interleave(self.config.num_samples)
            step = model.step(repeat(state, actions * self.config.num_samples), tried, rng=rng)
            levels.append(Level(legal, step.reward, self.config.gamma * step.continues * step.sign))
            state = step.state
        return levels, state_values(self.evaluate, state, rng)

    def _back_up(self, levels: list[Level], value: Tensor) -> list[Tensor]:
        """Returns what each action is worth in the states of each level, `[B * (A * C)^level, A]`; NaN if illegal."""
        returns: list[Tensor] = []
        for legal, reward, carry in reversed(levels):
            q = (reward + weighted(value, carry)).reshape(*legal.shape, self.config.num_samples).mean(-1)
            q = torch.where(legal & q.isfinite(), q, torch.nan)
            value = torch.where(q.isnan(), -torch.inf, q).amax(1)  # an infinite one makes NaN of what leads there
            returns.insert(0, q)
        return returns


class Level(NamedTuple):
    """What followed the actions in M states: rows of a state are neighbours, and among them those of an action.

    Attributes:
        legal: `[M, A]` bool.
        reward: `[M * A * C]`, for the player who moved.
        carry: `[M * A * C]` what counts of what follows: γ · continues · sign.
    """

    legal: Tensor
    reward: Tensor
    carry: Tensor


def _best_path(returns: list[Tensor]) -> Tensor:
    """Returns the best actions `[B, d]`, where each state and action lead to one state."""
    node = torch.arange(len(returns[0]), device=returns[0].device)
    path = []
    for q in returns:
        path.append(q[node].nan_to_num(-torch.inf).argmax(1))
        node = node * q.shape[1] + path[-1]
    return torch.stack(path, dim=1)
