"""The cross-entropy method, iteration by iteration, in worlds that keep what was tried in them."""

import numpy as np
import optree
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from zoo_core import seeding
from zoo_core.world_model import ModelStep, WorldModel
from zoo_planners.cem import CEM, Normal, truncated_normal
from zoo_planners.config import CEMConfig

NUM_CANDIDATES, HORIZON = 2_000, 3
DRAWN_VARIANCE = 0.7737  # of a standard normal cut off at ±2: 1 - 4 φ(2) / (2 Φ(2) - 1)


class Target(WorldModel):
    """Pays for actions close to each root's target, -|a - target|; it keeps the actions of every step.

    A state is `[B, 2]`: the target, NaN where all actions are as good, and the deviation of what is random in the pay.
    """

    def __init__(self, action_space):
        super().__init__(Box(-1.0, 1.0, (2,)), action_space)
        self.tried, self.paid = [], []

    def observe(self, state, action, obs, is_first, *, rng):
        return obs

    def step(self, state, action, *, rng, temperature=1.0, uncertainty=False):
        reward = -(action.reshape(len(action)) - state[:, 0]).abs().nan_to_num(0.0)
        reward = reward + state[:, 1] * torch.randn(len(reward), generator=rng)
        self.tried.append(action)
        self.paid.append(reward)
        return ModelStep(state, reward, torch.ones(len(state)))


@pytest.fixture
def model():
    return Target(Box(2.0, 6.0, (1,)))  # a unit is 2, and 0 is at 4


@pytest.fixture
def choices():
    return Target(Discrete(3))


def plan(model, *roots, seed=0, previous=None, **config):
    """Searches from roots that are targets, or pairs of target and deviation."""
    state = torch.tensor([root if isinstance(root, tuple) else (root, 0.0) for root in roots])
    planner = CEM({"horizon": HORIZON, "num_candidates": NUM_CANDIDATES, "min_variance": 0.0, **config})
    return planner.plan(model, state, rng=seeding.rng(seed, "plan"), previous=previous)


def candidates(model, iteration, num_roots=1):
    """Returns what was tried: `[B, N, H]`, and what it came to: `[B, N]`."""
    steps = slice(iteration * HORIZON, (iteration + 1) * HORIZON)
    tried = torch.stack([action.reshape(num_roots, -1) for action in model.tried[steps]], dim=-1)
    return tried, sum(model.paid[steps]).reshape(num_roots, -1)


def leaves(found):
    return [leaf.numpy() for leaf in optree.tree_leaves(found)]


# -- Box: what is drawn ------------------------------------------------------------------------------------------------


def test_the_normal_is_cut_off_at_two_deviations():
    noise = truncated_normal((200_000,), seeding.rng(0))
    assert noise.abs().amax() <= 2.0
    assert noise.abs().amax() > 1.99
    assert noise.mean().item() == pytest.approx(0.0, abs=0.01)
    assert noise.var().item() == pytest.approx(DRAWN_VARIANCE, abs=0.01)


def test_a_search_begins_in_the_middle_and_reaches_from_bound_to_bound(model):
    plan(model, 3.0, iterations=1)
    tried, _ = candidates(model, 0)
    units = (tried - 4.0) / 2.0
    assert units.mean().item() == pytest.approx(0.0, abs=0.03)
    assert units.var().item() == pytest.approx(0.25 * DRAWN_VARIANCE, abs=0.01)
    assert 0.98 < units.abs().amax() <= 1.0


def test_the_variance_that_a_search_begins_with_is_a_sixteenth_of_the_squared_width(model):
    mean, variance = Normal(model, CEMConfig(horizon=HORIZON)).begin(2, None).unbind(2)
    assert torch.equal(mean, torch.zeros(2, HORIZON, 1))
    assert torch.equal(variance, torch.full((2, HORIZON, 1), (1.0 - -1.0) ** 2 / 16.0))


