"""The noise of the roots has the distribution that it should have."""

import math

import numpy as np
import pytest

from zoo_mcts import noise
from zoo_mcts.policy_tree import ROOT

NUM = 40_000


@pytest.mark.parametrize("alpha", [0.03, 0.3, 1.0, 10.0])
def test_dirichlet_noise_has_its_mean_and_its_variance(hand_made, alpha):
    tree = hand_made([0.0, 0.0, 1.0, -np.inf, 0.0], [0] * 5, [0] * 5, rows=NUM)
    noise.mix_dirichlet_all(tree, alpha, 1.0)
    drawn = tree.prior[:, ROOT, [0, 1, 2, 4]]
    assert np.allclose(drawn.sum(1), 1.0, atol=1e-5)
    assert drawn.mean(0) == pytest.approx([0.25] * 4, abs=0.01)
    assert drawn.var(0) == pytest.approx([0.25 * 0.75 / (4 * alpha + 1)] * 4, rel=0.05)


def test_noise_is_mixed_in_by_its_fraction_where_nothing_is_ruled_out(hand_made):
    tree = hand_made([0.5, 0.5, -np.inf], [0] * 3, [0] * 3, rows=NUM)
    noise.mix_dirichlet_all(tree, 0.3, 0.25)
    prior = tree.prior[:, ROOT]
    assert prior[:, :2].min() >= 0.375
    assert prior[:, :2].max() <= 0.625
    assert (prior[:, 2] == -np.inf).all()


def test_gumbel_noise_has_its_mean_and_its_variance():
    streams = np.zeros(1, np.uint64)
    drawn = [noise.gumbel(streams, 0) for _ in range(NUM)]
    assert np.mean(drawn) == pytest.approx(0.5772, abs=0.03)
    assert np.var(drawn) == pytest.approx(math.pi**2 / 6, rel=0.05)
