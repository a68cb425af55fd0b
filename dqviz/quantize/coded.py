"""Quantized convolutions as hardware runs them, on integer codes, for the copies of the fast path.

Codes are taken in float32 as the network itself takes them; their products and sums are exact in
integers, where bfloat16 would move activations across the borders of buckets (and float32 adds up
with rounding: outputs agree to about 1e-6). The backward pass is a convolution of gradients, which
have no codes: in float32, or in bfloat16.

Jacob et al.: *Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference*, section 2.2, https://arxiv.org/abs/1712.05877. The integer convolution is oneDNN's, as
torch's own compiler calls it for quantized networks; where it is missing or errs, float32 is used.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import torch
from torch import fx, nn

from dqviz.models.operations import is_relu, module_of
from dqviz.quantize.functional import through_rounding, unclamped_codes
from dqviz.quantize.modules import AffineQuantizer, QuantConv2d

LARGEST = 127
"""The largest code of a weight of 8 bits."""


class CodedConv2d(nn.Module):
    """A `QuantConv2d` with quantized inputs, computed otherwise; weights and ranges are shared.

    Images of channels (N, C, H, W) in, float32 out. The gradient is the quantizer's estimator's.

    Args:
        layer: what is computed.
        integers: whether the forward pass multiplies codes; where that is not possible, see
            `most_bits`, it is the layer's own.
        bfloat16: whether the backward pass is in bfloat16.
    """

    def __init__(self, layer: QuantConv2d, *, integers: bool, bfloat16: bool) -> None:
        super().__init__()
        quantizer = layer.input_quantizer
        assert isinstance(quantizer, AffineQuantizer)
        self.layer = layer
        self.quantizer = quantizer
        self.estimator, self.edges = quantizer.estimator, quantizer.edges
        weight = layer.weight.detach()
        self.backward_weight = weight.bfloat16() if bfloat16 else weight
        self.packed: torch.Tensor | None = None
        self.weight_scale = torch.ones(layer.out_channels)
        if integers and _has_codes(layer, quantizer):
            codes, self.weight_scale = weight_codes(weight, layer.weight_bits)
            self.packed = _pack(codes, self.weight_scale, *self._input(), *_geometry(layer))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) in, the convolution of its quantized version out."""
        result: torch.Tensor = _CodedConvolution.apply(x, self)
        return result

    def convolution(self, x: torch.Tensor) -> torch.Tensor:
        """The same without a gradient."""
        quantizer, layer = self.quantizer, self.layer
        if self.packed is None:
            plain: torch.Tensor = layer(x)
            return plain
        codes = unclamped_codes(x, quantizer.scale, quantizer.zero_point)
        codes = codes.clamp_(quantizer.quant_min, quantizer.quant_max)
        codes = codes.to(torch.int16).to(torch.uint8)  # five times as fast as straight to uint8
        return _convolve(
            codes, *self._input(), self.packed, self.weight_scale, layer.bias, *_geometry(layer)
        )

    def rectify(self) -> None:
        """Stand for the ReLU before the layer too, which has no slope where x is not above 0."""
        assert self.edges is not None
        high = self.edges[1]
        if self.estimator == "identity":
            self.estimator, high = "clipped", math.inf
        self.edges = (0.0, high)

    def gradient(self, grad: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """The gradient with respect to x (N, C, H, W), given that of the output."""
        levels = self.levels_gradient(grad, x)
        return through_rounding(levels, x, self.estimator, self.edges).to(x.dtype)

    def levels_gradient(self, grad: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """That with respect to the quantized input, of the shape of x, in the weights' precision.

        The convolution is linear in its input, so of x it takes the shape alone.
        """
        weight = self.backward_weight
        grad = grad.to(weight.dtype)
        stride, padding, dilation, groups = _geometry(self.layer)
        like = x if x.dtype == weight.dtype else torch.empty_like(x, dtype=weight.dtype)
        found: torch.Tensor = torch.ops.aten.convolution_backward(
            grad, like, weight, None, stride, padding, dilation, False, [0, 0], groups,
            [True, False, False],
        )[0]  # fmt: skip
        return found

    def _input(self) -> tuple[float, int]:
        return float(self.quantizer.scale), int(self.quantizer.zero_point)


class _CodedConvolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, layer: CodedConv2d) -> torch.Tensor:
        ctx.layer = layer
        ctx.save_for_backward(x)
        return layer.convolution(x)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, None]:
        (x,) = ctx.saved_tensors
        return ctx.layer.gradient(grads[0], x), None


