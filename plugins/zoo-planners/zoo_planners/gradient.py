"""Planning by gradient: sequences of actions climb their return through a differentiable model."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo_core.errors import ZooError
from zoo_core.planner import Plan
from zoo_core.world_model import State, WorldModel, batch_size
from zoo_planners.actions import ActionBox, rest_of
from zoo_planners.config import GradientConfig
from zoo_planners.elites import select_elites
from zoo_planners.returns import follow
from zoo_planners.sequence_planner import SequencePlanner


class Gradient(SequencePlanner):
    """Projected gradient ascent on sequences of actions (Henaff et al. 2017, arXiv:1705.07177, for continuous actions).

    N sequences a root begin at the rest of the plan before, all but one with noise, and climb by Adam (Kingma & Ba
    2015, arXiv:1412.6980), clipped to the bounds. The best of all that were imagined on the way is the plan, so a step
    too far costs nothing; `Plan.value` is its return. What is NaN in a gradient counts as 0.

    Differs from the paper: several sequences a root and Adam, against local optima and steps of unequal size.
    """

    name = "gradient"
    config_class = GradientConfig
    config: GradientConfig

    def plan(self, model: WorldModel, state: State, *, rng: torch.Generator, previous: Plan | None = None) -> Plan:
        """Searches from B roots; touches no gradient of the model's parameters.

        Raises:
            UnsupportedSpaceError: actions are no Box with finite bounds.
            ZooError: the model has no gradients.
            ValueError: the model is a game of several players, or `previous` is no plan that this search can go on
                from.
            NonFiniteError: every return from a root is NaN.
        """
        config, box = self.config, ActionBox(model, self.name)
        sequences = self._begin(previous, batch_size(state), box, rng)
        optimizer = torch.optim.Adam([sequences], lr=config.learning_rate, maximize=True)
        best = sequences[:, 0].clone()
        value = torch.full((len(best),), -torch.inf, device=rng.device)
        for iteration in range(config.iterations + 1):
            climbs = iteration < config.iterations
            actions = box.to_env(sequences).requires_grad_(climbs)
            with torch.set_grad_enabled(climbs):
                choose = follow(actions, config.num_particles)
                returns = self.imagine(model, state, choose, config.num_candidates, rng=rng).returns
            found = torch.cat([best[:, None], sequences], dim=1)
            elites = select_elites(found, torch.cat([value[:, None], returns.detach()], dim=1), 1, model)
            best, value = elites.sequences[:, 0], elites.returns[:, 0]
            if climbs:
                # By actions in the environment's units: to Adam a gradient is the same in any unit.
                sequences.grad = _gradient(returns, actions, model).reshape(sequences.shape)
                optimizer.step()
                sequences.clamp_(-1.0, 1.0)
        sequence = box.to_env(best)
        return Plan(sequence[:, 0], value, sequence=sequence, memory=best)

    def _begin(self, previous: Plan | None, num_roots: int, box: ActionBox, rng: torch.Generator) -> Tensor:
        """Returns the first sequences `[B, N, H, A]`, in units of [-1, 1]."""
        config = self.config
        middle = torch.zeros(num_roots, config.horizon, box.size, device=rng.device)
        start = rest_of(previous, middle, self.name)
        shape = (num_roots, config.num_candidates, *start.shape[1:])
        noise = config.init_std * torch.randn(shape, generator=rng, device=rng.device)
        noise[:, 0] = 0.0
        return torch.clamp(start[:, None] + noise, -1.0, 1.0)


def _gradient(returns: Tensor, actions: Tensor, model: WorldModel) -> Tensor:
    """Returns the gradient `[B, N, H, ...]` of each return by its own actions, 0 where it is not finite.

    Raises:
        ZooError: no return follows from the actions in a way that has a gradient.
    """
    gradient: Tensor | None = None
    if returns.requires_grad:
        (gradient,) = torch.autograd.grad(returns, actions, torch.ones_like(returns), allow_unused=True)
    if gradient is None:
        raise ZooError(
            "gradient needs a model whose rewards or states have a gradient by the action, and "
            f"{type(model).__name__} has none; plan in it by cem, icem or mppi, or leave out the no_grad() and "
            "detach() in its step"
        )
    return torch.nan_to_num(gradient, nan=0.0, posinf=0.0, neginf=0.0)
