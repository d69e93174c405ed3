"""Two small planners that use the contracts only: one for Box actions, one for Discrete."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from zoo_core.errors import NonFiniteError
from zoo_core.planner import Plan, Planner
from zoo_core.world_model import WorldModel, batch_size, index, repeat


@dataclass(frozen=True)
class ShootingConfig:
    """Cross-entropy method."""

    horizon: int = 10
    num_candidates: int = 64
    num_elites: int = 8
    iterations: int = 3


class CrossEntropyPlanner(Planner):
    """Samples action sequences around a mean that moves to the best of them; the mean travels on in `memory`."""

    config_class = ShootingConfig

    def plan(self, model: WorldModel, state: Any, *, rng: torch.Generator, previous: Plan | None = None) -> Plan:
        """Searches from B roots."""
        config, num = self.config, batch_size(state)
        low, high = (torch.as_tensor(getattr(model.action_space, side), device=rng.device) for side in ("low", "high"))
        shape = (num, config.horizon, *low.shape)
        mean = ((low + high) / 2).expand(shape)
        if previous is not None:
            mean = torch.cat([previous.memory[:, 1:], mean[:, :1]], 1)
        std = ((high - low) / 2).expand(shape)
        for _ in range(config.iterations):
            noise = torch.randn(num, config.num_candidates, *shape[1:], generator=rng, device=rng.device)
            candidates = torch.clamp(mean[:, None] + std[:, None] * noise, low, high)
            returns = self._returns(model, repeat(state, config.num_candidates), candidates.flatten(0, 1), rng)
            returns = _rank_nan_last(returns.reshape(num, config.num_candidates))
            best = returns.topk(config.num_elites, dim=1).indices
            elites = candidates[torch.arange(num, device=rng.device)[:, None], best]
            mean, std = elites.mean(1), elites.std(1)
        return Plan(mean[:, 0], returns.amax(1), sequence=mean, memory=mean)

    def _returns(self, model: WorldModel, state: Any, actions: Tensor, rng: torch.Generator) -> Tensor:
        """Returns the undiscounted returns `[B]` of action sequences `[B, H, ...]`."""
        total, alive = torch.zeros(len(actions), device=rng.device), torch.ones(len(actions), device=rng.device)
        with torch.no_grad():
            for t in range(actions.shape[1]):
                step = model.step(state, actions[:, t], rng=rng)
                total, alive, state = total + alive * step.reward, alive * step.continues, step.state
            return total if self.evaluate is None else total + alive * self.evaluate(state, rng=rng).value


@dataclass(frozen=True)
class TreeSearchConfig:
    """Upper confidence bounds applied to trees (Kocsis & Szepesvári 2006)."""

    num_simulations: int = 200
    max_depth: int = 12
    exploration: float = 1.4


class _Node:
    """Statistics of an action sequence: visits and summed returns of each next action, for the player who takes it."""

    __slots__ = ("children", "totals", "visits")

    def __init__(self, num_actions: int) -> None:
        self.visits, self.totals = [0] * num_actions, [0.0] * num_actions
        self.children: dict[int, _Node] = {}

    def choose(self, legal: list[bool], exploration: float) -> int:
        """Returns the legal action of the greatest bound; where none is legal (the game is over) any will do."""
        tries = sum(self.visits)

        def bound(action: int) -> tuple[bool, float]:
            num = self.visits[action]
            if num == 0:
                return legal[action], math.inf
            if math.isnan(self.totals[action]):
                return legal[action], -math.inf
            return legal[action], self.totals[action] / num + exploration * math.sqrt(math.log(tries) / num)

        return max(range(len(legal)), key=bound)


class TreeSearch(Planner):
    """A tree a row, keyed by action sequences (open loop): each simulation samples the model anew, and averages chance.

    `weights` are the visit counts at the root.
    """

    config_class = TreeSearchConfig

    def plan(self, model: WorldModel, state: Any, *, rng: torch.Generator, previous: Plan | None = None) -> Plan:
        """Searches from B roots; rows share every call of the model."""
        num_actions = int(model.action_space.n)  # type: ignore[attr-defined]
        roots = [_Node(num_actions) for _ in range(batch_size(state))]
        for _ in range(self.config.num_simulations):
            self._simulate(model, state, roots, num_actions, rng)
        weights = torch.tensor([root.visits for root in roots], device=rng.device)
        action = weights.argmax(1)
        best = zip(roots, action.tolist(), strict=True)
        value = torch.tensor([root.totals[a] / root.visits[a] for root, a in best], device=rng.device)
        if value.isnan().any():
            raise NonFiniteError(f"{type(model).__name__} predicted rewards that are NaN")
        return Plan(action, value, weights=weights)

    def _simulate(
        self, model: WorldModel, state: Any, roots: list[_Node], num_actions: int, rng: torch.Generator
    ) -> None:
        nodes, rows = list(roots), list(range(len(roots)))  # rows that go on, and where they are in their tree
        paths: list[list[tuple[_Node, int, float, float, float]]] = [[] for _ in roots]
        values = [0.0] * len(roots)
        for _ in range(self.config.max_depth):
            legal = model.legal_actions(state)
            masks = [[True] * num_actions] * len(rows) if legal is None else legal.tolist()
            actions = [nodes[row].choose(mask, self.config.exploration) for row, mask in zip(rows, masks, strict=True)]
            with torch.no_grad():
                step = model.step(state, torch.tensor(actions, device=rng.device), rng=rng)
                guess = None if self.evaluate is None else self.evaluate(step.state, rng=rng).value.tolist()
            rewards, continues = step.reward.tolist(), step.continues.tolist()
            signs = torch.as_tensor(step.sign).expand(len(rows)).tolist()
            going = []
            for place, (row, action) in enumerate(zip(rows, actions, strict=True)):
                node = nodes[row]
                paths[row].append((node, action, rewards[place], continues[place], signs[place]))
                if action in node.children and continues[place] > 0:
                    nodes[row] = node.children[action]
                    going.append(place)
                else:
                    node.children[action] = _Node(num_actions)
                    values[row] = 0.0 if guess is None else guess[place]
            if not going:
                break
            rows, state = [rows[place] for place in going], index(step.state, going)
        for path, value in zip(paths, values, strict=True):
            for node, action, reward, goes_on, sign in reversed(path):
                value = reward + goes_on * sign * value
                node.visits[action] += 1
                node.totals[action] += value


def _rank_nan_last(returns: Tensor) -> Tensor:
    """Returns `[B, N]` returns with −∞ for NaN.

    Raises:
        NonFiniteError: All returns of a row are NaN.
    """
    broken = returns.isnan()
    if broken.all(1).any():
        raise NonFiniteError("the model predicted a NaN return for every candidate")
    return torch.where(broken, -torch.inf, returns)
