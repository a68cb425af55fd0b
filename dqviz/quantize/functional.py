"""Rounding to a grid of levels and back, with a straight-through gradient.

Jacob et al.: *Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference*, section 2.1, https://arxiv.org/abs/1712.05877, for the affine grid. Bengio, Léonard,
Courville: *Estimating or Propagating Gradients Through Stochastic Neurons*, section 3,
https://arxiv.org/abs/1308.3432, for the gradient: rounding has slope zero almost everywhere, so an
attack through it sees nothing; the straight-through estimator replaces the slope by one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from dqviz.quantize.errors import QuantizeError
from dqviz.specs import ESTIMATORS


def fake_quantize(
    x: torch.Tensor,
    *,
    scale: float | torch.Tensor,
    zero_point: int | torch.Tensor,
    quant_min: int,
    quant_max: int,
    axis: int | None = None,
    estimator: str = "clipped",
) -> torch.Tensor:
    """The nearest level of the grid: scale * (clamp(round(x / scale) + zero_point) - zero_point).

    Halves round to even and 1 / scale is rounded to float32 before it multiplies x. The result is
    bit for bit that of `torch.fake_quantize_per_tensor_affine`, or with `axis` of
    `torch.fake_quantize_per_channel_affine`, for every x with |x / scale| < 2^63. Beyond that, and
    at infinity, the value saturates at its end of the range, and NaN stays NaN; torch saturates too
    per tensor, but turns NaN, and per channel all of these, into one end of the range.

    Codes are computed in float32 (float64 for a float64 x), also where x is half or bfloat16, and
    also under autocast. The levels of a float64 x are float32 numbers without an axis, and products
    in float64 with one, as torch's are.

    Args:
        x: floating-point numbers of any shape.
        scale: the step between levels, positive; with `axis` one a slice, shape (x.shape[axis],).
        zero_point: the code that stands for 0, within quant_min and quant_max; shaped like `scale`.
        quant_min: the lowest code.
        quant_max: the highest code.
        axis: the dimension that has a scale and a zero point of its own for each slice.
        estimator: the gradient with respect to x: `identity` passes it on unchanged; `clipped`, as
            torch does, passes it on where the code before clamping lies within the range, and is
            zero elsewhere; `none` is that of true rounding, zero everywhere. `unquantized` is the
            gradient of a whole network and no quantizer's: going backward is refused, see
            `BackwardThrough`. Scale and zero point get no gradient.

    Returns:
        A tensor of the shape and dtype of x.

    Raises:
        QuantizeError: if scale, zero point, range, axis or estimator do not fit; going backward, if
            the estimator is `unquantized`.
    """
    if estimator not in ESTIMATORS:
        raise QuantizeError(
            f"the estimator must be one of {', '.join(ESTIMATORS)}; got {estimator!r}"
        )
    if not x.is_floating_point():
        raise QuantizeError(f"only floating-point numbers can be quantized; got {x.dtype}")
    scales = torch.as_tensor(scale, dtype=torch.float32, device=x.device)
    zero_points = torch.as_tensor(zero_point, dtype=torch.float32, device=x.device)
    require_grid(scales, zero_points, quant_min=quant_min, quant_max=quant_max)
    shape = _broadcast_shape(x, scales, zero_points, axis)
    return straight_through(
        x, scales.view(shape), zero_points.view(shape), quant_min, quant_max, estimator
    )


def require_grid(
    scale: torch.Tensor, zero_point: torch.Tensor, *, quant_min: int, quant_max: int
) -> None:
    """Refuse what is no grid of levels.

    Raises:
        QuantizeError: if a scale is not positive and finite, a zero point is not one of the codes,
            or the range of codes is empty.
    """
    if quant_min >= quant_max:
        raise QuantizeError(
            f"quant_min must be below quant_max; got {quant_min} and {quant_max} as the code range"
        )
    if not bool((torch.isfinite(scale) & (scale > 0)).all()):
        raise QuantizeError(f"every scale must be positive and finite; got {_some(scale)}")
    codes = (zero_point == zero_point.round()) & (zero_point >= quant_min)
    if not bool((codes & (zero_point <= quant_max)).all()):
        raise QuantizeError(
            f"every zero point must be a whole number from {quant_min} to {quant_max}; "
            f"got {_some(zero_point)}"
        )


def straight_through(
    x: torch.Tensor,
    scale: torch.Tensor,
    zero_point: torch.Tensor,
    quant_min: int,
    quant_max: int,
    estimator: str,
    *,
    edges: tuple[float, float] | None = None,
) -> torch.Tensor:
    """`fake_quantize` without its checks; scale and zero_point, float32, broadcast against x.

    `edges`, from `range_edges`, spare `clipped` a mask of what lies within the range.
    """
    if x.dtype == torch.float64:
        edges = None
    result: torch.Tensor = _FakeQuantize.apply(
        x, scale, zero_point, quant_min, quant_max, estimator, edges
    )
    return result


def range_edges(
    scale: float, zero_point: int, quant_min: int, quant_max: int
) -> tuple[float, float] | None:
    """The two float32 numbers nearest to the range whose codes before clamping lie outside it.

    A float32 x has a code within the range if and only if it lies strictly between them. None where
    they are not found, among numbers so small that float32 holds few digits of them.
    """
    inverse = np.float32(1) / np.float32(scale)

    def steps(x: np.float32) -> float:
        return float(np.rint(x * inverse))  # monotone in x, so that there is one edge

    lowest, highest = quant_min - zero_point, quant_max - zero_point
    low = _edge((lowest - 0.5) * scale, -np.inf, lambda x: steps(x) < lowest)
    high = _edge((highest + 0.5) * scale, np.inf, lambda x: steps(x) > highest)
    return None if low is None or high is None else (low, high)


def _edge(near: float, away: float, is_outside: Callable[[np.float32], bool]) -> float | None:
    """Of the numbers around `near`, the last one outside on the way in from `away`."""
    x = np.float32(near)
    outward, inward = np.float32(away), np.float32(-away)
    for _ in range(8):
        x = np.nextafter(x, outward)
    for _ in range(16):
        following = np.nextafter(x, inward)
        if is_outside(x) and not is_outside(following):
            return float(x)
        x = following
    return None


def unclamped_codes(x: torch.Tensor, scale: torch.Tensor, zero_point: torch.Tensor) -> torch.Tensor:
    """round(x / scale) + zero_point, as floating-point numbers, before clamping to the range."""
    wide = x if x.dtype == torch.float64 else x.float()
    return (wide * scale.reciprocal()).round_().add_(zero_point)


class _FakeQuantize(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        scale: torch.Tensor,
        zero_point: torch.Tensor,
        quant_min: int,
        quant_max: int,
        estimator: str,
        edges: tuple[float, float] | None,
    ) -> torch.Tensor:
        ctx.estimator, ctx.edges = estimator, edges
        codes = unclamped_codes(x, scale, zero_point)
        if estimator == "clipped" and ctx.needs_input_grad[0]:
            inside = x if edges else (codes >= quant_min) & (codes <= quant_max)
            ctx.save_for_backward(inside)
        levels = codes.clamp_(quant_min, quant_max).sub_(zero_point)
        if not scale.dim():  # like torch: one scale multiplies in float32, one a slice in x's own
            levels = levels.float()
        return levels.mul_(scale).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (grad,) = grads
        inside = ctx.saved_tensors[0] if ctx.saved_tensors else None
        through = through_rounding(grad, inside, ctx.estimator, ctx.edges)
        return through, None, None, None, None, None, None


def through_rounding(
    grad: torch.Tensor,
    inside: torch.Tensor | None,
    estimator: str,
    edges: tuple[float, float] | None,
) -> torch.Tensor:
    """The gradient with respect to a quantizer's input, by its estimator.

    Args:
        grad: that with respect to its output.
        inside: for `clipped`, the input, or without `edges` a mask of what lies within the range.
        estimator: its name.
        edges: from `range_edges`.

    Raises:
        QuantizeError: if the estimator is none of a quantizer's.
    """
    if estimator == "clipped" and inside is not None:
        if edges is None:
            return torch.where(inside, grad, 0)
        # One pass, where a product with a mask takes ten times as long: the mask is no float.
        within: torch.Tensor = torch.ops.aten.hardtanh_backward(grad, inside, *edges)
        return within
    if estimator == "none":
        return torch.zeros_like(grad)
    if estimator == "identity":
        return grad
    raise QuantizeError(
        f"the estimator {estimator!r} goes backward through a whole network at full precision, "
        "not through a quantizer: attack BackwardThrough(network, backward=unquantized) instead"
    )


def _broadcast_shape(
    x: torch.Tensor, scale: torch.Tensor, zero_point: torch.Tensor, axis: int | None
) -> tuple[int, ...]:
    """The shape in which one scale a slice broadcasts: (), or (1, ..., slices, ..., 1)."""
    if axis is None:
        if scale.numel() != 1 or zero_point.numel() != 1:
            raise QuantizeError(
                "one scale and one zero point are needed without an axis; got "
                f"{scale.numel()} and {zero_point.numel()} of them"
            )
        return ()
    if not -x.dim() <= axis < x.dim():
        raise QuantizeError(f"axis {axis} is not a dimension of a tensor {tuple(x.shape)}")
    slices = (x.shape[axis],)
    if scale.shape != slices or zero_point.shape != slices:
        raise QuantizeError(
            f"axis {axis} of a tensor {tuple(x.shape)} needs scales and zero points of shape "
            f"{slices}; got {tuple(scale.shape)} and {tuple(zero_point.shape)}"
        )
    return tuple(math.prod(slices) if i == axis % x.dim() else 1 for i in range(x.dim()))


def _some(values: torch.Tensor) -> str:
    shown = [round(value, 6) for value in values.flatten()[:8].tolist()]
    return f"{shown}{' and more' if values.numel() > 8 else ''}"
