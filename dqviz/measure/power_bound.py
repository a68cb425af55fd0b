"""A lower bound on a convolution's operator norm: an input that it stretches so much."""

from __future__ import annotations

import math

import torch

from dqviz.measure.convolution import Convolution, Pair
from dqviz.measure.spectrum import UNIT_ROUNDOFF

_CROP = 64
_KRYLOV = 8
_RESTARTS = 12
_SETTLED = 1e-4


def power_bound(conv: Convolution, size: Pair) -> float:
    """||A v|| / ||v|| for the best v that a power iteration finds, rounded down.

    The iteration is Lanczos' form of it: of the span of `_KRYLOV` power iterates the vector with
    the largest ratio is taken, and starts the next round. Of a map larger than `_CROP` pixels the
    upper left part is used: zeros around it make it an input of the whole.

    The iteration runs in float32; only the ratio of the vector found is a claim, and is computed in
    float64. There each entry of A v errs by at most 2 m u times the sum of |terms|, m the terms of
    one output, so the norm by 2 m u || |A| ||, and || |A| || <= taps * ||W||, a sum of `taps` maps
    of norm at most ||W|| each.
    """
    crop = max(_CROP, *conv.reach)
    size = (min(size[0], crop), min(size[1], crop))
    vector, before = _start(conv, size), 0.0
    for _ in range(_RESTARTS):
        vector, value = _krylov_round(conv, vector, size)
        if value <= before * (1 + _SETTLED):
            break
        before = value
    vector = vector.double()
    ratio = float(torch.linalg.vector_norm(conv.apply(vector)) / torch.linalg.vector_norm(vector))
    taps = conv.weight.shape[2] * conv.weight.shape[3]
    terms = taps * conv.weight.shape[1] + vector.numel().bit_length() * 8
    error = 4 * terms * UNIT_ROUNDOFF * taps * float(torch.linalg.vector_norm(conv.weight))
    return max(0.0, ratio * (1 - 16 * UNIT_ROUNDOFF) - error)


def _start(conv: Convolution, size: Pair) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(1, conv.channels_in, *size, generator=generator)


def _krylov_round(
    conv: Convolution, vector: torch.Tensor, size: Pair
) -> tuple[torch.Tensor, float]:
    """The best vector (1, C, H, W) in the span of a few power iterates, and its ratio."""
    basis = (vector / torch.linalg.vector_norm(vector)).reshape(1, -1)  # (j, C*H*W)
    images = conv.apply(basis.view_as(vector))  # (j, out, H', W')
    for _ in range(_KRYLOV - 1):
        new = conv.adjoint(images[-1:], size).reshape(1, -1)
        scale = torch.linalg.vector_norm(new)
        for _ in range(2):
            new = new - (new @ basis.T) @ basis
        rest = torch.linalg.vector_norm(new)
        if float(rest) <= 1e-4 * float(scale):
            break
        new = new / rest
        basis = torch.cat([basis, new])
        images = torch.cat([images, conv.apply(new.view_as(vector))])
    flat = images.flatten(1)
    values, combinations = torch.linalg.eigh((flat @ flat.T).double())
    best = combinations[:, -1].to(vector.dtype) @ basis
    return best.view_as(vector), math.sqrt(max(0.0, float(values[-1])))
