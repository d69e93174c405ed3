"""Tables that lead nearly everywhere from everywhere are swept by matrix products, to the same values."""

import numpy as np
import pytest

from zoo_tabular import dynamic_programming
from zoo_tabular.dynamic_programming import (
    as_matrix,
    is_dense,
    policy_iteration,
    prepare,
    sweep_matrix_until,
    sweep_until,
    value_iteration,
)
from zoo_tabular.table import Table

NUM = 9  # states


@pytest.fixture
def everywhere():
    """A world of three actions, each of which leads to every state, and ends the episode in some."""
    rng = np.random.default_rng(0)
    return Table(
        next_state=np.broadcast_to(np.arange(NUM), (NUM, 3, NUM)),
        probability=rng.dirichlet(np.ones(NUM), (NUM, 3)),
        reward=rng.normal(size=(NUM, 3, NUM)),
        terminated=rng.random((NUM, 3, NUM)) < 0.1,
        initial=np.full(NUM, 1 / NUM),
    )


@pytest.mark.parametrize("gamma", [0.0, 0.9, 1.0])
def test_both_ways_to_sweep_come_to_the_same_values(everywhere, gamma):
    backups = prepare(everywhere, gamma)
    in_place, at_once = np.zeros(NUM), np.zeros(NUM)
    sweep_until(*backups, in_place, 1e-12, 100_000)
    sweeps, change = sweep_matrix_until(*as_matrix(backups), at_once, 1e-12, 100_000)
    np.testing.assert_allclose(at_once, in_place, atol=1e-9)
    assert sweeps < 100_000
    assert change <= 1e-12


@pytest.mark.parametrize("gamma", [0.0, 0.9, 1.0])
def test_value_iteration_takes_the_matrix_and_agrees_with_policy_iteration(everywhere, gamma, monkeypatch):
    monkeypatch.setattr(dynamic_programming, "sweep_until", None)
    np.testing.assert_allclose(value_iteration(everywhere, gamma).value, policy_iteration(everywhere, gamma).value)


def test_a_table_of_few_outcomes_or_too_large_for_a_matrix_is_none(everywhere, monkeypatch):
    assert is_dense(prepare(everywhere, 0.9))
    assert not is_dense(prepare(Table.from_env("FrozenLake-v1"), 0.9))
    monkeypatch.setattr(dynamic_programming, "MAX_NUMBERS", NUM * NUM * 3 - 1)
    assert not is_dense(prepare(everywhere, 0.9))
