"""Quantized layers: a quantizer at the input, and weights that already are levels of their grid."""

from __future__ import annotations

import abc
from typing import Any

import torch
from torch import nn

from dqviz.quantize.errors import QuantizeError
from dqviz.quantize.functional import (
    fake_quantize,
    range_edges,
    require_grid,
    straight_through,
    unclamped_codes,
)
from dqviz.specs import ESTIMATORS, FULL_PRECISION


class Quantizer(nn.Module, abc.ABC):
    """What stands at the input of a layer: `forward` returns the quantized input, same shape."""

    bits: int

    @abc.abstractmethod
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The quantized input, of the shape of x."""

    @abc.abstractmethod
    def codes(self, x: torch.Tensor) -> torch.Tensor:
        """The integer codes of x, int32, of the shape of x."""

    @abc.abstractmethod
    def clip(self, x: torch.Tensor) -> torch.Tensor:
        """x clamped to the quantizer's range, without rounding."""


class NoQuantizer(Quantizer):
    """Full precision: the input itself."""

    bits = FULL_PRECISION

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x itself."""
        return x

    def codes(self, x: torch.Tensor) -> torch.Tensor:
        """Refused: there are no codes.

        Raises:
            QuantizeError: always.
        """
        raise QuantizeError("a layer whose input is not quantized has no codes")

    def clip(self, x: torch.Tensor) -> torch.Tensor:
        """x itself: nothing is clipped."""
        return x


class AffineQuantizer(Quantizer):
    """One scale and one zero point for the whole tensor, frozen: codes quant_min to quant_max.

    `scale` (float32) and `zero_point` (float32, a whole number) are buffers of shape ().
    See `fake_quantize` for the arguments and the arithmetic.
    """

    scale: torch.Tensor
    zero_point: torch.Tensor

    def __init__(
        self,
        *,
        scale: float,
        zero_point: int,
        quant_min: int,
        quant_max: int,
        estimator: str = "clipped",
    ) -> None:
        super().__init__()
        if estimator not in ESTIMATORS:
            raise QuantizeError(
                f"the estimator must be one of {', '.join(ESTIMATORS)}; got {estimator!r}"
            )
        self.register_buffer("scale", torch.tensor(scale, dtype=torch.float32))
        self.register_buffer("zero_point", torch.tensor(zero_point, dtype=torch.float32))
        require_grid(self.scale, self.zero_point, quant_min=quant_min, quant_max=quant_max)
        self.quant_min = quant_min
        self.quant_max = quant_max
        self.bits = (quant_max - quant_min).bit_length()
        self.estimator = estimator
        self._find_edges()

    def _find_edges(self) -> None:
        self.edges = range_edges(
            float(self.scale), int(self.zero_point), self.quant_min, self.quant_max
        )

    def _load_from_state_dict(self, *args: Any) -> None:
        super()._load_from_state_dict(*args)
        self._find_edges()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The nearest levels; the gradient is the estimator's."""
        return straight_through(
            x,
            self.scale,
            self.zero_point,
            self.quant_min,
            self.quant_max,
            self.estimator,
            edges=self.edges,
        )

    def codes(self, x: torch.Tensor) -> torch.Tensor:
        """Whole numbers from quant_min to quant_max, int32; undefined where x is NaN."""
        unclamped = unclamped_codes(x, self.scale, self.zero_point)
        return unclamped.clamp(self.quant_min, self.quant_max).int()

    @property
    def low(self) -> torch.Tensor:
        """The lowest level."""
        return (self.quant_min - self.zero_point) * self.scale

    @property
    def high(self) -> torch.Tensor:
        """The highest level."""
        return (self.quant_max - self.zero_point) * self.scale

    def clip(self, x: torch.Tensor) -> torch.Tensor:
        """x clamped between the lowest and the highest level."""
        return x.clamp(self.low, self.high)

    def extra_repr(self) -> str:
        """Shown by `print(model)`."""
        return f"bits={self.bits}, scale={float(self.scale):.4g}, zero_point={int(self.zero_point)}"


