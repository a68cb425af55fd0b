"""A network looked at while it is being trained: on fixed images, without changing anything."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from dqviz.attacks import FGSM
from dqviz.data import ImageData
from dqviz.defense.norms import NormWatch
from dqviz.defense.penalty import Layer

EPSILON = 1 / 255
IMAGES = 64
WARM_UP = 8
"""Power iterations begin with random vectors: so often before the first look that counts."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Look:
    """What a look has found.

    `clean` and `robust` are accuracies on the probe's images, unattacked and under FGSM at
    `EPSILON`. By layer: `raw`, the largest singular value of the kernel as a matrix (out, rest);
    `folded`, the operator norm with BatchNorm folded in, from below; `distance`, the median
    relative distance of what the layer receives.
    """

    clean: float
    robust: float
    raw: dict[str, float]
    folded: dict[str, float]
    distance: dict[str, float]


class Probe:
    """Looks at a network on the same images every time.

    Args:
        data: the first `IMAGES` of these are taken.
    """

    def __init__(self, data: ImageData) -> None:
        self.images, self.labels = data.images[:IMAGES], data.labels[:IMAGES]
        self._norms: NormWatch | None = None

    def look(self, model: nn.Module, layers: list[Layer]) -> Look:
        """Measure; the network's mode, weights, statistics and gradients stay as they were.

        Raises:
            AttackError: if the network's gradient is not finite.
        """
        if self._norms is None:
            self._norms = NormWatch(layers)
            for _ in range(WARM_UP):
                self._norms.every()
        device = next(model.parameters()).device
        images, labels = self.images.to(device), self.labels.to(device)
        training = model.training
        model.eval()
        try:
            (attacked,) = FGSM(model, eps=EPSILON).each(images, labels)
            with torch.no_grad():
                clean_inputs, clean = _inputs(model, layers, images)
                moved_inputs, robust = _inputs(model, layers, attacked)
        finally:
            model.train(training)
        return Look(
            clean=float((clean.argmax(1) == labels).float().mean()),
            robust=float((robust.argmax(1) == labels).float().mean()),
            raw={layer.name: _raw_norm(layer) for layer in layers},
            folded=self._norms.every(),
            distance={
                name: _distance(clean_inputs[name], moved_inputs[name]) for name in clean_inputs
            },
        )


def _inputs(
    model: nn.Module, layers: list[Layer], images: torch.Tensor
) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """What each layer receives, (N, -1), in order of execution, and the logits."""
    found: dict[str, torch.Tensor] = {}
    with _hooked(layers, found):
        logits = model(images)
    return found, logits


@contextmanager
def _hooked(layers: list[Layer], found: dict[str, torch.Tensor]) -> Iterator[None]:
    def keep(name: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            found[name] = inputs[0].detach().flatten(1)

        return hook

    handles = [layer.module.register_forward_pre_hook(keep(layer.name)) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _distance(clean: torch.Tensor, moved: torch.Tensor) -> float:
    """The median over the images of ||moved - clean|| / ||clean||; NaN where all are zero."""
    ratios = (moved - clean).norm(dim=1) / clean.norm(dim=1)
    finite = ratios[ratios.isfinite()]
    return float(finite.median()) if len(finite) else math.nan


def _raw_norm(layer: Layer) -> float:
    kernel = layer.module.weight.detach().float().cpu().flatten(1)
    return float(torch.linalg.matrix_norm(kernel, ord=2))