def with_codes(network: nn.Module, *, integers: bool, bfloat16: bool) -> nn.Module:
    """Replace, in place, every convolution whose inputs are quantized by a `CodedConv2d`."""
    for name, layer in list(network.named_modules()):
        if not isinstance(layer, QuantConv2d) or not _can_replace(layer):
            continue
        parent, _, child = name.rpartition(".")
        setattr(
            network.get_submodule(parent),
            child,
            CodedConv2d(layer, integers=integers, bfloat16=bfloat16),
        )
    if isinstance(network, fx.GraphModule):
        _without_relus(network)
    return network


def _without_relus(network: fx.GraphModule) -> None:
    """Leave out, in place, every ReLU that only a `CodedConv2d` sees, where its lowest level is 0.

    Rounding to the levels from 0 upwards takes what is negative to 0 itself; the slope of the ReLU,
    which is not that of the rounding, becomes part of the layer's.
    """
    for node in list(network.graph.nodes):
        layer = module_of(network, node, (CodedConv2d,))
        if layer is None or layer.quantizer.low != 0:
            continue
        (relu,) = node.args
        if is_relu(network, relu) and len(relu.users) == 1:
            node.args = (relu.args[0],)
            layer.rectify()
            network.graph.erase_node(relu)
    network.recompile()


def weight_codes(weight: torch.Tensor, bits: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The codes (int8) and the scale (out,) of weights (out, ...) from `quantize_weight`."""
    largest = 2 ** (bits - 1) - 1
    scale = weight.abs().flatten(1).amax(1) / largest
    scale = torch.where(scale > 0, scale, 1.0)
    return (weight / scale.view(-1, 1, 1, 1)).round().to(torch.int8), scale


@functools.cache
def most_bits() -> int:
    """The bits of inputs up to which integer convolutions are right here: 8, 7, or 0 for none.

    Processors without an instruction for four products at once add up two in 16 bits, where 8 bits
    overflow.
    """
    return max((bits for bits in (7, 8) if _is_right(bits)), default=0)


def _is_right(bits: int) -> bool:
    """Whether the largest codes, whose sums overflow first, and others give what they should."""
    generator = torch.Generator().manual_seed(0)
    codes = torch.full((2, 16, 6, 6), 2**bits - 1)
    codes[1] = torch.randint(0, 2**bits, codes.shape[1:], generator=generator)
    weight = torch.full((16, 16, 3, 3), LARGEST)
    weight[8:] = torch.randint(-LARGEST, LARGEST + 1, weight[8:].shape, generator=generator)
    scale, geometry = torch.ones(16), ([1, 1], [1, 1], [1, 1], 1)
    expected = torch.nn.functional.conv2d(codes.double() - 3, weight.double(), padding=1)
    try:
        packed = _pack(weight.to(torch.int8), scale, 1.0, 3, *geometry)
        levels = codes.to(torch.uint8).contiguous(memory_format=torch.channels_last)
        found = _convolve(levels, 1.0, 3, packed, scale, None, *geometry)
    except (AttributeError, RuntimeError, TypeError, NotImplementedError):
        return False
    return found.dtype == torch.float32 and torch.allclose(found.double(), expected, rtol=1e-5)


def _can_replace(layer: QuantConv2d) -> bool:
    return (
        isinstance(layer.input_quantizer, AffineQuantizer)
        and layer.input_quantizer.edges is not None
        and layer.padding_mode == "zeros"
        and not isinstance(layer.padding, str)
    )


def _has_codes(layer: QuantConv2d, quantizer: AffineQuantizer) -> bool:
    on_processor = layer.weight.device.type == "cpu"
    return on_processor and layer.weight_bits <= 8 and quantizer.bits <= most_bits()


Geometry = tuple[list[int], list[int], list[int], int]
"""Stride, padding, dilation, groups."""


def _geometry(layer: QuantConv2d) -> Geometry:
    padding = [int(length) for length in layer.padding]
    return list(layer.stride), padding, list(layer.dilation), layer.groups


def _pack(
    codes: torch.Tensor,
    scale: torch.Tensor,
    input_scale: float,
    zero_point: int,
    *geometry: Any,
) -> torch.Tensor:
    packed: torch.Tensor = torch.ops.onednn.qconv_prepack(
        codes, scale, input_scale, zero_point, *geometry
    )
    return packed


def _convolve(
    codes: torch.Tensor,
    input_scale: float,
    zero_point: int,
    packed: torch.Tensor,
    scale: torch.Tensor,
    bias: torch.Tensor | None,
    *geometry: Any,
) -> torch.Tensor:
    zeros = torch.zeros(len(scale), dtype=torch.int32)
    result: torch.Tensor = torch.ops.onednn.qconv2d_pointwise(
        codes, input_scale, zero_point, packed, scale, zeros, bias, *geometry,
        1.0, 0, torch.float32, "none", [], "",
    )  # fmt: skip
    return result
