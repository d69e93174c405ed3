"""Ridge regression from sums, one for each group of rows: what is added may come in any portions, and need not stay."""

from __future__ import annotations

import torch
from torch import Tensor

MIN_SPREAD = 1e-6  # a column whose deviation is a smaller part of its size is constant: float32 has no more digits


class LeastSquares:
    """The sums that a linear regression needs, in float64, where the normal equations lose nothing that matters.

    Args:
        num_groups: G, regressions that share scales; each has weights of its own.
        num_inputs: I.
        num_outputs: O.
        intercept: whether the first input is 1 in all rows: the others are then centred for the solution.
        device: of all tensors.
    """

    def __init__(
        self, num_groups: int, num_inputs: int, num_outputs: int, *, intercept: bool, device: torch.device
    ) -> None:
        def zeros(*shape: int) -> Tensor:
            return torch.zeros(shape, dtype=torch.float64, device=device)

        self.intercept = intercept
        self.num_rows = 0
        self.gram = zeros(num_groups, num_inputs, num_inputs)  # XᵀX
        self.cross = zeros(num_groups, num_inputs, num_outputs)  # XᵀY
        self.total, self.power = zeros(num_outputs), zeros(num_outputs)  # Σ y, Σ y²

    def add(self, group: Tensor, inputs: Tensor, outputs: Tensor) -> None:
        """Adds rows: groups `[N]` int64, inputs `[N, I]`, outputs `[N, O]`."""
        inputs, outputs = inputs.double(), outputs.double()
        self.num_rows += len(inputs)
        self.total += outputs.sum(0)
        self.power += outputs.square().sum(0)
        for each in range(len(self.gram)):
            rows = group == each
            self.gram[each] += inputs[rows].T @ inputs[rows]
            self.cross[each] += inputs[rows].T @ outputs[rows]

    def standardizer(self) -> Tensor:
        """Returns `[I, I]`: `inputs @ it` have mean 0 and deviation 1, those that never vary are 0.

        Without an intercept it is the identity.
        """
        num_inputs = self.gram.shape[-1]
        identity = torch.eye(num_inputs, dtype=self.gram.dtype, device=self.gram.device)
        if not self.intercept:
            return identity
        moments = self.gram.sum(0) / self.num_rows
        mean, power = moments[0], moments.diagonal()
        variance = power - mean.square()
        varies = variance > MIN_SPREAD**2 * power
        scale = torch.where(varies, torch.where(varies, variance, 1.0).rsqrt(), 0.0)
        result = torch.diag(scale)
        result[0] = -mean * scale
        result[0, 0] = 1.0
        return result

    def solve(self, ridge: float) -> Tensor:
        """Returns weights `[G, I, O]` that minimise the squared error of `inputs @ weights` and `ridge` times that of
        weights: of columns that are centred and brought to unit length, so that neither units nor the number of rows
        matter. Inputs that never vary, and groups without a row, have weights of 0.
        """
        standardizer = self.standardizer()
        gram, cross = standardizer.T @ self.gram @ standardizer, standardizer.T @ self.cross
        length = gram.diagonal(dim1=-2, dim2=-1).sqrt()
        unit = torch.where(length > 0.0, length, 1.0)[..., None]
        system = gram / (unit * unit.mT) + ridge * torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
        solution: Tensor = torch.cholesky_solve(cross / unit, torch.linalg.cholesky(system))
        return standardizer @ (solution / unit)

    def unexplained(self, weights: Tensor) -> Tensor:
        """Returns the deviation `[]` of what weights `[G, I, O]` leave over, in units of the outputs' deviation: root
        mean square over outputs that vary.
        """
        variance = (self.power - self.total.square() / self.num_rows) / self.num_rows
        fitted = (weights * (self.gram @ weights - 2.0 * self.cross)).sum((0, 1))
        residual = ((self.power + fitted) / self.num_rows).clamp_min(0.0)
        varies = variance > MIN_SPREAD**2 * self.power / self.num_rows
        share = torch.where(varies, residual / torch.where(varies, variance, 1.0), 0.0)
        return (share.sum() / varies.sum().clamp_min(1)).sqrt()

    def whitening(self) -> Tensor:
        """Returns `[G, I, I]`: the length of `inputs @ it` is √(xᵀ(XᵀX + 1)⁻¹x) of standardised inputs x, their
        leverage with a unit prior: 1 far from all data of the group, if as large as usual, and less the more there is.
        """
        standardizer = self.standardizer()
        gram = standardizer.T @ self.gram @ standardizer
        identity = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
        lower = torch.linalg.cholesky(gram + identity)
        inverse: Tensor = torch.linalg.solve_triangular(lower, identity.expand_as(lower), upper=False)
        return standardizer @ inverse.mT
