"""Singular values of plain matrices, with what rounding may have done to them."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

from dqviz.measure.spectrum import UNIT_ROUNDOFF, largest_eigenvalue_bound, power_guesses

_MANY = 1024
_STEPS = 100


class Bounds(NamedTuple):
    """Two numbers with lower <= the true value <= upper."""

    lower: float
    upper: float


def kernel_matrices(weight: torch.Tensor, *, groups: int = 1) -> torch.Tensor:
    """(groups, out / groups, in / groups * k * k) in float64, from a weight (out, ...)."""
    return weight.detach().to("cpu", torch.float64).reshape(groups, len(weight) // groups, -1)


def singular_values(matrices: torch.Tensor) -> torch.Tensor:
    """All singular values of (groups, m, n) as one list, the largest first.

    They are the roots of the smaller Gram's eigenvalues, which is many times as fast as a singular
    value decomposition; those below 1e-7 of the largest are mere rounding.
    """
    values: torch.Tensor = torch.linalg.eigvalsh(smaller_grams(matrices))
    return values.clamp(min=0).sqrt().flatten().sort(descending=True).values


def largest_singular_value(matrices: torch.Tensor) -> Bounds:
    """Of all the matrices (groups, m, n): the root of the largest eigenvalue of the smaller Gram.

    From `_MANY` rows on it is bounded, not computed: from below by power iteration, from above by
    `largest_eigenvalue_bound`, which differ by about a percent.
    """
    grams = smaller_grams(matrices)
    if grams.shape[-1] < _MANY:
        return around(math.sqrt(max(0.0, float(torch.linalg.eigvalsh(grams).max()))), matrices)
    lower = float(power_guesses(grams, steps=_STEPS).max())
    upper = largest_eigenvalue_bound(grams, at_least=lower)
    error = rounding(matrices)
    return Bounds(math.sqrt(lower) * (1 - error), math.sqrt(upper) * (1 + error))


def rounding(matrices: torch.Tensor) -> float:
    """The relative error of a largest singular value computed through the smaller Gram matrix.

    With u = 2^-53: k terms an entry err by k u times the squared Frobenius norm, which is at most
    min(m, n) times the squared norm, and the eigenvalue by a modest multiple of u times the norm
    (LAPACK Users' Guide, section 4.7). 8 (m + n) min(m, n) u is more than both.
    """
    rows, columns = matrices.shape[-2:]
    return 8 * (rows + columns) * min(rows, columns) * UNIT_ROUNDOFF


def around(largest: float, matrices: torch.Tensor) -> Bounds:
    """Bounds around the computed largest singular value of (groups, m, n) matrices."""
    error = rounding(matrices)
    return Bounds(largest * (1 - error), largest * (1 + error))


def smaller_grams(matrices: torch.Tensor) -> torch.Tensor:
    """W W^T or W^T W, the smaller, of (groups, m, n)."""
    wide = matrices.shape[-2] <= matrices.shape[-1]
    return matrices @ matrices.mT if wide else matrices.mT @ matrices


def orthogonality_deviation(matrices: torch.Tensor) -> float:
    """||G - I||_F of the smaller Gram matrix G, over (groups, m, n): root of the sum of squares.

    Zero for orthonormal rows (or columns, where they are fewer). It is not divided by the size. Its
    square is what the Defensive Quantization penalty sums over layers (Lin, Gan, Han,
    https://arxiv.org/abs/1904.08444), up to a constant where the smaller Gram is the other one.
    """
    grams = smaller_grams(matrices)
    return float(torch.linalg.vector_norm(grams - torch.eye(grams.shape[-1], dtype=grams.dtype)))
