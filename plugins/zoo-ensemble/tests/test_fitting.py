"""The procedure of fitting: who learns from what, who judges, when it stops, who carries the dreams."""

import math

import numpy as np
import pytest
import torch
from torch import nn

import zoo_core
from zoo_ensemble.fitting import Dataset, bootstrap_indices, fit_members, split


def rng(seed=0):
    return zoo_core.rng(seed)


def test_each_member_sees_about_63_percent_of_the_rows_and_not_the_same():
    rows = bootstrap_indices(10_000, 5, rng=rng())
    assert rows.shape == (5, 10_000)
    seen = [set(member.tolist()) for member in rows]
    # A share of 1 - 1/e with a deviation of 0.3 %; two members have (1 - 1/e)² = 40 % in common.
    assert [len(s) / 10_000 for s in seen] == pytest.approx([1 - math.exp(-1)] * 5, abs=0.015)
    assert len(seen[0] & seen[1]) / 10_000 == pytest.approx(0.3996, abs=0.015)


@pytest.mark.parametrize(("num", "num_holdout"), [(2, 1), (9, 1), (100, 10), (1_000, 50)])
def test_training_and_hold_out_share_no_row(num, num_holdout):
    train, holdout = split(num, 0.1, 50, rng=rng())
    assert len(holdout) == num_holdout
    assert sorted(torch.cat([train, holdout]).tolist()) == list(range(num))


def test_a_fit_needs_two_transitions():
    with pytest.raises(ValueError, match="a fit needs at least 2 transitions, got 1"):
        split(1, 0.1, 50, rng=rng())


class Slider(nn.Module):
    """E numbers that training pulls to 1; member e's hold-out loss is least at `best[e]`. Nobody learns `hopeless`."""

    def __init__(self, best, hopeless=()):
        super().__init__()
        self.hopeless = hopeless
        self.position = nn.Parameter(torch.zeros(len(best), 1, 1))
        self.best = torch.tensor(best)

    def loss(self, data):
        return (self.position[:, 0, 0] - 1).square()

    def holdout_losses(self, data):
        own = (self.position[:, :1, 0] - self.best[:, None]).square() + 0.01
        return torch.cat([own, *(torch.full_like(own, loss) for loss in self.hopeless)], dim=1)


def slide(best, *, hopeless=(), patience=3, max_epochs=500, max_updates=None, callback=None):
    """Slides by 0.01 an update, 0.02 an epoch: Adam's first steps have the length of the learning rate."""
    slider = Slider(best, hopeless)
    data = Dataset(*(torch.zeros(8, 1) for _ in Dataset._fields))
    result = fit_members(
        list(slider.parameters()),
        slider.loss,
        slider.holdout_losses,
        lambda: torch.zeros(()),
        data,
        data.rows(torch.arange(2)),
        members=torch.arange(8).expand(len(best), -1),
        learning_rate=0.01,
        weight_decay=0.0,
        batch_size=4,
        max_epochs=max_epochs,
        patience=patience,
        max_updates=max_updates,
        rng=rng(),
        callback=callback,
    )
    return slider.position.detach()[:, 0, 0], result


def test_each_member_is_left_where_its_own_hold_out_loss_was_least():
    position, result = slide([0.3, 0.6, 0.0])
    # A gain below 1 % does not count, which costs an epoch at most.
    assert position.tolist() == pytest.approx([0.3, 0.6, 0.0], abs=0.04)
    assert result.holdout_loss.tolist() == pytest.approx([0.01] * 3, abs=0.0016)


def test_what_cannot_be_learned_does_not_end_the_fit():
    position, _ = slide([0.6], hopeless=(1_000.0,))
    assert position.tolist() == pytest.approx([0.6], abs=0.04)


def test_what_is_perfect_is_no_gain():
    _, result = slide([0.3], hopeless=(0.0,), max_epochs=100)
    assert result.epochs < 30
    assert torch.isfinite(result.holdout_loss).all()


def test_a_fit_stops_when_no_member_has_gained_for_a_while():
    _, short = slide([0.3], patience=3)
    _, long = slide([0.3], patience=8)
    assert long.epochs == short.epochs + 5 < 30


def test_a_fit_stops_at_its_limits():
    assert slide([1.0], max_epochs=4)[1][1:] == (8, 4)
    assert slide([1.0], max_updates=5)[1][1:] == (5, 3)


def test_progress_is_reported_every_epoch():
    reports = []
    slide([1.0], max_epochs=3, callback=lambda updates, metrics: reports.append((updates, metrics["epochs"])))
    assert reports == [(2, 1.0), (4, 2.0), (6, 3.0)]


