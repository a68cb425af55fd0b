"""Singular values of plain matrices, with what rounding may have done to them."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

from dqviz.measure.spectrum import UNIT_ROUNDOFF


class Bounds(NamedTuple):
    """Two numbers with lower <= the true value <= upper."""

    lower: float
    upper: float


def kernel_matrices(weight: torch.Tensor, *, groups: int = 1) -> torch.Tensor:
    """(groups, out / groups, in / groups * k * k) in float64, from a weight (out, ...)."""
    return weight.detach().to("cpu", torch.float64).reshape(groups, len(weight) // groups, -1)


def singular_values(matrices: torch.Tensor) -> torch.Tensor:
    """All singular values of (groups, m, n) as one list, the largest first."""
    values: torch.Tensor = torch.linalg.svdvals(matrices)
    return values.flatten().sort(descending=True).values


def largest_singular_value(matrices: torch.Tensor) -> Bounds:
    """Of all the matrices (groups, m, n): the root of the largest eigenvalue of the smaller Gram.

    The product of k terms an entry errs by k u times the squared Frobenius norm, which is at most
    min(m, n) times the squared norm, and the eigenvalue by a modest multiple of u times the norm
    (LAPACK Users' Guide, section 4.7): 8 (m + n) min(m, n) u is subtracted and added.
    """
    rows, columns = matrices.shape[-2:]
    value = math.sqrt(max(0.0, float(torch.linalg.eigvalsh(smaller_grams(matrices)).max())))
    error = 8 * (rows + columns) * min(rows, columns) * UNIT_ROUNDOFF
    return Bounds(value * (1 - error), value * (1 + error))


def smaller_grams(matrices: torch.Tensor) -> torch.Tensor:
    """W W^T or W^T W, the smaller, of (groups, m, n)."""
    wide = matrices.shape[-2] <= matrices.shape[-1]
    return matrices @ matrices.mT if wide else matrices.mT @ matrices


def around(largest: float, matrices: torch.Tensor) -> Bounds:
    """Bounds around the computed largest singular value of (groups, m, n) matrices.

    A computed singular value errs by a modest multiple of u times the norm (LAPACK Users' Guide,
    section 4.9); 8 (m + n) u is subtracted and added.
    """
    error = 8 * (matrices.shape[-2] + matrices.shape[-1]) * UNIT_ROUNDOFF
    return Bounds(largest * (1 - error), largest * (1 + error))


def orthogonality_deviation(matrices: torch.Tensor) -> float:
    """||G - I||_F of the smaller Gram matrix G, over (groups, m, n): root of the sum of squares.

    Zero for orthonormal rows (or columns, where they are fewer). It is not divided by the size. Its
    square is what the Defensive Quantization penalty sums over layers (Lin, Gan, Han,
    https://arxiv.org/abs/1904.08444), up to a constant where the smaller Gram is the other one.
    """
    grams = smaller_grams(matrices)
    return float(torch.linalg.vector_norm(grams - torch.eye(grams.shape[-1], dtype=grams.dtype)))
