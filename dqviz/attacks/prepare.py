"""A copy of a network made ready for many gradients: a speed-up that an attack does not need."""

from __future__ import annotations

import copy

import torch
from torch import nn

from dqviz.attacks.arithmetic import WORDS
from dqviz.attacks.errors import AttackError
from dqviz.models.graph import fold_batchnorm
from dqviz.quantize import AffineQuantizer, BackwardThrough, QuantConv2d, QuantLinear
from dqviz.quantize.coded import with_codes


class PreparedNetwork(nn.Module):
    """A network behind a change of memory layout, of device, and of precision if it `rounds`.

    Images (N, C, H, W) in [0, 1] in, float32 logits (N, classes) out, on the images' device.
    """

    def __init__(self, net: nn.Module, *, rounds: bool, device: str = "cpu") -> None:
        super().__init__()
        self.net = net
        self.rounds = rounds
        self.device = device

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, C, H, W) in [0, 1] in, float32 logits (N, classes) out."""
        home = images.device
        images = images.to(self.device).contiguous(memory_format=torch.channels_last)
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self.rounds):
            logits: torch.Tensor = self.net(images)
        return logits.float().to(home)


def prepare_for_attack(
    model: nn.Module, *, precision: str = "float32", device: str = "cpu"
) -> PreparedNetwork:
    """A copy in eval mode with BatchNorm folded, parameters frozen, channels last.

    The function is the same up to rounding. A quantized network is copied with its layers as they
    are; of a `BackwardThrough` the gradient's network alone is prepared, and logits stay what they
    are.

    Args:
        model: a network that is traced without refusal, or one from `quantize_model`.
        precision: a name of `arithmetic.WORDS`. Gradients are then approximate, which an attack
            bears, but predictions may be too: judge success on the network itself.
        device: where gradients are computed; images and logits stay where they are.

    Raises:
        AttackError: if the precision is unknown, or it is bfloat16 throughout for a network with
            quantized inputs, whose codes that corrupts.
        UnsupportedOperation: if the network cannot be traced.
    """
    if precision not in WORDS:
        raise AttackError(f"precision must be one of {', '.join(WORDS)}; got {precision!r}")
    if isinstance(model, BackwardThrough):
        straight = prepare_for_attack(model.backward_network, precision=precision, device=device)
        both = BackwardThrough(model.forward_network, backward=straight)
        return PreparedNetwork(both.eval(), rounds=False).eval()
    layers = list(model.modules())
    rounds = precision == "bfloat16"
    if rounds and any(isinstance(layer, AffineQuantizer) for layer in layers):
        raise AttackError("bfloat16 corrupts the codes of a network with quantized activations")
    quantized = any(isinstance(layer, QuantConv2d | QuantLinear) for layer in layers)
    network = copy.deepcopy(model) if quantized else fold_batchnorm(model)
    network = network.eval().requires_grad_(False)
    network = network.to(device).to(memory_format=torch.channels_last)
    if precision not in ("float32", "bfloat16"):
        integers, backward = precision.startswith("int8"), precision.endswith("bfloat16 backward")
        with_codes(network, integers=integers, bfloat16=backward)
    return PreparedNetwork(network, rounds=rounds, device=device).eval()
