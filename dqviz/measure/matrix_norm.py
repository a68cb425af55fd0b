"""Singular values of plain matrices, with what rounding may have done to them."""

from __future__ import annotations

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
    rows, columns = matrices.shape[-2:]
    grams = matrices @ matrices.mT if rows <= columns else matrices.mT @ matrices
    return float(torch.linalg.vector_norm(grams - torch.eye(grams.shape[-1], dtype=grams.dtype)))
