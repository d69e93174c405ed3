"""Noise that lasts: its spectrum, its variance, and what one step says of the next."""

import pytest
import torch

from zoo_core import seeding
from zoo_planners.coloured_noise import coloured_noise

NUM = 20_000
BETAS = (0.0, 1.0, 2.0, 4.0)


def draw(horizon, beta, num=NUM):
    return coloured_noise((num, horizon, 1), beta, rng=seeding.rng(0, "noise"))[:, :, 0]


@pytest.mark.parametrize("horizon", [1, 2, 3, 8, 21])
@pytest.mark.parametrize("beta", BETAS)
def test_every_entry_has_variance_one_at_any_horizon(horizon, beta):
    noise = draw(horizon, beta)
    assert noise.shape == (NUM, horizon)
    assert noise.square().mean(0).sub(1.0).abs().max() < 0.06  # 6 standard errors of √(2 / NUM)
    assert noise.mean(0).abs().max() < 0.05


@pytest.mark.parametrize("beta", BETAS)
def test_power_falls_by_beta_with_frequency(beta):
    power = torch.fft.rfft(draw(64, beta), dim=1).abs().square().mean(0)[1:]
    slope = torch.log(power[-1] / power[0]) / torch.log(torch.tensor(float(len(power))))
    assert slope == pytest.approx(-beta, abs=0.02)


@pytest.mark.parametrize("horizon", [8, 21])
def test_the_covariance_is_that_of_the_spectrum(horizon):
    """Summed by hand: each frequency k adds k^-β cos(2π k lag / H), twice unless it is its own mirror image."""
    noise = draw(horizon, 1.0)
    steps = torch.arange(horizon)
    powers = [1.0 / max(min(k, horizon - k), 1) for k in range(horizon)]
    for lag in range(horizon):
        expected = sum(p * torch.cos(2 * torch.pi * torch.tensor(k * lag / horizon)) for k, p in enumerate(powers))
        seen = (noise[:, steps] * noise[:, (steps + lag) % horizon]).mean()
        assert seen == pytest.approx(float(expected) / sum(powers), abs=0.02)


def test_beta_zero_is_white():
    covariance = draw(12, 0.0).T.cov()
    assert (covariance - torch.eye(12)).abs().max() < 0.05


def test_neighbours_are_the_more_alike_the_greater_beta():
    alike = [float((noise[:, 1:] * noise[:, :-1]).mean()) for noise in (draw(20, beta) for beta in BETAS)]
    assert alike == pytest.approx([0.0, 0.51, 0.82, 0.95], abs=0.02)


def test_candidates_and_actions_are_independent():
    noise = coloured_noise((NUM, 2, 5, 3), 2.0, rng=seeding.rng(0, "noise"))[:, :, 0].flatten(1)
    assert (noise.T.cov() - torch.eye(6)).abs().max() < 0.05