def test_a_model_makes_no_more_updates_than_it_may(model_for, linear_replay):
    seen = []
    model = model_for(linear_replay)
    metrics = model.fit(linear_replay, rng=rng(), max_updates=3, callback=lambda updates, _: seen.append(updates))
    assert metrics["updates"] == 3.0
    assert seen == [3]


def test_the_elites_are_the_best_on_the_hold_out_set(replay_of, model_for):
    """With few and noisy data, so that the members which fit their training rows best are others."""
    source = np.random.default_rng(0)
    obs, action = source.standard_normal((60, 2)), source.uniform(-1, 1, (60, 1))
    replay = replay_of(obs, action, obs[:, 0], obs + source.standard_normal((60, 2)))
    model = model_for(replay, num_members=8, num_elites=4, max_epochs=30, holdout=0.3)
    model.fit(replay, rng=rng(1))
    train, holdout = split(60, 0.3, 5_000, rng=rng(1))  # the first thing that a fit draws
    losses = [member_losses(model, replay, rows) for rows in (train, holdout)]
    assert model.elites.tolist() == losses[1].argsort()[:4].tolist()
    assert set(model.elites.tolist()) != set(losses[0].argsort()[:4].tolist())


def member_losses(model, replay, rows):
    """The geometric mean `[E]` of each member's squared errors on these rows, standardised."""
    steps = replay.tensors()
    obs, next_obs = steps.obs[rows], steps.next_obs[rows]
    target = model.target_scale(torch.cat([next_obs - obs, steps.reward[rows, None]], 1))
    inputs = torch.cat([model.input_scale(obs), steps.action[rows]], 1)
    with torch.no_grad():
        mean = model.network(inputs.expand(model.config.num_members, *inputs.shape))[..., :3]
    return (mean - target).square().mean(-2).log().mean(-1)


def test_fitting_the_same_data_again_makes_nothing_worse(model_for, linear_replay, linear_system):
    model = model_for(linear_replay, max_epochs=15)

    def error():
        obs = torch.randn(500, 2, generator=rng(5))
        state = model.observe(None, None, obs, None, rng=rng())
        with torch.no_grad():
            step = model.step(state, torch.zeros(500, 1), rng=rng(), temperature=0)
        return float((step.state.obs - obs @ linear_system["A"].T).square().mean().sqrt())

    model.fit(linear_replay, rng=rng(0))
    once = error()
    again = [model.fit(linear_replay, rng=rng(seed)) and error() for seed in (1, 2)]
    assert max(again) <= 1.5 * once  # by chance up to 1.3 over eight seeds


@pytest.mark.parametrize("name", ["ensemble", "mlp"])
def test_one_seed_gives_one_set_of_weights(model_for, linear_replay, name):
    def fitted(seed, fit_seed):
        torch.manual_seed(fit_seed * 7)  # the global stream is not listened to
        model = model_for(linear_replay, name, seed=seed, max_epochs=2)
        model.fit(linear_replay, rng=rng(fit_seed))
        return torch.cat([parameter.detach().reshape(-1) for parameter in model.parameters()])

    first = fitted(0, 0)
    assert torch.equal(first, fitted(0, 0))
    assert not torch.equal(first, fitted(1, 0))
    assert not torch.equal(first, fitted(0, 1))


def test_construction_and_fit_leave_the_global_stream_alone(model_for, linear_replay):
    before = torch.get_rng_state()
    model_for(linear_replay, max_epochs=1).fit(linear_replay, rng=rng())
    assert torch.equal(torch.get_rng_state(), before)


def test_members_begin_with_weights_of_their_own(model_for, linear_replay):
    first = model_for(linear_replay).network.layers[0].weight
    assert all(not torch.equal(first[0], first[e]) for e in range(1, 5))


@pytest.mark.parametrize("bootstrap", [True, False])
def test_members_learn_from_samples_of_their_own(model_for, linear_replay, bootstrap):
    """From the same weights, with all rows in one batch, so that only the choice of rows can make a difference."""
    model = model_for(linear_replay, batch_size=10_000, bootstrap=bootstrap)
    with torch.no_grad():
        for parameter in model.network.parameters():
            parameter.copy_(parameter[:1].expand_as(parameter))
    model.fit(linear_replay, rng=rng(), max_updates=5)
    weights = model.network.layers[0].weight
    assert [torch.allclose(weights[0], weights[e], atol=1e-4) for e in range(1, 5)] == [not bootstrap] * 4
