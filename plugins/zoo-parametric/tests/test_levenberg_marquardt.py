"""Minima that can be computed otherwise."""

import itertools

import torch

from zoo_parametric.levenberg_marquardt import Normal, minimize


def normal_of(errors):
    """Returns the normal equations of a function `[P] -> [N]`, by reverse mode."""

    def one(point):
        wrong, slope = errors(point), torch.func.jacrev(errors)(point)
        return 0.5 * wrong @ wrong, slope.T @ wrong, slope.T @ slope

    return lambda points: Normal(*(torch.stack(part) for part in zip(*map(one, points), strict=True)))


def test_a_linear_problem_has_the_solution_of_linear_least_squares():
    generator = torch.Generator().manual_seed(0)
    A, b = torch.randn(20, 3, generator=generator).double(), torch.randn(20, generator=generator).double()
    found = minimize(normal_of(lambda point: A @ point - b), torch.zeros(1, 3).double(), max_iterations=30)
    torch.testing.assert_close(found.point[0], torch.linalg.lstsq(A, b[:, None]).solution[:, 0])


def test_rosenbrocks_valley_is_followed_to_its_end_from_every_start():
    def errors(point):
        return torch.stack([10.0 * (point[1] - point[0] ** 2), 1.0 - point[0]])

    starts = torch.tensor([[-1.2, 1.0], [5.0, -3.0], [0.0, 0.0]]).double()
    found = minimize(normal_of(errors), starts, max_iterations=200)
    torch.testing.assert_close(found.point, torch.ones(3, 2).double())
    assert found.iterations < 100


def test_a_start_without_a_cost_stays_where_it_is():
    def errors(point):
        return torch.stack([point[0].sqrt() - 3.0, point[1] - 1.0])  # NaN left of 0

    starts = torch.tensor([[0.5, 0.0], [-1.0, 0.0]]).double()
    found = minimize(normal_of(errors), starts, max_iterations=50)
    torch.testing.assert_close(found.point[0], torch.tensor([9.0, 1.0]).double())
    assert torch.equal(found.point[1], starts[1])
    assert found.iterations < 50  # it does not hold up the others, either


def test_a_step_that_would_raise_the_cost_is_not_taken():
    """From 0.6 a plain Gauss-Newton step of tanh(5 x), held to 1, leads to -0.4, and from there back."""
    costs = []
    found = minimize(
        normal_of(lambda point: torch.tanh(5.0 * point)),
        torch.tensor([[0.6]]).double(),
        max_iterations=50,
        callback=lambda _, cost: costs.append(float(cost)),
    )
    torch.testing.assert_close(found.point, torch.zeros(1, 1).double(), atol=1e-9, rtol=0.0)
    assert all(later <= earlier for earlier, later in itertools.pairwise(costs))


def test_points_are_searched_independently():
    def errors(point):
        return torch.stack([point[0] ** 3 - 2.0, point[1].exp() - 5.0])

    starts = torch.tensor([[1.0, 1.0], [3.0, -2.0]]).double()
    together = minimize(normal_of(errors), starts, max_iterations=5).point
    alone = [minimize(normal_of(errors), start[None], max_iterations=5).point[0] for start in starts]
    torch.testing.assert_close(together, torch.stack(alone))
