"""Random shooting: the best of N random sequences of actions."""

from __future__ import annotations

import torch
from gymnasium.spaces import Discrete

from zoo_core.planner import Plan, Planner
from zoo_core.world_model import State, WorldModel, batch_size
from zoo_planners.actions import ActionBox, num_actions
from zoo_planners.config import ShootingConfig
from zoo_planners.returns import Choose, follow, imagine, prefer, rank_nan_last

NAME = "random-shooting"


class RandomShooting(Planner):
    """Draws sequences uniformly and takes the best (Richards 2005; Nagabandi et al. 2018, arXiv:1708.02596).

    It learns nothing from one step to the next: `previous` is not used.
    """

    config_class = ShootingConfig

    def plan(self, model: WorldModel, state: State, *, rng: torch.Generator, previous: Plan | None = None) -> Plan:
        """Searches from B roots.

        Raises:
            UnsupportedSpaceError: actions are neither Discrete nor a Box with finite bounds.
            NonFiniteError: every return from a root is NaN.
        """
        config, num_roots = self.config, batch_size(state)
        with torch.no_grad():
            imagined = imagine(
                model,
                state,
                self._random(model, num_roots, rng),
                config.num_candidates,
                config.horizon,
                rng=rng,
                num_particles=config.num_particles,
                gamma=config.gamma,
                evaluate=self.evaluate,
            )
            value, best = rank_nan_last(imagined.returns, model).max(1)
            sequence = imagined.actions[torch.arange(num_roots, device=best.device), best]
        return Plan(sequence[:, 0], value, sequence=sequence)

    def _random(self, model: WorldModel, num_roots: int, rng: torch.Generator) -> Choose:
        shape = (num_roots, self.config.num_candidates, self.config.horizon)
        if isinstance(model.action_space, Discrete):
            scores = torch.rand(*shape, num_actions(model, NAME), generator=rng, device=rng.device)
            return prefer(scores, model, self.config.num_particles)
        box = ActionBox(model, NAME)
        units = 2.0 * torch.rand(*shape, box.size, generator=rng, device=rng.device) - 1.0
        return follow(box.to_env(units), self.config.num_particles)
