"""Random shooting: the best of N random sequences of actions."""

from __future__ import annotations

import torch
from gymnasium.spaces import Discrete

from zoo_core.planner import Plan
from zoo_core.world_model import State, WorldModel, batch_size
from zoo_planners.actions import ActionBox, num_actions
from zoo_planners.returns import Choose, follow, prefer, rank_nan_last
from zoo_planners.sequence_planner import SequencePlanner


class RandomShooting(SequencePlanner):
    """Draws sequences uniformly and takes the best (Richards 2005; Nagabandi et al. 2018, arXiv:1708.02596).

    It learns nothing from one step to the next: `previous` is not used.
    """

    name = "random-shooting"
    takes_discrete = True

    def plan(self, model: WorldModel, state: State, *, rng: torch.Generator, previous: Plan | None = None) -> Plan:
        """Searches from B roots.

        Raises:
            UnsupportedSpaceError: actions are neither Discrete nor a Box with finite bounds.
            ValueError: the model is a game of several players.
            NonFiniteError: every return from a root is NaN.
        """
        num_roots = batch_size(state)
        with torch.no_grad():
            choose = self._random(model, num_roots, rng)
            imagined = self.imagine(model, state, choose, self.config.num_candidates, rng=rng)
            value, best = rank_nan_last(imagined.returns, model).max(1)
            sequence = imagined.actions[torch.arange(num_roots, device=best.device), best]
        return Plan(sequence[:, 0], value, sequence=sequence)

    def _random(self, model: WorldModel, num_roots: int, rng: torch.Generator) -> Choose:
        shape = (num_roots, self.config.num_candidates, self.config.horizon)
        if isinstance(model.action_space, Discrete):
            scores = torch.rand(*shape, num_actions(model, self.name), generator=rng, device=rng.device)
            return prefer(scores, model, self.config.num_particles)
        box = ActionBox(model, self.name)
        units = 2.0 * torch.rand(*shape, box.size, generator=rng, device=rng.device) - 1.0
        return follow(box.to_env(units), self.config.num_particles)
