"""The transform of rewards and values, and their bins."""

import math

import pytest
import torch

from zoo_muzero.support import expectation, inverse, transform, two_hot, two_hot_loss


def test_the_transform_has_the_values_of_the_paper():
    x = torch.tensor([0.0, 1.0, -1.0, 100.0, 58_705.6], dtype=torch.float64)
    expected = torch.tensor([0.0, 0.415214, -0.415214, 9.149876, 300.0], dtype=torch.float64)
    torch.testing.assert_close(transform(x), expected, atol=1e-4, rtol=1e-6)


def test_the_inverse_takes_the_transform_back():
    x = torch.cat([torch.logspace(-6, 5, 100), torch.zeros(1), -torch.logspace(-6, 5, 100)])
    torch.testing.assert_close(inverse(transform(x)), x, rtol=1e-4, atol=1e-6)


def test_a_hundred_lies_between_two_bins():
    hot = two_hot(torch.tensor(100.0, dtype=torch.float64), 300)
    assert hot.nonzero()[:, 0].tolist() == [309, 310]
    torch.testing.assert_close(hot[309:311].tolist(), [0.850124, 0.149876], atol=1e-6, rtol=0.0)


@pytest.mark.parametrize(("x", "bin_index"), [(1e9, 20), (-1e9, 0), (0.0, 10)])
def test_numbers_beyond_the_bins_are_the_outer_ones(x, bin_index):
    hot = two_hot(torch.tensor(x), 10)
    assert hot[bin_index] == 1.0
    assert hot.sum() == 1.0


def test_the_expectation_of_a_two_hot_distribution_is_its_number():
    x = torch.tensor([-250.0, -0.3, 0.0, 0.7, 99.0, 400.0])
    torch.testing.assert_close(expectation(two_hot(x, 30).log(), 30), x, rtol=1e-4, atol=1e-5)


def test_the_loss_is_the_cross_entropy_with_the_two_hot_target():
    logits, x = torch.randn(5, 21, generator=torch.Generator().manual_seed(0)), torch.linspace(-30, 200, 5)
    expected = -(two_hot(x, 10) * logits.log_softmax(-1)).sum(-1)
    torch.testing.assert_close(two_hot_loss(logits, x, 10), expected)


def test_the_loss_is_least_where_the_distribution_is_the_target():
    x = torch.tensor([3.0])
    target = two_hot(x, 5)
    entropy = -sum(p * math.log(p) for p in target[0].tolist() if p)
    assert two_hot_loss(target.log().clamp_min(-40.0), x, 5).item() == pytest.approx(entropy, abs=1e-5)
