"""Acting while learning: one search for all environments, and what it said is stored with what followed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from zoo_core import spaces
from zoo_core.errors import ZooError
from zoo_core.planner import Plan
from zoo_mcts.compiled import Array
from zoo_muzero.acting import choose
from zoo_muzero.targets import CUT, GOES_ON, TERMINATED
from zoo_muzero.trajectories import Rows

if TYPE_CHECKING:
    from zoo_muzero.agent import MuZeroAgent


class SelfPlay:
    """Where an agent stands in its environments; a step is one decision in each.

    Args:
        agent: who acts; its replay takes the rows.
        rng: of searches and choices, on the agent's device.
    """

    def __init__(self, agent: MuZeroAgent, rng: torch.Generator) -> None:
        self.agent, self._rng = agent, rng
        self.restart()

    def restart(self) -> None:
        """Resets the environments before the next step."""
        num = self.agent.env.num_envs
        self._obs: Any = None
        self._past: Any = None  # belief and action of the step before
        self._first = np.ones(num, bool)
        self._moves = np.zeros(num, np.int64)  # made in each episode
        self._opening = np.zeros(num, np.int64)  # of which so many are random

    def step(self, temperature: float) -> None:
        """Searches, acts and stores."""
        agent = self.agent
        if self._obs is None:
            self._obs = agent.env.reset()
        self._draw_openings()
        agent.model.keep_starts(self._obs, np.flatnonzero(self._first))
        player = self._player()
        obs = spaces.to_tensor(agent.observation_space, self._obs, agent.device)
        with torch.no_grad():
            past, action = self._past or (None, None)
            is_first = torch.from_numpy(self._first).to(agent.device)
            belief = agent.model.observe(past, action, obs, is_first, rng=self._rng)
            plan = agent.searches.learning.plan(agent.model, belief._replace(frames=None, actions=None), rng=self._rng)
            action = self._choose(plan, belief.legal, temperature)
        self._past = belief, action
        opening = self._moves < self._opening
        after_obs, reward, done, infos = agent.env.step(spaces.to_numpy(agent.action_space, action))
        truncated = np.array([info.get("TimeLimit.truncated", False) for info in infos])
        after = np.where(done, np.where(truncated, CUT, TERMINATED), GOES_ON)
        rows = Rows(
            frame=agent.model.frames_of(obs).cpu().numpy(),
            action=action.cpu().numpy(),
            reward=reward.astype(np.float32),
            policy=plan.weights.cpu().numpy(),  # type: ignore[union-attr]
            value=plan.value.cpu().numpy(),
            player=player,
            after=np.where(opening, CUT, after).astype(np.int8),
            first=self._first,
        )
        if agent.game is not None and ((self._player() == player) & ~done).any():
            raise ZooError(
                f"MuZero learns games in which players take turns: in {agent.game.id} one may move twice, which its "
                "model cannot foresee; AlphaZero can, by the rules"
            )
        agent.replay.add(Rows(*(column[:, None] for column in rows)))
        self._obs, self._first = after_obs, done.copy()
        self._moves = np.where(done, 0, self._moves + 1)

    def _choose(self, plan: Plan, legal: Tensor | None, temperature: float) -> Tensor:
        config = self.agent.config
        heat = np.full(len(self._moves), temperature, np.float32)
        if config.temperature_moves:
            heat[self._moves >= config.temperature_moves] = 0.0
        chosen = choose(plan, torch.from_numpy(heat).to(plan.value.device), rng=self._rng)
        if self.agent.searches.samples:
            chosen = plan.action
        if config.random_opening == 0:
            return chosen
        assert plan.weights is not None
        alike = torch.ones_like(plan.weights) if legal is None else legal.to(plan.weights.dtype)
        random = torch.multinomial(alike, 1, generator=self._rng)[:, 0]
        return torch.where(torch.from_numpy(self._moves < self._opening).to(random.device), random, chosen)

    def _draw_openings(self) -> None:
        """Draws how many random moves each game begins with that begins now."""
        most = self.agent.config.random_opening
        if most and self._first.any():
            drawn = torch.randint(most + 1, self._first.shape, generator=self._rng, device=self._rng.device)
            self._opening = np.where(self._first, drawn.cpu().numpy(), self._opening)

    def _player(self) -> Array:
        game, env = self.agent.game, self.agent.get_env()
        if game is None:
            return np.zeros(env.num_envs, np.int8)
        return game.player(env.state).astype(np.int8)  # type: ignore[attr-defined]
