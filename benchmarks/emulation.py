"""bfloat16 on a machine that is slow in it: float32 arithmetic, rounded where autocast rounds.

Products of bfloat16 numbers are exact in float32, and machines with bfloat16 add them up in
float32; what is left to differ from them is the order of a sum.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import fx, nn

from dqviz.quantize import QuantConv2d, QuantLinear


class _Round(torch.autograd.Function):
    """To bfloat16 and back, the gradient likewise."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.bfloat16().float()

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> torch.Tensor:
        return grads[0].bfloat16().float()


class _RoundBackward(torch.autograd.Function):
    """The gradient alone to bfloat16 and back."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> torch.Tensor:
        return grads[0].bfloat16().float()


class Emulated(nn.Module):
    """A network from `quantize_model` as `prepare_for_attack(..., bfloat16=True)` computes it.

    Images (N, C, H, W) in [0, 1] in, float32 logits (N, classes) out. `backward_only` leaves the
    forward pass in float32.
    """

    def __init__(self, network: fx.GraphModule, *, backward_only: bool = False) -> None:
        super().__init__()
        self.network = copy.deepcopy(network)
        self.rounding = _RoundBackward if backward_only else _Round
        for layer in self.network.modules():
            if isinstance(layer, QuantConv2d | QuantLinear) and not backward_only:
                layer.weight.data = layer.weight.data.bfloat16().float()
                if layer.bias is not None:
                    layer.bias.data = layer.bias.data.bfloat16().float()
            if isinstance(layer, QuantConv2d | QuantLinear):
                layer.input_quantizer.register_forward_hook(self._hook)
        self.eval()

    def _hook(self, module: nn.Module, inputs: Any, output: torch.Tensor) -> torch.Tensor:
        rounded: torch.Tensor = self.rounding.apply(output)
        return rounded

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images in, logits out."""
        images = images.contiguous(memory_format=torch.channels_last)
        logits: torch.Tensor = _Interpreter(self.network, self.rounding).run(images)
        return logits


class _Interpreter(fx.Interpreter):
    """Rounds what comes after the first layer; before it, autocast leaves float32 alone."""

    def __init__(self, network: fx.GraphModule, rounding: type[torch.autograd.Function]) -> None:
        super().__init__(network)
        self.rounding = rounding
        self.within = False

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        layer = n.op == "call_module" and isinstance(
            self.module.get_submodule(str(n.target)), QuantConv2d | QuantLinear
        )
        self.within = self.within or layer
        rounds = self.within and isinstance(result, torch.Tensor)
        return self.rounding.apply(result) if rounds else result
