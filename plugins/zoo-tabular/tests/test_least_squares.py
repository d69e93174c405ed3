"""Ridge regression from sums, against NumPy on all rows at once."""

import numpy as np
import pytest
import torch

from zoo_tabular.least_squares import LeastSquares

CPU = torch.device("cpu")
NUM = 200


def regression(inputs, outputs, group=None, *, intercept=True, num_groups=1, portions=1):
    group = np.zeros(len(inputs), int) if group is None else group
    sums = LeastSquares(num_groups, inputs.shape[1], outputs.shape[1], intercept=intercept, device=CPU)
    for rows in np.array_split(np.arange(len(inputs)), portions):
        sums.add(*(torch.from_numpy(np.asarray(each)[rows]) for each in (group, inputs, outputs)))
    return sums


@pytest.fixture
def data():
    source = np.random.default_rng(0)
    columns = source.standard_normal((NUM, 2)) * [1.0, 1e4] + [5.0, -1e5]
    inputs = np.column_stack([np.ones(NUM), columns])
    return inputs, columns @ [[1.0, 0.0], [1e-4, 2e-4]] + source.standard_normal((NUM, 2))


def test_it_is_least_squares_whatever_the_portions_are(data):
    inputs, outputs = data
    expected = np.linalg.lstsq(inputs, outputs, rcond=None)[0]
    for portions in (1, 7):
        weights = regression(inputs, outputs, portions=portions).solve(1e-12)[0]
        np.testing.assert_allclose(weights, expected, rtol=1e-6)


def test_groups_have_weights_of_their_own(data):
    inputs, outputs = data
    group = np.arange(NUM) % 2
    weights = regression(inputs, outputs, group, num_groups=3).solve(1e-12)
    for each in (0, 1):
        expected = np.linalg.lstsq(inputs[group == each], outputs[group == each], rcond=None)[0]
        np.testing.assert_allclose(weights[each], expected, rtol=1e-6)
    assert not weights[2].any()


@pytest.mark.parametrize(("unit", "repeats"), [(1.0, 1), (1e5, 1), (1.0, 50)])
def test_the_ridge_weighs_the_same_in_any_unit_and_for_any_number_of_rows(unit, repeats):
    """One column, weight 3: a ridge of 1 as much as the data, so half of it."""
    x = np.tile([[1.0], [-2.0]], (repeats, 1)) * unit
    weights = regression(x, 3.0 * x, intercept=False).solve(1.0)
    assert float(weights) == pytest.approx(1.5)


def test_a_column_that_varies_by_its_rounding_alone_counts_for_nothing(data):
    inputs, outputs = data
    for size in (1 / 7, 1e7 / 3):
        rounded = size * (1 + 1e-7 * np.random.default_rng(1).standard_normal(NUM))
        weights = regression(np.column_stack([inputs, rounded]), outputs).solve(1e-8)[0]
        assert not weights[3].any()
        np.testing.assert_allclose(weights[:3], regression(inputs, outputs).solve(1e-8)[0], rtol=1e-6)


def test_what_is_left_unexplained_is_the_residual_in_units_of_the_outputs(data):
    inputs, outputs = data
    sums = regression(inputs, np.column_stack([outputs, np.full(NUM, 3.0)]))
    weights = sums.solve(1e-12)
    residual = outputs - inputs @ weights[0, :, :2].numpy()
    expected = np.sqrt(((residual**2).mean(0) / outputs.var(0)).mean())
    assert float(sums.unexplained(weights)) == pytest.approx(expected, rel=1e-6)
