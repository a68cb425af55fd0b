"""Bucket flips as a cause: the network whose quantizers keep the codes of the clean image.

In the frozen network every quantizer returns Q(u) + clip(u') - clip(u): the clean level, moved by
the perturbation as if there were no rounding. What differs from the real network is the flips. It
is differentiable (its gradient is the straight-through one), so an attack can be crafted on it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import nn

from dqviz.measure.activations import LayerView, observe
from dqviz.measure.distances import relative_distance
from dqviz.models.graph import display_name
from dqviz.quantize.modules import QuantConv2d, Quantizer, QuantLinear


class FrozenQuantizer(Quantizer):
    """A quantizer whose codes are frozen at one batch of clean inputs, while `active`."""

    def __init__(self, quantizer: Quantizer, clean: torch.Tensor) -> None:
        super().__init__()
        self.quantizer = quantizer
        self.bits = quantizer.bits
        self.active = True
        self.offset = (quantizer(clean) - quantizer.clip(clean)).detach()  # Q(u) - clip(u)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Q(u) + clip(x) - clip(u) for x of the clean batch's shape; Q(x) where not active."""
        result: torch.Tensor = self.clip(x) + self.offset if self.active else self.quantizer(x)
        return result

    def codes(self, x: torch.Tensor) -> torch.Tensor:
        """The codes of the quantizer itself."""
        return self.quantizer.codes(x)

    def clip(self, x: torch.Tensor) -> torch.Tensor:
        """x clamped to the quantizer's range."""
        return self.quantizer.clip(x)


def freeze_codes(model: nn.Module, images: torch.Tensor) -> nn.Module:
    """A copy of a quantized network that keeps the codes of these images, sample by sample.

    It takes a batch of perturbed versions of the very same images, in the same order, and returns
    their logits. On the images themselves it agrees with the network up to float rounding. It
    holds one tensor a quantized layer for the whole batch, and shares the network's parameters.

    Args:
        model: a quantized network (layers with unquantized inputs are left alone), in eval mode.
        images: (N, C, H, W) with pixels in [0, 1].
    """
    shared = {id(p): p for p in model.parameters()} | {id(b): b for b in model.buffers()}
    frozen = copy.deepcopy(model, memo=dict(shared))
    layers = {
        display_name(name): module
        for name, module in frozen.named_modules()
        if isinstance(module, QuantConv2d | QuantLinear)
    }

    def freeze(view: LayerView) -> None:
        if view.quantizer is not None:
            layers[view.name].input_quantizer = FrozenQuantizer(view.quantizer, view.inputs)

    observe(model, images, freeze)
    return frozen


def frozen_quantizers(frozen: nn.Module) -> dict[str, FrozenQuantizer]:
    """The frozen quantizers by their layer's name, not in the order of execution."""
    return {
        display_name(name): layer.input_quantizer
        for name, layer in frozen.named_modules()
        if isinstance(layer, QuantConv2d | QuantLinear)
        and isinstance(layer.input_quantizer, FrozenQuantizer)
    }


def frozen_distances(
    model: nn.Module,
    images: torch.Tensor,
    adversarial: torch.Tensor,
    clean_logits: torch.Tensor,
    *,
    by_layer: bool,
    cancel: Callable[[], None] = lambda: None,
) -> dict[str, torch.Tensor]:
    """The relative distance at the logits with frozen codes, one batch.

    Args:
        model: a quantized network.
        images: (N, C, H, W).
        adversarial: the same shape.
        clean_logits: the network's logits of `images`, (N, classes).
        by_layer: also with the codes of a single layer frozen, one forward pass each.
        cancel: called between passes; may raise.

    Returns:
        By layer, (N,) float64 each: `logits` holds the run with every layer frozen. Empty where no
        input is quantized.
    """
    frozen = freeze_codes(model, images)
    quantizers = frozen_quantizers(frozen)
    if not quantizers:
        return {}
    device = clean_logits.device

    def distance() -> torch.Tensor:
        cancel()
        with torch.no_grad():
            return relative_distance(clean_logits, frozen(adversarial.to(device)))

    distances = {"logits": distance()}
    for name in quantizers if by_layer else ():
        for other, quantizer in quantizers.items():
            quantizer.active = other == name
        distances[name] = distance()
    return distances
