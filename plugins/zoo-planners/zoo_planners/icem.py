"""iCEM: the cross-entropy method for few samples, with noise that lasts and elites that are kept."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from zoo_core.planner import Plan
from zoo_core.world_model import State, WorldModel, batch_size
from zoo_planners.actions import ActionBox, check_memory, shift
from zoo_planners.coloured_noise import coloured_noise
from zoo_planners.config import ICEMConfig
from zoo_planners.elites import select_elites, weigh
from zoo_planners.returns import follow
from zoo_planners.sequence_planner import SequencePlanner


class ICEMMemory(NamedTuple):
    """What the search of the next step begins from, in units of [-1, 1].

    Attributes:
        mean: `[B, H, A]` of the last distribution.
        elites: `[B, num_kept, H, A]`, the best first.
    """

    mean: Tensor
    elites: Tensor


class ICEM(SequencePlanner):
    """Improved cross-entropy method (Pinneri et al. 2020, arXiv:2008.06389, Algorithm 1).

    Candidates are mean and deviation with coloured noise, clipped to the bounds; there are fewer of them in each
    iteration. A share of the elites stays among the candidates of the next iteration and, one step on, of the next
    time step; the mean joins those of the last iteration. The best sequence is the plan, and `Plan.value` its return.

    Differs from the paper: with fewer candidates than 2K, K the number of elites, they do not become more; kept elites
    are imagined anew, so that in a stochastic model luck does not last.
    """

    name = "icem"
    config_class = ICEMConfig
    config: ICEMConfig

    def plan(self, model: WorldModel, state: State, *, rng: torch.Generator, previous: Plan | None = None) -> Plan:
        """Searches from B roots.

        Raises:
            UnsupportedSpaceError: actions are no Box with finite bounds.
            ValueError: the model is a game of several players, or `previous` is no plan that this search can go on
                from.
            NonFiniteError: every return from a root is NaN.
        """
        config, box = self.config, ActionBox(model, self.name)
        mean, kept = self._begin(previous, (batch_size(state), config.horizon, box.size), rng)
        std = torch.full_like(mean, config.init_std)
        counts = config.candidate_counts
        with torch.no_grad():
            for iteration, num_drawn in enumerate(counts):
                noise = coloured_noise((len(mean), num_drawn, *mean.shape[1:]), config.beta, rng=rng)
                drawn = torch.addcmul(mean[:, None], std[:, None], noise).clamp(-1.0, 1.0)
                extra = [mean[:, None]] if iteration == len(counts) - 1 else []
                candidates = torch.cat([drawn, kept, *extra], dim=1)
                choose = follow(box.to_env(candidates), config.num_particles)
                imagined = self.imagine(model, state, choose, candidates.shape[1], rng=rng)
                elites = select_elites(candidates, imagined.returns, config.num_elites, model)
                kept = elites.sequences[:, : config.num_kept]
                elite_mean, elite_std = weigh(elites, elites.equal_weights())
                mean, std = elite_mean.lerp(mean, config.alpha), elite_std.lerp(std, config.alpha)
        sequence = box.to_env(elites.sequences[:, 0])
        return Plan(sequence[:, 0], elites.returns[:, 0], sequence=sequence, memory=ICEMMemory(mean, kept))

    def _begin(self, previous: Plan | None, shape: tuple[int, int, int], rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Returns the first mean `[B, H, A]` and the elites `[B, num_kept, H, A]` of the step before, one step on."""
        if previous is None:
            return torch.zeros(shape, device=rng.device), torch.zeros(shape[0], 0, *shape[1:], device=rng.device)
        memory = previous.memory
        check_memory(memory, ICEMMemory, shape, self.name)
        mean = shift(memory.mean, memory.mean[:, -1:])
        noise = torch.randn(*memory.elites.shape[:2], 1, shape[2], generator=rng, device=rng.device)
        last = (mean[:, None, -1:] + self.config.init_std * noise).clamp(-1.0, 1.0)
        return mean, torch.cat([memory.elites[:, :, 1:], last], dim=2)
