"""How particles go through the members of an ensemble: TS∞ keeps one each, TS1 draws one each step."""

import math

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch.utils._python_dispatch import TorchDispatchMode

import zoo_core
from zoo_core.testing import check_world_model

DRIFT = 1.0
NUM_PARTICLES = 1_000
STEPS = 16


def make_toy(propagation, **config):
    """Returns an ensemble whose first member moves by +1 a step, all others by -1, almost without noise."""
    config = {"num_members": 2, "num_elites": 2, "hidden": 4, "num_layers": 1, **config}
    box = spaces.Box(-np.inf, np.inf, (1,))
    model = zoo_core.make_model("ensemble", box, box, {**config, "propagation": propagation}, device="cpu")
    with torch.no_grad():
        for parameter in model.network.parameters():
            parameter.zero_()
        last = model.network.layers[-1].bias  # change and reward, then their log-variances
        last[:, 0] = torch.tensor([DRIFT, 0.0, -30.0, -30.0])  # bounded to -10: a deviation of 0.007
        last[1:, 0, 0] = -DRIFT
    return model


@torch.no_grad()
def positions(model, num=NUM_PARTICLES, *, steps=STEPS, particles=True, temperature=1.0):
    """Returns where `num` particles of one root are after each step, `[T, num]`."""
    rng = zoo_core.rng(0)
    state = model.observe(None, None, torch.zeros(1 if particles else num, 1), None, rng=rng)
    state = model.particles(state, num, rng=rng) if particles else state
    path = []
    for _ in range(steps):
        state = model.step(state, torch.zeros(num, 1), rng=rng, temperature=temperature).state
        path.append(state.obs[:, 0])
    return torch.stack(path)


def growth(path):
    """Returns k of a variance that grows as t^k."""
    variance = path.var(1)
    return math.log(variance[-1] / variance[0]) / math.log(len(path))


@pytest.mark.parametrize("particles", [True, False])
def test_fixed_members_keep_the_two_modes_apart(particles):
    path = positions(make_toy("ts-infinity"), particles=particles)
    assert growth(path) == pytest.approx(2.0, abs=0.02)
    assert path[-1].abs().min() > 0.9 * STEPS * DRIFT
    assert (path[-1] > 0).sum() == NUM_PARTICLES / 2


def test_members_drawn_anew_let_the_modes_melt():
    """A random walk: 1,000 particles know its variance to 4.5 %, its exponent to 0.016."""
    path = positions(make_toy("ts1"))
    assert growth(path) == pytest.approx(1.0, abs=0.06)
    # P(|position| <= 4) of 16 fair steps is 0.79, with a deviation of 0.013 over so many particles
    assert (path[-1].abs() < 5 * DRIFT).float().mean() == pytest.approx(0.79, abs=0.05)


@pytest.mark.parametrize("particles", [True, False])
def test_every_step_shares_the_particles_out_evenly(particles):
    path = positions(make_toy("ts1"), particles=particles)
    moves = torch.cat([path[:1], path.diff(dim=0)])
    assert (moves > 0).sum(1).tolist() == [NUM_PARTICLES // 2] * STEPS


def test_members_drawn_anew_are_elites():
    model = make_toy("ts1", num_members=3)
    model.elites = torch.tensor([2, 1])  # who both move by -1
    assert (positions(model, 50).diff(dim=0) < 0).all()


def test_the_expectation_of_members_drawn_anew_is_their_mean():
    assert positions(make_toy("ts1"), 10, temperature=0).abs().max() < 1e-6
    assert positions(make_toy("ts-infinity"), 10, temperature=0).abs().min() > 0.9 * DRIFT


@torch.no_grad()
def test_members_drawn_anew_leave_no_trace():
    model, rng, action = make_toy("ts1"), zoo_core.rng(0), torch.zeros(10, 1)
    drawn = model.step(model.observe(None, None, action, None, rng=rng), action, rng=rng).state
    expected = model.step(drawn, action, rng=rng, temperature=0).state
    torch.testing.assert_close(expected.obs, drawn.obs)


def test_members_drawn_anew_depend_on_the_number_of_rows_alone():
    model, rng = make_toy("ts1"), zoo_core.rng(0)
    obs = torch.zeros(64, 1)
    begun = model.observe(None, None, obs, None, rng=rng)
    kept = begun._replace(member=torch.ones(64, dtype=torch.int64))
    with torch.no_grad():
        first, second = (model.step(state, obs, rng=zoo_core.rng(1)).state for state in (begun, kept))
    assert torch.equal(first.obs, second.obs)


class ValuesRead(TorchDispatchMode):
    """Counts how often Python looks at a value, or a shape depends on one: a GPU would have to finish first."""

    num = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        aten = torch.ops.aten
        self.num += func in (aten._local_scalar_dense.default, aten.nonzero.default)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("propagation", ["ts-infinity", "ts1"])
def test_a_dream_goes_on_without_a_look_at_its_values(replay_of, model_for, propagation):
    """With learned terminations; the first step, which counts the rows of each member, may look."""
    num, rng = 640, zoo_core.rng(0)  # enough rows for each member that those without one might be left out
    obs = np.linspace(-1.0, 1.0, num)[:, None]
    replay = replay_of(obs, obs, obs[:, 0], obs, terminated=obs[:, 0] > 0)
    model = model_for(replay, propagation=propagation)
    model.fit(replay, rng=rng, max_updates=1)
    action = torch.zeros(num, 1)
    with torch.no_grad():
        state = model.step(model.initial_state(num, rng=rng), action, rng=rng).state
        with ValuesRead() as read:
            for _ in range(3):
                state = model.step(state, action, rng=rng).state
    assert read.num == 0


def test_the_contract_of_world_models_is_kept_with_members_drawn_anew(cartpole_replay, model_for):
    check_world_model(model_for(cartpole_replay, num_elites=3, propagation="ts1"), cartpole_replay)


def test_a_propagation_that_does_not_exist_is_named():
    with pytest.raises(ValueError, match="propagation has no choice 'ts-inf': did you mean 'ts-infinity'"):
        make_toy("ts-inf")
