"""Quantization-aware training: a network's layers with their quantizers in place, and without.

Bengio, Léonard, Courville, https://arxiv.org/abs/1308.3432, section 3, for the straight-through
gradient; Jacob et al., https://arxiv.org/abs/1712.05877, section 3, for training with simulated
quantization. Every convolution and linear layer quantizes its input and its weights in the forward
pass; gradients update the weights in full precision. BatchNorm is not folded while training:
weights are rounded per output channel on a grid that ends at the channel's largest magnitude, so
that folding, which scales a whole channel, leaves the codes what they were.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.func import functional_call

from dqviz.defense.errors import TrainError
from dqviz.defense.quantized import TrainQuant
from dqviz.models import graph
from dqviz.quantize import (
    AffineQuantizer,
    LearnedQuantizer,
    OwnRange,
    Quantizer,
    Spread,
    affine_parameters,
    choose_range,
    collect_histograms,
    dorefa_weight,
    quantize_weight,
)
from dqviz.quantize.dorefa import ACTIVATIONS
from dqviz.specs import FULL_PRECISION


class QuantizedLayer(nn.Module):
    """A convolution or linear layer, `layer`, that is trained behind its quantizers.

    Args:
        layer: whose parameters are trained, in full precision.
        quantizer: of its input.
        kind: `affine` or `dorefa`, of its weights.
        bits: of its weights; 32 leaves them.
    """

    def __init__(
        self, layer: nn.Conv2d | nn.Linear, *, quantizer: Quantizer, kind: str, bits: int
    ) -> None:
        super().__init__()
        self.layer = layer
        self.quantizer = quantizer
        self.kind, self.bits = kind, bits

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The layer's output for its quantized input, with quantized weights."""
        weight = {"weight": self.rounded()}
        result: torch.Tensor = functional_call(self.layer, weight, (self.quantizer(x),))
        return result

    def rounded(self) -> torch.Tensor:
        """The weights as they are used; gradients pass the rounding straight through."""
        weight = self.layer.weight
        if self.bits == FULL_PRECISION:
            return weight
        if self.kind == "dorefa":
            return dorefa_weight(weight, self.bits)
        return weight + (quantize_weight(weight.detach(), self.bits) - weight).detach()

    def own_range(self) -> OwnRange:
        """The range of the input, and whether the weights are to be kept as levels."""
        levels = self.bits if self.kind == "dorefa" and self.bits != FULL_PRECISION else 0
        if isinstance(self.quantizer, LearnedQuantizer):
            return OwnRange(
                0.0, float(self.quantizer.step.detach()) * self.quantizer.quant_max, levels
            )
        assert isinstance(self.quantizer, AffineQuantizer)
        scale, zero = float(self.quantizer.scale), float(self.quantizer.zero_point)
        # in double precision these products are exact, so the very scale comes back from them
        return OwnRange(-zero * scale, (self.quantizer.quant_max - zero) * scale, levels)


def put_quantizers(model: nn.Module, quant: TrainQuant, images: torch.Tensor) -> None:
    """Puts every convolution and linear layer of `model` behind quantizers, in place.

    Args:
        model: the network, from whose activations the ranges start.
        quant: bits, kind and ranges.
        images: float32 (N, C, H, W) in [0, 1], training images for the ranges.

    Raises:
        TrainError: if 1 bit, or DoReFa's range, meets a layer whose input has both signs.
        UnsupportedOperation: if the network cannot be quantized soundly.
    """
    spreads = collect_histograms(model, images)
    traced = graph.trace(model)
    names = [
        str(node.target)
        for node in traced.graph.nodes
        if node.op == "call_module" and isinstance(model.get_submodule(node.target), graph.LAYERS)
    ]
    made = {}
    for place, name in enumerate(names):
        layer = model.get_submodule(name)
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        bits, inner = quant.bits(place, len(names)), 0 < place < len(names) - 1
        quantizer = _quantizer(spreads[name], bits, quant, name=name, inner=inner)
        kind, weight_bits = quant.rounding(place, len(names))
        quantizer = quantizer.to(layer.weight.device)
        made[name] = QuantizedLayer(layer, quantizer=quantizer, kind=kind, bits=weight_bits)
    for name, quantized in made.items():  # only now, so that a refusal leaves the network whole
        _set(model, name, quantized)


def _quantizer(
    spread: Spread, bits: int, quant: TrainQuant, *, name: str, inner: bool
) -> Quantizer:
    signed = spread.low < 0
    dorefa = inner and quant.kind == "dorefa"
    if signed and (bits == 1 or dorefa):
        what = "DoReFa's range from 0 to 1" if dorefa else "1 bit"
        raise TrainError(
            f"the input of layer {graph.display_name(name)!r} has both signs, of which {what} "
            "loses one; take kind 'affine' and 2 bits or more"
        )
    low, high = choose_range(ACTIVATIONS if dorefa else spread, bits=bits, method="mse")
    if quant.ranges == "learned" and not dorefa and not signed and high > 0:
        return LearnedQuantizer(high=high, bits=bits)
    scale, zero_point, quant_min, quant_max = affine_parameters(low, high, bits)
    return AffineQuantizer(
        scale=scale, zero_point=zero_point, quant_min=quant_min, quant_max=quant_max
    )


def take_quantizers(model: nn.Module) -> Mapping[str, OwnRange]:
    """Undoes `put_quantizers`: the plain layers stand again, and the ranges are returned by name.

    Weights that DoReFa rounded are left as levels, for their tanh is part of the network.
    """
    ranges = {}
    for name, layer in list(model.named_modules()):
        if isinstance(layer, QuantizedLayer):
            own = layer.own_range()
            if own.weight_bits:
                layer.layer.weight = nn.Parameter(layer.rounded().detach())
            ranges[name] = own
            _set(model, name, layer.layer)
    return ranges


def steps_of(model: nn.Module) -> list[nn.Parameter]:
    """The learned steps, in the order of the layers."""
    return [m.step for m in model.modules() if isinstance(m, LearnedQuantizer)]


def hold_steps_positive(model: nn.Module) -> None:
    """To be called after every update."""
    for module in model.modules():
        if isinstance(module, LearnedQuantizer):
            module.hold_positive()


def _set(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, module)
