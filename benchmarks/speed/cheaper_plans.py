"""Ways to make the plan of PETS in less time: fewer particles, lower precision, rows that lie sorted by member."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

import zoo_core
from zoo_core.planner import Plan
from zoo_core.world_model import ModelStep, State, WorldModel
from zoo_ensemble.networks import BatchedNetwork, Seating
from zoo_ensemble.world_model import Ensemble, EnsembleState

PLANNER: dict[str, Any] = {  # of half-cheetah (Chua et al. 2018), with all iterations made
    "horizon": 30,
    "num_candidates": 500,
    "num_elites": 50,
    "iterations": 5,
    "num_particles": 20,
    "min_variance": 0.0,
}


class HalfPrecision(nn.Module):
    """Networks with weights and activations in bfloat16."""

    def __init__(self, network: BatchedNetwork) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).to(torch.bfloat16)

    def forward(self, x: Tensor, members: Tensor | None = None) -> Tensor:
        """Maps float32 to float32."""
        return self.network(x.to(torch.bfloat16), members).float()


class FreshActivations(BatchedNetwork):
    """Networks that write every activation to memory of its own."""

    def __init__(self, network: BatchedNetwork) -> None:
        first = network.layers[0].weight
        super().__init__(len(first), [first.shape[1], *(layer.weight.shape[2] for layer in network.layers)])
        self.load_state_dict(network.state_dict())

    def _forward(self, x: Tensor, layers: list[tuple[Tensor, Tensor]]) -> Tensor:
        *hidden, (last_weight, last_bias) = layers
        for weight, bias in hidden:
            x = silu(torch.baddbmm(bias, x, weight))
        return torch.baddbmm(last_bias, x, last_weight)


class InOrder(Seating):
    """The seating of B rows that lie member by member: a reshape."""

    def __init__(self, num_rows: int, num_members: int) -> None:
        self.length, self.members = num_rows // num_members, None

    def spread(self, x: Tensor) -> Tensor:
        """Seats `[B, F]` in `[E, N, F]`."""
        return x.view(-1, self.length, x.shape[1])

    def gather(self, y: Tensor) -> Tensor:
        """Takes `[B, F]` from `[E, N, F]`."""
        return y.flatten(0, 1)


class SortedByMember(WorldModel):
    """An ensemble seen from its candidates: a row is all particles of one, and these lie member by member.

    A reward is the mean over particles. For planning without terminations, from one root or more.
    """

    def __init__(self, ensemble: Ensemble) -> None:
        super().__init__(ensemble.observation_space, ensemble.action_space)
        self.ensemble = ensemble

    def observe(
        self, state: State | None, action: Tensor | None, obs: Any, is_first: Tensor | None, *, rng: torch.Generator
    ) -> EnsembleState:
        """Believes what was seen."""
        return self.ensemble.observe(state, action, obs, is_first, rng=rng)

    def step(
        self,
        state: State,
        action: Tensor,
        *,
        rng: torch.Generator,
        temperature: float = 1.0,
        uncertainty: bool = False,
    ) -> ModelStep:
        """Steps all particles; at the first step it makes them of the candidates."""
        num_particles = PLANNER["num_particles"]
        if len(state.obs) == len(action):
            state = self._particles(state, num_particles)
        step = self.ensemble.step(state, action.repeat(num_particles, 1), rng=rng)
        reward = step.reward.view(-1, len(action)).mean(0)
        return ModelStep(step.state, reward, torch.ones_like(reward))

    def _particles(self, state: EnsembleState, num: int) -> EnsembleState:
        members = self.ensemble.config.num_members
        rows = num * len(state.obs)
        member = torch.arange(members).repeat_interleave(rows // members)
        self.ensemble._seating = (member, InOrder(rows, members))
        return EnsembleState(state.obs.repeat(num, 1), member, state.terminal.repeat(num))


@dataclass(frozen=True)
class Cheaper:
    """A way to plan.

    Attributes:
        planner: what it changes in the planner's config.
        network: makes the networks to plan with of those that were fitted; None leaves them.
        precision: of matrix products.
        sorted_rows: whether rows lie sorted by member; then `planner` has one particle.
    """

    planner: Mapping[str, Any] = field(default_factory=dict)
    network: Callable[[BatchedNetwork], nn.Module] | None = None
    precision: str = "highest"
    sorted_rows: bool = False

    def planning(self, fitted: Ensemble, obs: Tensor, *, seed: int, **planner: Any) -> Callable[[], Plan]:
        """Returns what plans from observations `[B, D]`.

        Args:
            fitted: the model to plan in.
            obs: of B roots.
            seed: of the plans; the next call makes others.
            **planner: further changes in the planner's config.
        """
        model: WorldModel = fitted
        if self.network is not None:
            model = copy.deepcopy(fitted)
            model.network = self.network(fitted.network)
        if self.sorted_rows:
            model = SortedByMember(fitted)
        search = zoo_core.make_planner("cem", {**PLANNER, **self.planner, **planner})
        rng = zoo_core.rng(seed)
        roots = model.observe(None, None, obs, None, rng=rng)
        return with_precision(self.precision, lambda: search.plan(model, roots, rng=rng))


WHOLE = Cheaper()
CHEAPER = {  # "time_" and "regret_" go before these names
    "with_10_particles": Cheaper({"num_particles": 10}),
    "with_5_particles": Cheaper({"num_particles": 5}),
    "with_1_particle": Cheaper({"num_particles": 1}),
    "in_medium_precision": Cheaper(precision="medium"),
    "in_bfloat16": Cheaper(network=HalfPrecision),
}
SAME_PLAN = {  # of another layout in memory: only the time differs
    "with_rows_sorted_by_member": Cheaper({"num_particles": 1}, sorted_rows=True),
    "with_fresh_activations": Cheaper(network=FreshActivations),
}


def with_precision(precision: str, function: Callable[[], Any]) -> Callable[[], Any]:
    """Returns a function that runs another one with matrix products of that precision."""

    def run() -> Any:
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision(precision)
        try:
            return function()
        finally:
            torch.set_float32_matmul_precision(before)

    return run
