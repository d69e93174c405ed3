"""Players that search: with random rollouts, or with what an agent has learned."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from zoo_core.errors import ZooError
from zoo_core.seeding import rng as make_rng
from zoo_core.world_model import batch_size, index
from zoo_mcts.games.game import Array, Game, Positions
from zoo_mcts.games.rules import RulesModel
from zoo_mcts.planner import UCT
from zoo_mcts.players.player import Choice, shares
from zoo_mcts.policy_search import MCTS

_TO_THE_END = 10_000  # moves of a rollout at most; games are shorter
_MAX_EDGES = 2**23  # of all trees that are searched at once


class MCTSPlayer:
    """UCT with N random rollouts to the end of the game, and no knowledge but the rules (see `zoo_mcts.planner`).

    Args:
        num_simulations: N, for each move.
        name: as users call it.

    Attributes:
        visits: of which `Choice.weights` are shares.
    """

    deterministic = False

    def __init__(self, num_simulations: int, name: str | None = None) -> None:
        self.num_simulations = num_simulations
        self.visits = num_simulations
        self.name = name or f"mcts:{num_simulations}"
        self._planner = UCT(
            {
                "num_simulations": num_simulations,
                "gamma": 1.0,
                "rollout_depth": _TO_THE_END,
                "tree": "deterministic",
            }
        )
        self._model: RulesModel | None = None

    def choose(self, game: Game, state: Positions, *, rng: np.random.Generator) -> Choice:
        """Takes the most visited move of each position; its value is the mean return of that move."""
        if self._model is None or self._model.game is not game:
            self._model = RulesModel.of(game)
        at_once = max(1, _MAX_EDGES // (self.num_simulations * game.num_actions))
        plans = []
        for first in range(0, batch_size(state), at_once):
            roots = index(state, slice(first, first + at_once))
            plans.append(self._planner.plan(self._model, roots, rng=_torch_rng(rng)))
        return _join([_to_choice(plan) for plan in plans])


class AgentPlayer:
    """An agent of the zoo that plays board games, searching as it was set up to, with other simulations, or not at all.

    Args:
        agent: has `game`, `network_alone` and `search`, as `zoo_mcts.game_agent.GameAgent`.
        name: as users call it.
        num_simulations: of its search; None takes those of its config.
        network: let the policy of its network choose, without a search.

    Attributes:
        visits: of which `Choice.weights` are shares; None where they are shares of something else.
    """

    deterministic = True

    def __init__(self, agent: Any, name: str, *, num_simulations: int | None = None, network: bool = False) -> None:
        self.agent = agent
        self.name = name
        self.num_simulations = num_simulations
        self.network = network
        planner = getattr(agent, "planner", None)
        counts = not network and isinstance(planner, MCTS)
        self.visits = num_simulations or planner.config.num_simulations if counts else None  # type: ignore[union-attr]

    @classmethod
    def load(cls, path: str, game: Game, name: str, *, device: str = "auto", **how: Any) -> AgentPlayer:
        """Reads the agent of a run directory or a file.

        Args:
            path: of it; or `hf://owner/name`.
            game: which it must play.
            name: as users call it.
            device: of the agent.
            **how: `num_simulations` or `network`.

        Raises:
            UnknownNameError: there is nothing at the path.
            CheckpointError: the file is damaged or holds no agent.
            ZooError: the agent plays no board games, or another one.
        """
        from zoo_core.agent import load
        from zoo_core.rundir import RunDirectory

        RunDirectory.open(path)  # which names the nearest one if there is none
        agent: Any = load(path, device=device)
        if not isinstance(getattr(agent, "game", None), Game) or not hasattr(agent, "search"):
            raise ZooError(f"{path} holds a {type(agent).__name__}, which plays no board games")
        theirs, ours = (_describe(each) for each in (agent.game, game))
        if theirs != ours:
            raise ZooError(f"{path} has learned {theirs}, and cannot play {ours}")
        return cls(agent, name, **how)

    def choose(self, game: Game, state: Positions, *, rng: np.random.Generator) -> Choice:
        """Takes the move that the search or the network recommends, without noise."""
        if not self.network:
            source = _torch_rng(rng, self.agent.device)
            plan = self.agent.search(state, num_simulations=self.num_simulations, rng=source, deterministic=True)
            return _to_choice(plan)
        evaluation = self.agent.network_alone(state)
        legal = game.legal(state)
        logits = np.where(legal, evaluation.logits.float().cpu().numpy(), -np.inf)
        policy = np.exp(logits - logits.max(1, keepdims=True))
        return Choice(logits.argmax(1), evaluation.value.float().cpu().numpy(), shares(policy))


def _describe(game: Game) -> str:
    return game.id + "".join(f" {name}={value}" for name, value in sorted(game.kwargs.items()))


def _torch_rng(rng: np.random.Generator, device: Any = "cpu") -> torch.Generator:
    return make_rng(int(rng.integers(2**63 - 1)), device=device)


def _to_choice(plan: Any) -> Choice:
    action, value, weights = (each.cpu().numpy() for each in (plan.action, plan.value, plan.weights))
    return Choice(action.astype(np.int64), value, weights)


def _join(choices: list[Choice]) -> Choice:
    def join(parts: Any) -> Array:
        return np.concatenate(list(parts))

    return Choice(*(join(parts) for parts in zip(*choices, strict=True)))
