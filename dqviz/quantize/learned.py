"""A quantizer whose step is learned by gradient descent, for inputs that are never negative.

Esser, McKinstry, Bablani, Appuswamy, Modha: *Learned Step Size Quantization*, ICLR 2020,
https://arxiv.org/abs/1902.08153, equations 1 to 3: with u = x / s, Q the highest code and Q_x =
round(clip(u, 0, Q)) s, rounding passes gradients straight through, so that

    d Q_x / d s = round(u) - u  inside the range,  0 below it,  Q above it,

and the gradient of s is multiplied by 1 / sqrt(N Q), N the features of one image, so that steps
and weights learn at about the same pace.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import torch
from torch import nn

from dqviz.quantize.errors import QuantizeError
from dqviz.quantize.modules import Quantizer

SMALLEST_STEP = 1e-6
"""A step that gradient descent drives towards 0 is held here."""


def learned_quantize(
    x: torch.Tensor, step: torch.Tensor, *, quant_max: int, gain: float = 1.0
) -> torch.Tensor:
    """The nearest of the levels 0, s, ..., quant_max s; gradients reach x and s.

    Codes are computed in float32 (float64 for a float64 x), also under autocast, by the arithmetic
    of `fake_quantize`.

    Args:
        x: floating-point numbers of any shape.
        step: s, a positive scalar of shape (), float32.
        quant_max: the highest code, Q.
        gain: what the gradient of s is multiplied by.

    Returns:
        A tensor of the shape and dtype of x.
    """
    result: torch.Tensor = _LearnedStep.apply(x, step, quant_max, gain)
    return result


class _LearnedStep(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, step: torch.Tensor, quant_max: int, gain: float
    ) -> torch.Tensor:
        scaled = (x if x.dtype == torch.float64 else x.float()) * step.reciprocal()
        ctx.save_for_backward(scaled)
        ctx.quant_max, ctx.gain = quant_max, gain
        return scaled.round().clamp_(0, quant_max).mul_(step).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (scaled,) = ctx.saved_tensors
        grad = grads[0].to(scaled.dtype)
        edges = _edges(ctx.quant_max, scaled.dtype)
        to_step = None
        if ctx.needs_input_grad[1]:
            within = torch.ops.aten.hardtanh_backward(scaled, scaled, *edges)  # 0 outside
            slope = scaled.round().clamp_(0, ctx.quant_max).sub_(within)
            to_step = slope.mul_(grad).sum() * ctx.gain
        to_x = torch.ops.aten.hardtanh_backward(grad, scaled, *edges)
        return to_x.to(grads[0].dtype), to_step, None, None


@functools.cache
def _edges(quant_max: int, dtype: torch.dtype) -> tuple[float, float]:
    """The numbers next to [0, quant_max], from outside.

    `hardtanh_backward` takes what lies strictly between them in one pass; a product with a mask
    takes several times as long.
    """
    ends = torch.tensor([0.0, quant_max], dtype=dtype)
    low, high = torch.nextafter(ends, torch.tensor([-math.inf, math.inf], dtype=dtype)).tolist()
    return low, high


class LearnedQuantizer(Quantizer):
    """`learned_quantize` with its step as the parameter `step`, shape ().

    Args:
        high: where the range ends before training.
        bits: 1 to 8.

    Raises:
        QuantizeError: if the range is empty or the bits are not 1 to 8.
    """

    def __init__(self, *, high: float, bits: int) -> None:
        super().__init__()
        if not (1 <= bits <= 8 and high > 0):
            raise QuantizeError(
                f"a learned quantizer needs 1 to 8 bits and a range above 0; got {bits} and {high}"
            )
        self.bits = bits
        self.quant_max = 2**bits - 1
        self.step = nn.Parameter(torch.tensor(high / self.quant_max))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The nearest levels, of the shape of x (N, ...)."""
        features = x[0].numel() if len(x) else 1
        gain = (features * self.quant_max) ** -0.5
        return learned_quantize(x, self.step, quant_max=self.quant_max, gain=gain)

    def codes(self, x: torch.Tensor) -> torch.Tensor:
        """Whole numbers from 0 to quant_max, int32."""
        scaled = (x if x.dtype == torch.float64 else x.float()) * self.step.reciprocal()
        return scaled.round().clamp(0, self.quant_max).int()

    def clip(self, x: torch.Tensor) -> torch.Tensor:
        """x clamped to the range."""
        return x.clamp(0, float(self.step.detach()) * self.quant_max)

    def hold_positive(self) -> None:
        """To be called after every update of the step."""
        with torch.no_grad():
            self.step.clamp_(min=SMALLEST_STEP)