@pytest.mark.parametrize(("target", "edge"), [(6.0, 2.0), (2.0, -2.0)])
def test_near_a_bound_the_variance_leaves_room_for_two_deviations(model, target, edge):
    """No action is cut off at the bound, where they would heap up: all but the best one lie within it."""
    plan(model, target, iterations=3, num_elites=10, alpha=0.0)
    tried, _ = candidates(model, 1)
    mean = tried.mean((0, 1)) - 4.0
    assert (mean / edge > 0.5).all()
    assert ((tried - 4.0).abs() < 2.0).all()
    reach = (tried - 4.0 - mean).abs().amax((0, 1))
    assert (reach <= 1.02 * (mean - edge).abs() + 0.01).all()


# -- Box: how the distribution moves -----------------------------------------------------------------------------------


def test_the_mean_is_that_of_the_elites_and_so_is_the_value(model):
    found = plan(model, 3.0, 5.5, iterations=1, num_elites=7, alpha=0.0)
    tried, paid = candidates(model, 0, num_roots=2)
    value, best = paid.topk(7, dim=1)
    torch.testing.assert_close(found.value, value.mean(1))
    elites = torch.stack([tried[root, rows] for root, rows in enumerate(best)])
    torch.testing.assert_close(found.sequence[..., 0], elites.mean(1))
    assert torch.equal(found.action, found.sequence[:, 0])
    torch.testing.assert_close(4.0 + 2.0 * found.memory, found.sequence)


def test_the_next_candidates_vary_as_the_elites_did(model):
    plan(model, 3.5, iterations=2, num_elites=40, alpha=0.0)
    tried, paid = candidates(model, 0)
    variance = tried[0, paid[0].topk(40).indices].var(0, correction=0)
    torch.testing.assert_close(candidates(model, 1)[0][0].var(0), DRAWN_VARIANCE * variance, rtol=0.08, atol=0.0)


def test_alpha_is_the_weight_of_the_old_distribution(model):
    straight, slow = (plan(model, 3.0, iterations=2, alpha=alpha).memory for alpha in (0.0, 0.9))
    assert (straight[..., 0] < -0.4).all()  # towards the target at -0.5
    assert (slow[..., 0] > -0.2).all()  # a tenth of the way, then a tenth of the rest
    one = [plan(model, 3.0, iterations=1, alpha=alpha).memory for alpha in (0.0, 0.25)]
    torch.testing.assert_close(one[1], 0.75 * one[0])  # the old mean was 0


def test_the_next_search_begins_where_this_one_will_be_one_step_on(model):
    before = plan(model, 2.5, 5.0)._replace(memory=torch.tensor([0.2, -0.4, 0.6]).expand(2, 3)[..., None])
    model.tried.clear()
    plan(model, 2.5, 5.0, iterations=1, previous=before)
    units = (candidates(model, 0, num_roots=2)[0] - 4.0) / 2.0
    torch.testing.assert_close(units.mean(1), torch.tensor([[-0.4, 0.6, 0.0]] * 2), atol=0.03, rtol=0.0)
    std = torch.tensor([[0.3, 0.2, 0.5]] * 2)  # anew: 0.5, where that leaves room for two deviations
    torch.testing.assert_close(units.std(1), std * DRAWN_VARIANCE**0.5, rtol=0.05, atol=0.0)


# -- when it has narrowed down -----------------------------------------------------------------------------------------

SETTLES, UNDECIDED = 3.0, float("nan")


class FirstStep(Target):
    """Pays for the first action alone."""

    def step(self, state, action, **kwargs):
        step = super().step(state, action, **kwargs)
        return step._replace(state=torch.stack([torch.full_like(state[:, 0], UNDECIDED), state[:, 1]], dim=1))


def test_a_search_ends_when_all_roots_have_narrowed_down(model):
    plan(model, SETTLES, 5.0, iterations=10, min_variance=0.01)
    iterations = len(model.tried) / HORIZON
    assert 2 <= iterations < 5
    model.tried.clear()
    plan(model, SETTLES, UNDECIDED, iterations=10, min_variance=0.01)
    assert len(model.tried) == 10 * HORIZON


