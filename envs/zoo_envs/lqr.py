"""Closed-form optimum of discrete-time linear systems with quadratic costs (LQR).

Minimises the discounted cost sum over t of γ^t (x'Qx + u'Ru) for x' = A x + B u + noise; the optimal control
is u = -K x and the cost still to come is x'P x plus a constant for the noise, which changes no control.
See Bertsekas, Dynamic Programming and Optimal Control, vol. I, section 3.1.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["FiniteHorizonLQR", "LinearSystem", "make_linear_system", "solve_finite_horizon_lqr", "solve_lqr"]

Float64Array = NDArray[np.float64]

_MAX_ITERATIONS = 100_000
_TOLERANCE = 1e-12  # of the change of P in one iteration, relative to P
_DIVERGED = 1e15  # size of P beyond which the cost is taken for infinite
_ROUNDING = 1e-9  # asymmetry and negative eigenvalues of Q and R that are taken for rounding, relative to their size


class LinearSystem(NamedTuple):
    """x' = A x + B u at a cost of x'Qx + u'Ru a step."""

    A: Float64Array  # [n, n]
    B: Float64Array  # [n, m]
    Q: Float64Array  # [n, n]
    R: Float64Array  # [m, m]


class FiniteHorizonLQR(NamedTuple):
    """Optimum of T steps: u_t = -K[t] x_t, and x'P[t]x is the cost from step t on."""

    K: Float64Array  # [T, m, n]
    P: Float64Array  # [T + 1, n, n]; the last is zero


def make_linear_system(A: Any, B: Any, Q: Any, R: Any) -> LinearSystem:
    """Checks and completes matrices: a vector B is one column, a number R is a 1x1 matrix.

    Raises:
        ValueError: A matrix has a shape that does not fit, is not finite, or (Q, R) is not a cost.
    """
    a, q = np.array(A, dtype=np.float64), np.array(Q, dtype=np.float64)
    b, r = np.array(B, dtype=np.float64), np.atleast_2d(np.array(R, dtype=np.float64))
    if a.ndim != 2 or a.shape[0] != a.shape[1] or a.size == 0:
        raise ValueError(f"A must be a square matrix, got shape {a.shape}")
    n = len(a)
    b = b[:, None] if b.ndim == 1 else b
    if b.ndim != 2 or b.shape[0] != n or b.size == 0:
        raise ValueError(f"B must have {n} rows like A, got shape {np.shape(B)}")
    for name, matrix, size in (("Q", q, n), ("R", r, b.shape[1])):
        if matrix.shape != (size, size):
            raise ValueError(f"{name} must have shape {(size, size)} to fit A and B, got {matrix.shape}")
    for name, matrix in (("A", a), ("B", b), ("Q", q), ("R", r)):
        if not np.isfinite(matrix).all():
            raise ValueError(f"{name} must be finite, got {matrix.tolist()}")
    _require_cost("Q", q, "at least 0", strict=False)
    _require_cost("R", r, "greater than 0", strict=True)
    return LinearSystem(a, b, q, r)


def solve_lqr(A: Any, B: Any, Q: Any, R: Any, discount: float = 1.0) -> tuple[Float64Array, Float64Array]:
    """Solves the infinite-horizon problem by iterating the discounted Riccati equation to its fixed point.

    Args:
        A: `[n, n]` dynamics.
        B: `[n, m]` or `[n]` effect of the control.
        Q: `[n, n]` state cost, symmetric and positive semidefinite.
        R: `[m, m]` or number, control cost, symmetric and positive definite.
        discount: γ in (0, 1].

    Returns:
        K `[m, n]` and P `[n, n]`.

    Raises:
        ValueError: An argument is out of its range, or no control has a finite cost.
    """
    system, P = make_linear_system(A, B, Q, R), np.zeros_like(np.array(Q, dtype=np.float64))
    require_discount(discount)
    for _ in range(_MAX_ITERATIONS):
        K, next_P = _riccati_step(system, P, discount)
        if not np.abs(next_P).max() < _DIVERGED:
            break
        if np.abs(next_P - P).max() <= _TOLERANCE * np.abs(next_P).max():
            return K, next_P
        P = next_P
    raise ValueError(f"no finite cost: the pair (A, B) cannot be stabilised at discount {discount}; lower the discount")


def solve_finite_horizon_lqr(A: Any, B: Any, Q: Any, R: Any, horizon: int, discount: float = 1.0) -> FiniteHorizonLQR:
    """Solves the problem of `horizon` steps, after which nothing costs, by backward recursion.

    Args:
        A: `[n, n]` dynamics.
        B: `[n, m]` or `[n]` effect of the control.
        Q: `[n, n]` state cost.
        R: `[m, m]` or number, control cost.
        horizon: Number of steps T, at least 0.
        discount: γ in (0, 1].

    Returns:
        The gains and costs at each step.

    Raises:
        ValueError: An argument is out of its range.
    """
    system = make_linear_system(A, B, Q, R)
    require_discount(discount)
    if horizon != int(horizon) or horizon < 0:
        raise ValueError(f"horizon must be an integer of at least 0, got {horizon!r}")
    n, m = system.B.shape
    gains, costs = np.zeros((int(horizon), m, n)), np.zeros((int(horizon) + 1, n, n))
    for step in reversed(range(int(horizon))):
        gains[step], costs[step] = _riccati_step(system, costs[step + 1], discount)
    return FiniteHorizonLQR(gains, costs)


def require_discount(discount: float) -> None:
    """Raises ValueError unless `discount` is in (0, 1]."""
    if not 0 < discount <= 1:
        raise ValueError(f"discount must be in (0, 1], got {discount!r}")


def _riccati_step(system: LinearSystem, P: Float64Array, discount: float) -> tuple[Float64Array, Float64Array]:
    """Returns the gain of one step whose successor costs x'P x, and the cost matrix with that step."""
    A, B, Q, R = system
    K = np.asarray(np.linalg.solve(R + discount * B.T @ P @ B, discount * B.T @ P @ A), dtype=np.float64)
    next_P = Q + discount * A.T @ P @ (A - B @ K)
    return K, (next_P + next_P.T) / 2


def _require_cost(name: str, matrix: Float64Array, range_: str, *, strict: bool) -> None:
    """Raises ValueError unless `matrix` is symmetric with eigenvalues in its range."""
    scale = max(float(np.abs(matrix).max()), np.finfo(np.float64).tiny)
    if np.abs(matrix - matrix.T).max() > _ROUNDING * scale:
        raise ValueError(f"{name} must be symmetric, got {matrix.tolist()}")
    smallest = float(np.linalg.eigvalsh(matrix)[0])
    if smallest <= 0 if strict else smallest < -_ROUNDING * scale:
        raise ValueError(f"{name} must have eigenvalues {range_}, got {smallest:.3g} in {matrix.tolist()}")
