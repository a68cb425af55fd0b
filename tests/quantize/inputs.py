"""What a quantized network's layers receive."""

from __future__ import annotations

import torch
from torch import nn

from dqviz.quantize import (
    quantized_layers,
)


def conv_inputs(model: nn.Module, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """What each convolution and matrix product of a quantized network is really given."""
    found: dict[str, torch.Tensor] = {}
    handles = [
        layer.input_quantizer.register_forward_hook(
            lambda _m, _x, out, name=name: found.__setitem__(name, out)
        )
        for name, layer in quantized_layers(model)
    ]
    model(images)
    for handle in handles:
        handle.remove()
    return found
