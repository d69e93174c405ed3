"""The plan of PETS in less: fewer particles, half precision, and what activations in place save.

How good a plan is, is judged in CartPoleSwingUp-v0 with a model that was fitted to it: what its actions return there
over many particles, in full precision. "again" is the whole plan by other random numbers, and says what chance does.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

import zoo_core
from zoo_core.world_model import State
from zoo_ensemble.networks import BatchedNetwork
from zoo_ensemble.world_model import Ensemble
from zoo_planners.returns import follow, imagine

PLANNER = {  # of half-cheetah (Chua et al. 2018), with all iterations made
    "horizon": 30,
    "num_candidates": 500,
    "num_elites": 50,
    "iterations": 5,
    "num_particles": 20,
    "min_variance": 0.0,
}
ENV = "zoo_envs/CartPoleSwingUp-v0"
REAL_STEPS = 3_000  # random, for the fit
NUM_ROOTS = 32  # angles of a pole at rest, evenly spread
NUM_JUDGES = 200  # particles that judge a plan
MODEL = {
    "num_layers": 2,
    "hidden": 64,
    "max_epochs": 30,
    "reward_fn": "zoo_envs.known_functions:cart_pole_swing_up_reward",
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


@dataclass(frozen=True)
class Cheaper:
    """A way to plan.

    Attributes:
        planner: what it changes in the planner's config.
        network: makes the networks to plan with of those that were fitted; None leaves them.
        precision: of matrix products.
    """

    planner: Mapping[str, Any] = field(default_factory=dict)
    network: Callable[[BatchedNetwork], nn.Module] | None = None
    precision: str = "highest"

    def model(self, fitted: Ensemble) -> Ensemble:
        """Returns the model to plan with."""
        if self.network is None:
            return fitted
        model = copy.deepcopy(fitted)
        model.network = self.network(fitted.network)  # type: ignore[assignment]
        return model


CHEAPER = {
    "particles_10": Cheaper({"num_particles": 10}),
    "particles_5": Cheaper({"num_particles": 5}),
    "particles_1": Cheaper({"num_particles": 1}),
    "medium": Cheaper(precision="medium"),
    "bfloat16": Cheaper(network=HalfPrecision),
    "bfloat16_particles_5": Cheaper({"num_particles": 5}, network=HalfPrecision),
}
FRESH_ACTIVATIONS = Cheaper(network=FreshActivations)  # the same plan, slower


def plan_qualities(ways: Mapping[str, Cheaper], *, reference: Cheaper) -> dict[str, float]:
    """Returns the mean return of each one's plans, as a fraction of the reference's."""
    model, roots = _fitted()
    best = _mean_return(model, roots, reference, seed=0)
    return {name: _mean_return(model, roots, way, seed=1) / best for name, way in ways.items()}


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


def _fitted() -> tuple[Ensemble, State]:
    replay = zoo_core.Replay.collect(ENV, REAL_STEPS, seed=0)
    model = zoo_core.make_model("ensemble", replay.observation_space, replay.action_space, MODEL, seed=0, device="cpu")
    assert isinstance(model, Ensemble)
    model.fit(replay, rng=zoo_core.rng(0))
    angle, rest = torch.arange(NUM_ROOTS) * (2.0 * math.pi / NUM_ROOTS), torch.zeros(NUM_ROOTS)
    obs = torch.stack([rest, rest, angle.cos(), angle.sin(), rest], dim=1)
    return model, model.observe(None, None, obs, None, rng=zoo_core.rng(0))


def _mean_return(model: Ensemble, roots: State, way: Cheaper, *, seed: int) -> float:
    planner, planned_in = zoo_core.make_planner("cem", {**PLANNER, **way.planner}), way.model(model)
    rng = zoo_core.rng(seed)
    plan = with_precision(way.precision, lambda: planner.plan(planned_in, roots, rng=rng))()
    with torch.no_grad():
        candidate = follow(plan.sequence[:, None], NUM_JUDGES)
        judged = imagine(model, roots, candidate, 1, PLANNER["horizon"], rng=zoo_core.rng(2), num_particles=NUM_JUDGES)
    return float(judged.returns.mean())
