"""Shooting with Discrete actions: the best of all sequences is known, since all can be tried."""

import itertools

import pytest
import torch

import zoo_core
from zoo_core.world_model import index, repeat
from zoo_planners.cem import CEM, Categorical
from zoo_planners.config import CEMConfig
from zoo_planners.random_shooting import RandomShooting

HORIZON = 7
ROOTS = [0, 8]  # the beginnings of the lanes
PLANNERS = {
    "cem": CEM({"horizon": HORIZON, "num_candidates": 300, "iterations": 10}),
    "random-shooting": RandomShooting({"horizon": HORIZON, "num_candidates": 20_000}),
}


def returns_of(model, state, sequences):
    """Returns the undiscounted returns `[B]` of sequences `[B, H]`."""
    total, going = torch.zeros(len(sequences)), torch.ones(len(sequences))
    for t in range(sequences.shape[1]):
        step = model.step(state, sequences[:, t], rng=zoo_core.rng(0))
        total, going, state = total + going * step.reward, going * step.continues, step.state
    return total


def all_returns(model, state):
    """Returns the returns `[B, A^H]` of all sequences from each root."""
    sequences = torch.tensor(list(itertools.product(range(3), repeat=HORIZON)))
    rows = []
    for i in range(len(state.index)):
        root = repeat(index(state, [i]), len(sequences))
        rows.append(returns_of(model, root, sequences))
    return torch.stack(rows)


@pytest.mark.parametrize("name", PLANNERS)
def test_the_best_sequence_is_found(lanes, states, name):
    returns = all_returns(lanes, states(ROOTS))
    plan = PLANNERS[name].plan(lanes, states(ROOTS), rng=zoo_core.rng(0))
    torch.testing.assert_close(returns_of(lanes, states(ROOTS), plan.sequence), returns.amax(1))
    assert torch.equal(plan.action, plan.sequence[:, 0])
    assert plan.action[0] == 0  # which costs 1 now
    assert (returns.quantile(0.99, dim=1) < returns.amax(1) - 0.3).all()  # the best of a hundred random ones


@pytest.mark.parametrize("name", PLANNERS)
def test_only_legal_actions_are_tried_and_taken(deterministic, states, name):
    deterministic.legal = torch.tensor([[1, 0, 1], [0, 1, 0], [1, 1, 1], [1, 1, 0], [0, 0, 1], [0, 1, 1]]).bool()
    plan = PLANNERS[name].plan(deterministic, states(range(6)), rng=zoo_core.rng(0))  # the world refuses illegal ones
    assert deterministic.legal.gather(1, plan.action[:, None]).all()


def test_cem_takes_legal_actions_even_where_it_gave_them_no_chance(deterministic, states):
    """The plan before was sure of action 0, which is not legal here."""
    deterministic.legal = torch.tensor([[0, 1, 1]] * 6).bool()
    sure = torch.eye(3)[:1].expand(6, 4, 3)
    drawn = Categorical(deterministic, CEMConfig(horizon=4, num_candidates=10, num_elites=2))
    taken = drawn.draw(sure, zoo_core.rng(0))(0, repeat(states(range(6)), 10))
    assert (taken > 0).all()


def test_cem_draws_actions_by_their_probabilities(lanes, states):
    drawn = Categorical(lanes, CEMConfig(horizon=2, num_candidates=20_000))
    probabilities = torch.tensor([[[0.1, 0.2, 0.7], [0.0, 0.5, 0.5]], [[0.6, 0.3, 0.1], [1.0, 0.0, 0.0]]])
    choose = drawn.draw(probabilities, zoo_core.rng(0))
    for t in range(2):
        taken = choose(t, repeat(states(ROOTS), 20_000)).reshape(2, -1)
        shares = torch.stack([(taken == action).float().mean(1) for action in range(3)], dim=1)
        torch.testing.assert_close(shares, probabilities[:, t], atol=0.015, rtol=0.0)  # deviations of 0.0035


def test_cem_narrows_down_to_better_sequences_than_it_began_with(lanes, states):
    one, many = (
        CEM({"horizon": HORIZON, "num_candidates": 100, "iterations": num}).plan(
            lanes, states(ROOTS), rng=zoo_core.rng(0)
        )
        for num in (1, 8)
    )
    assert (many.value > one.value + 0.5).all()
