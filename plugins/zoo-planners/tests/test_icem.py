"""What iCEM adds to the cross-entropy method: fewer candidates as it goes on, and elites that stay."""

import pytest
import torch

from zoo_planners.config import ICEMConfig
from zoo_planners.icem import ICEM

SMALL = {"horizon": 10, "num_candidates": 24, "num_elites": 6, "elites_kept": 0.5, "beta": 0.0}


@pytest.fixture
def spy(linear_model_class):
    """The linear model, with the returns `[B, N]` of every iteration."""

    class Spy(linear_model_class):
        def __init__(self):
            super().__init__()
            self.rewards, self.actions = [], []

        def step(self, state, action, **kwargs):
            step = super().step(state, action, **kwargs)
            self.rewards.append(step.reward)
            self.actions.append(action)
            return step

        def returns(self, num_roots, horizon=SMALL["horizon"]):
            starts = range(0, len(self.rewards), horizon)
            return [torch.stack(self.rewards[t : t + horizon]).sum(0).view(num_roots, -1) for t in starts]

    return Spy()


def test_candidates_decay_to_no_fewer_than_twice_the_elites():
    assert ICEMConfig(num_candidates=100, num_elites=10, iterations=4).candidate_counts == (100, 80, 64, 51)
    assert ICEMConfig(num_candidates=30, num_elites=10, iterations=4).candidate_counts == (30, 24, 20, 20)
    assert ICEMConfig(num_candidates=12, num_elites=10, iterations=2).candidate_counts == (12, 12)


def test_kept_elites_and_at_last_the_mean_join_the_candidates(spy, positions, rng):
    state = positions([1.0, 0.0], [0.0, 1.0])
    planner = ICEM({**SMALL, "iterations": 3})
    plan = planner.plan(spy, state, rng=rng)
    assert [returns.shape[1] for returns in spy.returns(2)] == [24, 19 + 3, 15 + 3 + 1]
    spy.rewards.clear()
    planner.plan(spy, state, rng=rng, previous=plan)
    assert [returns.shape[1] for returns in spy.returns(2)] == [24 + 3, 19 + 3, 15 + 3 + 1]


def falls(spy, planner, state, rng):
    """Returns how often the best return of an iteration is less than that of the one before."""
    spy.rewards.clear()
    planner.plan(spy, state, rng=rng)
    best = torch.stack([returns.amax(1) for returns in spy.returns(len(state.x))])
    return int((best.diff(dim=0) < 0).sum())


def test_the_best_return_never_falls_while_elites_are_kept(spy, positions, rng):
    state = positions([1.0, 0.0], [0.0, 1.0], [-1.0, -1.0])
    assert falls(spy, ICEM({**SMALL, "iterations": 12}), state, rng) == 0
    assert falls(spy, ICEM({**SMALL, "iterations": 12, "elites_kept": 0.0}), state, rng) > 0  # the control


def test_kept_elites_reach_as_far_in_fewer_iterations(linear_model, rng):
    state = linear_model.initial_state(64, rng=rng)
    value = {
        kept: ICEM({**SMALL, "iterations": 6, "elites_kept": kept}).plan(linear_model, state, rng=rng).value.mean()
        for kept in (0.0, 0.5)
    }
    longer = ICEM({**SMALL, "iterations": 7, "elites_kept": 0.0}).plan(linear_model, state, rng=rng).value.mean()
    assert value[0.5] > longer > value[0.0]


def test_the_elites_of_the_step_before_come_back_one_step_on(spy, positions, rng):
    planner = ICEM({**SMALL, "iterations": 1})
    plan = planner.plan(spy, positions([1.0, 0.0]), rng=rng)
    spy.actions.clear()
    planner.plan(spy, positions([1.0, 0.1]), rng=rng, previous=plan)
    tried = torch.stack(spy.actions, dim=1)  # [N, H, A]
    again = (tried[:, None, :-1] - 6.0 * plan.memory.elites[0, None, :, 1:]).abs().amax((2, 3)) < 1e-5
    assert again.sum(0).tolist() == [1, 1, 1]
    last = tried[again.any(1), -1]
    assert len(last.unique()) == 3  # each with a last action of its own
    assert plan.memory.elites[0, 0, 0] * 6.0 == plan.action[0]


def search_once(spy, state, rng, previous=None, **settings):
    """Returns the plan of one iteration, and its candidates but for the mean, `[N, H]` in units of [-1, 1]."""
    spy.actions.clear()
    config = {**SMALL, "iterations": 1, "num_candidates": 2000, "elites_kept": 0.0, **settings}
    plan = ICEM(config).plan(spy, state, rng=rng, previous=previous)
    return plan, torch.cat(spy.actions, dim=1)[:-1] / 6.0


