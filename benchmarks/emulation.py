"""bfloat16 on a machine that is slow in it: float32 arithmetic, rounded where bfloat16 rounds.

Products of bfloat16 numbers are exact in float32, and machines with bfloat16 add them up in
float32; what is left to differ from them is the order of a sum.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import fx, nn

from dqviz.quantize import AffineQuantizer, QuantConv2d, QuantLinear
from dqviz.quantize.coded import CodedConv2d, with_codes


def emulated(network: fx.GraphModule, precision: str) -> nn.Module:
    """What `prepare_for_attack` makes of a network from `quantize_model` in that precision.

    Args:
        network: channels last.
        precision: `bfloat16` where no activations are quantized, else one that ends in
            `bfloat16 backward`.
    """
    if precision == "bfloat16":
        assert not any(isinstance(layer, AffineQuantizer) for layer in network.modules())
        return Emulated(network)
    prepared = copy.deepcopy(network)
    with_codes(prepared, integers=precision.startswith("int8"), bfloat16=False)
    for layer in prepared.modules():
        if isinstance(layer, CodedConv2d):
            layer.__class__ = _RoundedBackward
            layer.backward_weight = rounded(layer.backward_weight)
    return prepared.eval()


def rounded(x: torch.Tensor) -> torch.Tensor:
    """The nearest bfloat16 numbers, as float32."""
    return x.bfloat16().float()


class _RoundedBackward(CodedConv2d):
    """Rounds what its backward pass is given and what it returns; weights are rounded already."""

    def levels_gradient(self, grad: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return rounded(super().levels_gradient(rounded(grad), x))


class _Round(torch.autograd.Function):
    """To bfloat16 and back, the gradient likewise."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return rounded(x)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> torch.Tensor:
        return rounded(grads[0])


class Emulated(nn.Module):
    """A network without quantized activations as autocast computes it.

    Images (N, C, H, W) in [0, 1] in, float32 logits (N, classes) out.
    """

    rounds = True
    """As a prepared network says that its logits are approximate."""

    def __init__(self, network: fx.GraphModule) -> None:
        super().__init__()
        self.network = copy.deepcopy(network)
        for layer in self.network.modules():
            if isinstance(layer, QuantConv2d | QuantLinear):
                layer.weight.data = rounded(layer.weight.data)
                if layer.bias is not None:
                    layer.bias.data = rounded(layer.bias.data)
                layer.register_forward_pre_hook(lambda _m, inputs: _Round.apply(inputs[0]))
        self.eval()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images in, logits out."""
        images = images.contiguous(memory_format=torch.channels_last)
        logits: torch.Tensor = _Interpreter(self.network).run(images)
        return logits


class _Interpreter(fx.Interpreter):
    """Rounds what comes after the first layer; before it, autocast leaves float32 alone."""

    def __init__(self, network: fx.GraphModule) -> None:
        super().__init__(network)
        self.within = False

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        layer = n.op == "call_module" and isinstance(
            self.module.get_submodule(str(n.target)), QuantConv2d | QuantLinear
        )
        self.within = self.within or layer
        rounds = self.within and isinstance(result, torch.Tensor)
        return _Round.apply(result) if rounds else result
