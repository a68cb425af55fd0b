"""A copy of a network made ready for many gradients: a speed-up that an attack does not need."""

from __future__ import annotations

import copy

import torch
from torch import nn

from dqviz.attacks.errors import AttackError
from dqviz.models.graph import fold_batchnorm
from dqviz.quantize import AffineQuantizer, QuantConv2d, QuantLinear


class PreparedNetwork(nn.Module):
    """A network behind a change of memory layout, and of precision if it `rounds`.

    Images (N, C, H, W) in [0, 1] in, float32 logits (N, classes) out.
    """

    def __init__(self, net: nn.Module, *, rounds: bool) -> None:
        super().__init__()
        self.net = net
        self.rounds = rounds

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, C, H, W) in [0, 1] in, float32 logits (N, classes) out."""
        images = images.contiguous(memory_format=torch.channels_last)
        if not self.rounds:
            logits: torch.Tensor = self.net(images)
            return logits
        with torch.autocast(images.device.type, torch.bfloat16):
            rounded: torch.Tensor = self.net(images)
        return rounded.float()


def prepare_for_attack(model: nn.Module, *, bfloat16: bool = False) -> PreparedNetwork:
    """A copy in eval mode with BatchNorm folded, parameters frozen, channels last.

    The function is the same up to rounding. A quantized network is copied with its layers as they
    are.

    Args:
        model: a network that is traced without refusal, or one from `quantize_model`.
        bfloat16: compute in bfloat16 where autocast would. Gradients are then approximate, which an
            attack bears, but predictions are too: judge success on the network itself.

    Raises:
        AttackError: if bfloat16 is asked for a network with quantized inputs: it corrupts codes.
        UnsupportedOperation: if the network cannot be traced.
    """
    modules = list(model.modules())
    if bfloat16 and any(isinstance(module, AffineQuantizer) for module in modules):
        raise AttackError("bfloat16 corrupts the codes of a network with quantized activations")
    quantized = any(isinstance(module, QuantConv2d | QuantLinear) for module in modules)
    network = copy.deepcopy(model) if quantized else fold_batchnorm(model)
    network = network.eval().requires_grad_(False)
    network = network.to(memory_format=torch.channels_last)
    return PreparedNetwork(network, rounds=bfloat16).eval()