def test_candidates_lie_around_the_rest_of_the_mean_before(spy, positions, rng):
    plan, _ = search_once(spy, positions([1.0, 0.0]), rng)
    _, candidates = search_once(spy, positions([1.0, 0.0]), rng, previous=plan, init_std=1e-4)
    mean = plan.memory.mean[0, :, 0]
    rest = torch.cat([mean[1:], mean[-1:]])
    assert (candidates - rest).abs().max() < 1e-3 < mean.diff().abs().min()


def test_candidates_are_as_coloured_as_is_asked(spy, positions, rng):
    for beta, alike in ((0.0, 0.0), (2.0, 0.7)):
        _, candidates = search_once(spy, positions([1.0, 0.0]), rng, beta=beta, init_std=0.1)
        correlation = (candidates[:, 1:] * candidates[:, :-1]).mean() / candidates.square().mean()
        assert correlation == pytest.approx(alike, abs=0.1)


def test_what_is_remembered_lies_within_the_bounds(spy, positions, rng):
    plan, _ = search_once(spy, positions([20.0, 20.0]), rng, init_std=3.0, elites_kept=1.0)
    assert plan.memory.elites.abs().max() == 1.0
    assert plan.memory.mean.abs().max() <= 1.0


def test_alpha_is_the_weight_of_the_old_deviation_in_the_new_one(spy, positions, rng):
    """The same first candidates; the deviation of the second ones is that of the elites, or half-way to the first."""
    stds = []
    for alpha in (0.0, 0.5):
        spy.actions.clear()
        config = {**SMALL, "iterations": 2, "num_candidates": 4000, "elites_kept": 0.0, "init_std": 0.2}
        ICEM({**config, "alpha": alpha}).plan(spy, positions([0.2, 0.0]), rng=rng.manual_seed(0))
        stds.append(torch.cat(spy.actions[SMALL["horizon"] :], dim=1).std(0) / 6.0)
    assert stds[0].amax() < 0.19  # of 6 elites
    torch.testing.assert_close(stds[1], (stds[0] + 0.2) / 2.0, rtol=0.06, atol=0.0)


def test_last_actions_that_are_new_lie_within_the_bounds_too(spy, positions, rng):
    config = {"num_candidates": 8, "num_elites": 8, "elites_kept": 1.0, "init_std": 3.0, "iterations": 1}
    state = positions(*[[20.0, 20.0]] * 20)
    plan, _ = search_once(spy, state, rng, **config)
    plan, _ = search_once(spy, state, rng, previous=plan, **config)
    assert plan.memory.elites.abs().max() == 1.0


def test_candidates_without_a_return_are_no_elites(linear_model_class, positions, rng):
    class Forbids(linear_model_class):
        def step(self, state, action, **kwargs):
            step = super().step(state, action, **kwargs)
            return step._replace(reward=torch.where(action[:, 0] > -1.5, torch.nan, step.reward))

    planner = ICEM({**SMALL, "horizon": 1, "num_elites": 24, "elites_kept": 0.0, "iterations": 1, "alpha": 0.0})
    plan = planner.plan(Forbids(), positions([1.0, 1.0], [1.0, -1.0]), rng=rng)
    assert (6.0 * plan.memory.mean <= -1.5).all()  # one in three is


def test_the_best_candidate_is_the_plan(spy, positions, rng, true_returns):
    state = positions([1.0, 0.0], [0.0, -1.0])
    plan = ICEM(SMALL).plan(spy, state, rng=rng)
    assert torch.equal(plan.value, spy.returns(2)[-1].amax(1))
    assert torch.equal(plan.action, plan.sequence[:, 0])
    assert torch.allclose(plan.value, true_returns(spy, state, plan.sequence), rtol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"candidate_decay": 0.9}, r"candidate_decay must be in \[1.0, inf\), got 0.9"),
        ({"elites_kept": 1.5}, r"elites_kept must be in \[0.0, 1.0\], got 1.5"),
        ({"alpha": 1.0}, r"alpha must be in \[0.0, 1.0\), got 1.0"),
        ({"init_std": 0.0}, r"init_std must be in \(0.0, inf\), got 0.0"),
        ({"beta": -1.0}, r"beta must be in \[0.0, inf\), got -1.0"),
        ({"iterations": 0}, r"iterations must be in \[1, inf\), got 0"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        ICEM(settings)