def quantize_weight(weight: torch.Tensor, bits: int) -> torch.Tensor:
    """Weights on a symmetric grid per output channel, as floats of the same shape.

    Codes lie within plus or minus 2^(bits-1) - 1, so 2 bits give three levels; the largest
    magnitude of a channel is a level. A channel of zeros stays zero.

    Args:
        weight: (out, ...), float32.
        bits: 2 to 8.

    Raises:
        QuantizeError: if bits are not 2 to 8 or a weight is not finite.
    """
    if not 2 <= bits <= 8:
        raise QuantizeError(f"weights take 2 to 8 bits; got {bits}")
    if not bool(torch.isfinite(weight).all()):
        raise QuantizeError("weights that are NaN or infinite cannot be quantized")
    largest = weight.abs().flatten(1).amax(1)  # (out,)
    quant_max = 2 ** (bits - 1) - 1
    scale = largest / quant_max
    scale = torch.where(scale < torch.finfo(torch.float32).tiny, 1.0, scale)
    return fake_quantize(
        weight,
        scale=scale,
        zero_point=torch.zeros_like(scale),
        quant_min=-quant_max,
        quant_max=quant_max,
        axis=0,
    )


class QuantConv2d(nn.Conv2d):
    """A convolution of quantized inputs with weights that are levels of their grid.

    `weight` and `bias` are frozen; `weight_bits` and `act_bits` say what they and the inputs were
    quantized to (32: full precision). The bias stays in full precision.
    """

    def __init__(self, conv: nn.Conv2d, *, weight_bits: int, input_quantizer: Quantizer) -> None:
        super().__init__(
            conv.in_channels,
            conv.out_channels,
            (conv.kernel_size[0], conv.kernel_size[1]),
            stride=(conv.stride[0], conv.stride[1]),
            padding=conv.padding if isinstance(conv.padding, str) else _pair(conv.padding),
            dilation=(conv.dilation[0], conv.dilation[1]),
            groups=conv.groups,
            bias=conv.bias is not None,
            padding_mode=conv.padding_mode,
            device="meta",
        )
        self.weight = _frozen_weight(conv.weight, weight_bits)
        self.register_parameter("bias", _frozen(conv.bias))
        self.weight_bits = weight_bits
        self.input_quantizer = input_quantizer

    @property
    def act_bits(self) -> int:
        """Bits of the input; 32 where it is not quantized."""
        return self.input_quantizer.bits

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) in, the convolution of its quantized version out."""
        return super().forward(self.input_quantizer(input))


class QuantLinear(nn.Linear):
    """A linear layer of quantized inputs with weights that are levels of their grid.

    `weight` and `bias` are frozen; `weight_bits` and `act_bits` say what they and the inputs were
    quantized to (32: full precision). The bias stays in full precision.
    """

    def __init__(self, linear: nn.Linear, *, weight_bits: int, input_quantizer: Quantizer) -> None:
        super().__init__(
            linear.in_features, linear.out_features, bias=linear.bias is not None, device="meta"
        )
        self.weight = _frozen_weight(linear.weight, weight_bits)
        self.register_parameter("bias", _frozen(linear.bias))
        self.weight_bits = weight_bits
        self.input_quantizer = input_quantizer

    @property
    def act_bits(self) -> int:
        """Bits of the input; 32 where it is not quantized."""
        return self.input_quantizer.bits

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """(N, ..., in) in, the linear image of its quantized version out."""
        return super().forward(self.input_quantizer(input))


def _pair(values: tuple[int, ...]) -> tuple[int, int]:
    return (values[0], values[1])


def _frozen_weight(weight: torch.Tensor, bits: int) -> nn.Parameter:
    """A copy that asks for no gradient, quantized."""
    levels = weight.detach().clone() if bits == FULL_PRECISION else quantize_weight(weight, bits)
    return nn.Parameter(levels.detach(), requires_grad=False)


def _frozen(bias: torch.Tensor | None) -> nn.Parameter | None:
    """A copy that asks for no gradient."""
    return None if bias is None else nn.Parameter(bias.detach().clone(), requires_grad=False)
