"""The operator norm of a convolution as it is applied: a lower bound and a certified upper one."""

from __future__ import annotations

import math

import torch
from torch import nn

from dqviz.measure.convolution import Convolution, Pair, read_convolution
from dqviz.measure.errors import MeasureError
from dqviz.measure.matrix_norm import Bounds, largest_singular_value
from dqviz.measure.periodic_bound import periodic_bound, phases
from dqviz.measure.power_bound import power_bound

_DENSE_WORK = 2**27
_DENSE_ROWS = 4096


def conv_operator_norm(conv: nn.Conv2d, input_shape: tuple[int, int, int]) -> Bounds:
    """The largest factor by which the convolution stretches an input, in the Euclidean norm.

    The bias plays no part. Stride, zero padding ('same' included), dilation and groups are taken as
    they are. The lower bound is attained by an input found by power iteration (on the upper left
    64x64 pixels of a larger map, whose norm is at most the whole map's). The upper bound is
    certified in float64 and rounded up. Both are the largest singular value of a dense matrix where
    patches do not overlap (a 1x1 kernel), where the input has at most 2x2 pixels, and where it has
    up to 512 numbers a group or so; beyond 1,024 rows only enclosed by a method without an SVD, and
    beyond 4,096 numbers (2x2 pixels of 1,024 channels) by the bounds for larger maps.

    Args:
        conv: a Conv2d; the weights used are those it holds.
        input_shape: (C, H, W) of one input.

    Raises:
        MeasureError: if the padding is not with zeros, if a weight is not finite, or if no input of
            this shape fits.
    """
    return operator_norm(read_convolution(conv), input_shape)


def operator_norm(
    conv: Convolution, input_shape: tuple[int, int, int], *, upper_only: bool = False
) -> Bounds:
    """`conv_operator_norm` for a convolution whose kernel may have been scaled.

    With `upper_only` no time is spent on a lower bound, which is then 0.
    """
    _require_fits(conv, input_shape)
    size = (input_shape[1], input_shape[2])
    largest = float(conv.weight.abs().max())
    if largest == 0:
        return Bounds(0.0, 0.0)
    scale = 2.0 ** math.frexp(largest)[1]  # a power of two: nothing is rounded, nothing underflows
    conv = conv.with_weight(conv.weight / scale)
    exact = _exact_matrices(conv, size)
    if exact is not None:
        lower, upper = largest_singular_value(exact)
    else:
        lower = 0.0 if upper_only else power_bound(conv, size)
        upper = periodic_bound(conv, size)
    return Bounds(lower * scale, upper * scale)


def _require_fits(conv: Convolution, input_shape: tuple[int, int, int]) -> None:
    if len(input_shape) != 3 or input_shape[0] != conv.channels_in:
        raise MeasureError(
            f"expected an input_shape (C, H, W) with C = {conv.channels_in}; got {input_shape}"
        )
    if min(input_shape) < 1 or min(conv.output_size((input_shape[1], input_shape[2]))) < 1:
        raise MeasureError(
            f"a kernel of {conv.reach[0]}x{conv.reach[1]} pixels, dilation included, does not fit "
            f"into an input of shape {input_shape} with its padding"
        )


def _exact_matrices(conv: Convolution, size: Pair) -> torch.Tensor | None:
    """Matrices (groups, m, n), the largest singular value of which is the norm; None if too large.

    Where kernels read patches that do not overlap, unpadded, it is the kernel's own matrix. Where
    the input has at most 2x2 pixels, or few numbers, it is the explicit matrix of the layer.
    """
    kernel = phases(conv)  # (groups, out / groups, in / groups * phases, Qh, Qw)
    if kernel.shape[-2:] == (1, 1) and conv.pad_before == conv.pad_after == (0, 0):
        return kernel.flatten(2)
    inputs = conv.weight.shape[1] * size[0] * size[1]
    tiny = max(size) <= 2 and inputs <= _DENSE_ROWS
    if not tiny and conv.groups * inputs**3 > _DENSE_WORK:
        return None
    return conv.matrices(size)
