"""Golden numbers of the losses."""

import torch
from torch.distributions import Normal

from zoo_ensemble.losses import bound_log_var, bounded_var, gaussian_nll


def test_the_bounds_of_the_log_variance_are_soft():
    log_var = torch.tensor([-20.0, -5.0, 0.0, 5.0])
    bounded = bound_log_var(log_var, torch.tensor(-10.0), torch.tensor(0.5))
    expected = torch.tensor([-9.999955, -4.997336, -0.474004, 0.488980])  # computed in float64
    torch.testing.assert_close(bounded, expected, atol=1e-6, rtol=0)


def test_the_bounded_variance_is_that_of_the_bounded_logarithm():
    log_var = torch.linspace(-200, 200, 401, requires_grad=True)
    low, high = torch.tensor(-10.0), torch.tensor(0.5)
    expected = torch.exp(bound_log_var(log_var.detach().double(), low, high)).float()
    var = bounded_var(log_var, low, high)
    torch.testing.assert_close(var, expected, atol=0, rtol=1e-5)
    var.sqrt().sum().backward()
    assert log_var.grad.isfinite().all()


def test_the_likelihood_term_has_its_golden_number():
    term = gaussian_nll(torch.tensor(0.5), torch.tensor(-1.0), torch.tensor(1.0))
    torch.testing.assert_close(term, torch.tensor(-0.320430), atol=1e-6, rtol=0)  # 0.25 e - 1


def test_the_loss_is_the_likelihood_of_a_gaussian():
    mean, log_var, target = (torch.linspace(low, high, 7) for low, high in ((-1, 2), (-3, 1), (1, -1)))
    log_prob = Normal(mean, torch.exp(0.5 * log_var)).log_prob(target)
    constant = torch.log(torch.tensor(2 * torch.pi))
    torch.testing.assert_close(gaussian_nll(mean, log_var, target), -2 * log_prob - constant)


def test_the_bounds_are_learned():
    low, high = torch.tensor(-10.0, requires_grad=True), torch.tensor(0.5, requires_grad=True)
    gaussian_nll(torch.tensor(0.0), bound_log_var(torch.tensor(3.0), low, high), torch.tensor(3.0)).backward()
    assert high.grad < -1  # an error of 3 deviations asks for a larger variance than the bound lets through
    assert low.grad.abs() < 1e-3