def test_a_search_goes_on_while_one_of_its_steps_has_not_narrowed_down():
    model = FirstStep(Box(2.0, 6.0, (1,)))
    plan(model, SETTLES, iterations=7, min_variance=0.01)
    assert len(model.tried) == 7 * HORIZON
    variance = candidates(model, 6)[0][0].var(0) / 4.0
    assert variance[0] < 0.01 < variance[1:].amin()


def test_a_root_that_has_narrowed_down_waits_as_it_is(model):
    """Beside one that goes on to the last iteration it comes to the same plan as beside one that stops early."""
    early = plan(model, SETTLES, 5.0, iterations=10, min_variance=0.01)
    late = plan(model, SETTLES, UNDECIDED, iterations=10, min_variance=0.01)
    on = plan(model, SETTLES, UNDECIDED, iterations=10, min_variance=0.0)
    for one, two, three in zip(*map(leaves, (early, late, on)), strict=True):
        np.testing.assert_array_equal(one[0], two[0])
        assert not np.array_equal(one[0], three[0])


def test_so_does_one_of_discrete_actions(choices):
    """What it is paid is mostly random, so that other sequences seem best in later iterations."""
    config = {"iterations": 10, "num_elites": 200, "num_candidates": 1_000, "min_variance": 0.17}
    early = plan(choices, (2.0, 2.5), (0.0, 2.5), **config)
    assert len(choices.tried) < 9 * HORIZON
    late = plan(choices, (2.0, 2.5), (UNDECIDED, 2.5), **config)
    on = plan(choices, (2.0, 2.5), (UNDECIDED, 2.5), **{**config, "min_variance": 0.0})
    for one, two in zip(*map(leaves, (early, late)), strict=True):
        np.testing.assert_array_equal(one[0], two[0])
    assert not np.array_equal(early.memory[0], on.memory[0])


# -- Discrete ----------------------------------------------------------------------------------------------------------


def test_the_plan_is_the_best_sequence_that_was_drawn_last(choices):
    found = plan(choices, (1.0, 1.0), (0.0, 1.0), iterations=4, num_candidates=50)
    tried, paid = candidates(choices, 3, num_roots=2)
    assert torch.equal(found.sequence, tried[[0, 1], paid.argmax(1)])
    torch.testing.assert_close(found.value, paid.topk(20, dim=1).values.mean(1))


def test_probabilities_move_to_the_shares_of_the_elites(choices):
    found = plan(choices, 1.0, iterations=1, num_elites=30, alpha=0.25)
    tried, paid = candidates(choices, 0)
    elites = tried[0, paid[0].topk(30).indices]
    shares = torch.stack([(elites == action).float().mean(0) for action in range(3)], dim=-1)
    torch.testing.assert_close(found.memory[0], 0.75 * shares + 0.25 / 3.0)


def test_the_next_search_begins_half_way_to_indifference(choices):
    sure = torch.eye(3)[None]  # at step t, action t
    before = plan(choices, 1.0)._replace(memory=sure)
    choices.tried.clear()
    plan(choices, 1.0, iterations=1, previous=before)
    tried, _ = candidates(choices, 0)
    shares = torch.stack([(tried[0] == action).float().mean(0) for action in range(3)], dim=-1)
    expected = torch.tensor([[1.0, 4.0, 1.0], [1.0, 1.0, 4.0], [2.0, 2.0, 2.0]]) / 6.0
    torch.testing.assert_close(shares, expected, atol=0.04, rtol=0.0)


def test_a_plan_that_went_through_files_goes_on_as_the_live_one(choices):
    live = plan(choices, (1.0, 0.5), (0.0, 0.5), num_candidates=20)
    restored = optree.tree_map(lambda leaf: torch.from_numpy(leaf.numpy().copy()), live)
    plans = [
        plan(choices, (1.0, 0.5), (0.0, 0.5), seed=1, num_candidates=20, previous=p) for p in (live, restored, None)
    ]
    for one, two in zip(leaves(plans[0]), leaves(plans[1]), strict=True):
        np.testing.assert_array_equal(one, two)
    assert not np.array_equal(plans[0].memory, plans[2].memory)
