"""MPPI: a mean sequence that moves to the elites by the softmax of their returns, with a policy's help."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from zoo_core.config import check_range
from zoo_core.planner import Evaluate, Plan
from zoo_core.world_model import State, WorldModel, batch_size, repeat
from zoo_planners.actions import ActionBox, rest_of
from zoo_planners.config import MPPIConfig
from zoo_planners.elites import Elites, select_elites, weigh
from zoo_planners.evaluation import policy_actions
from zoo_planners.returns import follow, imagine
from zoo_planners.sequence_planner import SequencePlanner


class MPPI(SequencePlanner):
    """Model predictive path integral control (Williams et al. 2017, arXiv:1707.02342), as TD-MPC2 has it (Hansen et
    al. 2024, arXiv:2310.16828).

    Candidates are drawn around a mean, which begins at the rest of the plan before. Mean and deviation move to those
    of the elites, weighted by exp(temperature · (return - best return)). `evaluate` adds the value of the state where
    a candidate ends and, where it gives actions, `num_policy` candidates in which its policy acts.

    `Plan.sequence` is the mean, or an elite drawn by its weight (`sample_action`); `Plan.value` the weighted mean of
    the elites' returns.

    Differs from TD-MPC2: the noise that it adds to actions in training is left to whoever acts; NaN ranks last instead
    of counting as 0.
    """

    name = "mppi"
    config_class = MPPIConfig
    config: MPPIConfig

    def __init__(self, config: Any = None, *, evaluate: Evaluate | None = None) -> None:
        super().__init__(config, evaluate=evaluate)
        if evaluate is not None:
            check_range("num_policy", self.config.num_policy, 0, self.config.num_candidates)

    def plan(self, model: WorldModel, state: State, *, rng: torch.Generator, previous: Plan | None = None) -> Plan:
        """Searches from B roots.

        Raises:
            UnsupportedSpaceError: actions are no Box with finite bounds.
            ValueError: the model is a game of several players, `previous` is no plan that this search can go on
                from, or `evaluate` returns values or actions of another shape.
            NonFiniteError: every return from a root is NaN.
        """
        config, box = self.config, ActionBox(model, self.name)
        middle = torch.zeros(batch_size(state), config.horizon, box.size, device=rng.device)
        mean = rest_of(previous, middle, self.name)
        std = torch.full_like(mean, config.max_std)
        with torch.no_grad():
            by_policy = self._follow_policy(model, state, box, rng)
            num_drawn = config.num_candidates - by_policy.shape[1]
            for _ in range(config.iterations):
                noise = torch.randn(len(mean), num_drawn, *mean.shape[1:], generator=rng, device=rng.device)
                drawn = torch.addcmul(mean[:, None], std[:, None], noise).clamp(-1.0, 1.0)
                candidates = torch.cat([by_policy, drawn], dim=1)
                choose = follow(box.to_env(candidates), config.num_particles)
                imagined = self.imagine(model, state, choose, config.num_candidates, rng=rng)
                elites = select_elites(candidates, imagined.returns, config.num_elites, model)
                weights = softmax_weights(elites.returns, config.temperature)
                mean, std = weigh(elites, weights)
                std = std.clamp(config.min_std, config.max_std)
            value = elites.mean_return(weights)
            sequence = box.to_env(_draw(elites, weights, rng) if config.sample_action else mean)
        return Plan(sequence[:, 0], value, sequence=sequence, memory=mean)

    def _follow_policy(self, model: WorldModel, state: State, box: ActionBox, rng: torch.Generator) -> Tensor:
        """Returns `[B, num_policy, H, A]` actions of the policy in the model, in units; none if there is no policy."""
        config, num_roots = self.config, batch_size(state)
        none = torch.zeros(num_roots, 0, config.horizon, box.size, device=rng.device)
        if config.num_policy == 0:
            return none
        first = policy_actions(self.evaluate, repeat(state, config.num_policy), box.shape, rng)
        if first is None:
            return none

        def choose(t: int, rows: State) -> Tensor:
            action = first if t == 0 else policy_actions(self.evaluate, rows, box.shape, rng)
            if action is None:
                raise ValueError("`evaluate` must return actions for all states or for none, got none after a step")
            return box.to_env(box.to_units(action))  # within the bounds

        return box.to_units(imagine(model, state, choose, config.num_policy, config.horizon, rng=rng).actions)


def softmax_weights(returns: Tensor, temperature: float) -> Tensor:
    """Computes exp(temperature · (R - max R)), normalised to sum to 1 over K.

    Args:
        returns: `[B, K]`; −∞ has no weight.
        temperature: τ > 0 multiplies the returns, so that the greater, the more the best one counts: 1 / λ of Williams
            et al.
    """
    return torch.softmax(temperature * returns, dim=1)


def _draw(elites: Elites, weights: Tensor, rng: torch.Generator) -> Tensor:
    """Draws one elite `[B, H, A]` for each root, by its weight."""
    row = torch.multinomial(weights, 1, generator=rng)
    return elites.sequences[torch.arange(len(row), device=row.device), row[:, 0]]
