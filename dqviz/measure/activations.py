"""What enters and leaves every layer, shown to a visitor while the network runs.

Nothing is kept: the visitor reduces what it sees at once. Clean and perturbed images run together,
as two halves of one batch, so that both activations of a layer are at hand at the same moment.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from dqviz.measure.errors import MeasureError
from dqviz.models.graph import LAYERS, display_name
from dqviz.quantize.modules import AffineQuantizer, QuantConv2d, QuantLinear

Progress = Callable[[int, int], None]


@dataclasses.dataclass(frozen=True)
class LayerView:
    """One convolution or linear layer while it runs.

    `inputs` is what stands before the quantizer, `quantized` what the layer's linear map receives
    (the same tensor where nothing is quantized), `outputs` what the layer returns, bias included;
    each (N, ...). `quantizer` is None where the input is not quantized. `depth` counts from 0.
    """

    name: str
    depth: int
    inputs: torch.Tensor
    quantized: torch.Tensor
    outputs: torch.Tensor
    quantizer: AffineQuantizer | None

    def halves(self) -> tuple[LayerView, LayerView]:
        """The first and the second half of the samples, each (N / 2, ...)."""
        middle = len(self.inputs) // 2
        first, second = slice(None, middle), slice(middle, None)
        return self._each(lambda values: values[first]), self._each(lambda values: values[second])

    def copy(self) -> LayerView:
        """The same with tensors of its own, which may be kept."""
        return self._each(torch.clone)

    @property
    def nbytes(self) -> int:
        """How much memory a copy takes."""
        inner = 0 if self.quantized is self.inputs else self.quantized.nbytes
        return self.inputs.nbytes + inner + self.outputs.nbytes

    def _each(self, change: Callable[[torch.Tensor], torch.Tensor]) -> LayerView:
        inputs = change(self.inputs)
        quantized = inputs if self.quantized is self.inputs else change(self.quantized)
        outputs = change(self.outputs)
        return dataclasses.replace(self, inputs=inputs, quantized=quantized, outputs=outputs)


Visitor = Callable[[LayerView], None]


def observe(model: nn.Module, images: torch.Tensor, visit: Visitor) -> torch.Tensor:
    """One forward pass, in which `visit` sees every layer in the order of execution.

    The tensors shown are those of the pass itself: they are to be read, not kept or changed. The
    hooks are removed whatever happens.

    Args:
        model: images in, logits out, in eval mode; quantized or not.
        images: (N, C, H, W); moved to the model's device.
        visit: called once a layer.

    Returns:
        Logits (N, classes).

    Raises:
        MeasureError: if the network is in training mode, has no convolution or linear layer, uses
            one twice, or mixes the images of a batch.
    """
    if model.training:
        raise MeasureError("the network is in training mode; call eval() first")
    watch = _Watch(visit, samples=len(images))
    handles = []
    try:
        for name, module in model.named_modules():
            if isinstance(module, LAYERS):
                handles += watch.attach(display_name(name), module)
        with torch.no_grad():
            logits: torch.Tensor = model(images.to(device_of(model)))
    finally:
        for handle in handles:
            handle.remove()
    if not watch.depths:
        raise MeasureError(f"{type(model).__name__} runs no convolution or linear layer")
    return logits


def observe_pairs(
    model: nn.Module, clean: torch.Tensor, perturbed: torch.Tensor, visit: Visitor
) -> tuple[torch.Tensor, torch.Tensor]:
    """`observe` on clean images and, in the same pass, their perturbed versions.

    The visitor sees 2N samples, the N clean ones first; `halves` splits them. Returns the clean and
    the perturbed logits, (N, classes) each.
    """
    return halves(observe(model, torch.cat([clean, perturbed]), visit))


def halves(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The clean and the perturbed half of (2N, ...)."""
    samples = len(values) // 2
    return values[:samples], values[samples:]


def device_of(model: nn.Module) -> torch.device:
    """Where the model's parameters are."""
    tensor = next(model.parameters(), next(model.buffers(), None))
    return torch.device("cpu") if tensor is None else tensor.device


def require_pairs(images: torch.Tensor, adversarial: torch.Tensor) -> None:
    """Refuse images and perturbed images that do not belong together.

    Raises:
        MeasureError: if the shapes are not one and the same (N, C, H, W) with N >= 1.
    """
    if images.dim() != 4 or images.shape != adversarial.shape or len(images) == 0:
        raise MeasureError(
            "expected images and adversarial images of one shape (N, C, H, W), N at least 1; got "
            f"{tuple(images.shape)} and {tuple(adversarial.shape)}"
        )


class _Watch:
    """The hooks of one forward pass."""

    def __init__(self, visit: Visitor, *, samples: int) -> None:
        self.visit = visit
        self.samples = samples
        self.depths: dict[str, int] = {}
        self.quantized: torch.Tensor | None = None

    def attach(self, name: str, layer: nn.Module) -> list[Any]:
        """Hooks on a layer and on its quantizer; their handles."""
        quantizer = None
        handles = []
        if isinstance(layer, QuantConv2d | QuantLinear):
            quantizer = layer.input_quantizer
            handles.append(quantizer.register_forward_hook(self._keep_quantized))
        affine = quantizer if isinstance(quantizer, AffineQuantizer) else None

        def seen(_: nn.Module, inputs: tuple[torch.Tensor, ...], outputs: torch.Tensor) -> None:
            self._show(name, inputs[0], outputs, affine)

        return [*handles, layer.register_forward_hook(seen)]

    def _keep_quantized(self, _: nn.Module, __: object, quantized: torch.Tensor) -> None:
        self.quantized = quantized

    def _show(
        self,
        name: str,
        inputs: torch.Tensor,
        outputs: torch.Tensor,
        quantizer: AffineQuantizer | None,
    ) -> None:
        if name in self.depths:
            raise MeasureError(f"layer {name!r} runs twice in one pass; it has no single input")
        if len(inputs) != self.samples:
            raise MeasureError(
                f"layer {name!r} receives {len(inputs)} samples for {self.samples} images"
            )
        quantized, self.quantized = self.quantized, None
        if quantizer is not None and quantized is None:
            raise MeasureError(f"the quantizer of layer {name!r} did not run")
        depth = self.depths[name] = len(self.depths)
        received = inputs if quantized is None else quantized
        self.visit(LayerView(name, depth, inputs, received, outputs, quantizer))
