"""Plans in an ensemble of which everything is known: its members drift apart, each by its own constant."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

import zoo_core
from zoo_planners.returns import follow, imagine

DRIFTS = torch.tensor([0.5, 0.1, 0.1, -0.1, -0.1])
HORIZON = 3
START = 0.6
NUM_PARTICLES = 5_000


def minus_square(obs, action, next_obs):
    return -next_obs[:, 0].square()


def make_drifting(propagation):
    """x' = x + a + d of member d; silu(a) - silu(-a) is a."""
    obs, action = spaces.Box(-np.inf, np.inf, (1,)), spaces.Box(-1.0, 1.0, (1,))
    config = {"hidden": 2, "num_layers": 1, "reward_fn": minus_square, "propagation": propagation}
    model = zoo_core.make_model("ensemble", obs, action, config, device="cpu")
    first, last = model.network.layers
    with torch.no_grad():
        first.weight.copy_(torch.tensor([[0.0, 0.0], [1.0, -1.0]]))
        last.weight.zero_()
        last.weight[:, :, 0] = torch.tensor([1.0, -1.0])
        last.bias[:, 0] = torch.tensor([0.0, 0.0, -30.0, -30.0])
        last.bias[:, 0, 0] = DRIFTS
    return model


@pytest.fixture
def planner():
    config = {"horizon": HORIZON, "num_candidates": 200, "num_elites": 20, "iterations": 10, "num_particles": 20}
    return zoo_core.make_planner("cem", config)


def root(model):
    return model.observe(None, None, torch.tensor([[START]]), None, rng=None)


@pytest.mark.parametrize("propagation", ["ts-infinity", "ts1"])
def test_a_plan_is_best_for_all_members_together(planner, propagation):
    """The mean of (x + A + t d)² over members, A the actions so far, is least where A = -x - t mean(d)."""
    model = make_drifting(propagation)
    found = planner.plan(model, root(model), rng=zoo_core.rng(0))
    mean = float(DRIFTS.mean())
    expected = [-START - mean, *[-mean] * (HORIZON - 1)]
    assert found.sequence[0, :, 0].tolist() == pytest.approx(expected, abs=0.1)
    assert torch.equal(found.action, found.sequence[:, 0])


@pytest.mark.parametrize(("propagation", "variances"), [("ts-infinity", 1 + 4 + 9), ("ts1", 1 + 2 + 3)])
def test_the_value_of_a_plan_knows_how_particles_travel(propagation, variances):
    """The best plan leaves the variance: t² var(d) where a particle keeps its member, t var(d) where it does not."""
    model, mean = make_drifting(propagation), float(DRIFTS.mean())
    best = torch.tensor([-START - mean, -mean, -mean]).view(1, 1, HORIZON, 1)
    with torch.no_grad():
        candidate = follow(best, NUM_PARTICLES)
        imagined = imagine(model, root(model), candidate, 1, HORIZON, rng=zoo_core.rng(0), num_particles=NUM_PARTICLES)
    assert float(imagined.returns) == pytest.approx(-variances * float(DRIFTS.var(unbiased=False)), rel=0.03)
