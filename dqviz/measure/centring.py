"""The norm of an activation around its mean over all images, however they are split into batches.

The mean is known only after the last image. One batch needs no more than itself. Of several, the
clean activations are kept while they are few; else a pass over the clean images finds the means
first.
"""

from __future__ import annotations

import torch
from torch import nn

from dqviz.measure.activations import LayerView, Progress, observe
from dqviz.measure.distances import norms

KEPT_BYTES = 256 * 2**20
"""How much of the clean activations may be kept to save a pass over the images."""


class CentredNorms:
    """||a - mean||_2 of every sample and layer, collected batch by batch.

    Args:
        samples: how many images there will be in all.
        means: the mean by layer, one sample's shape, where known. Without it, batches are kept
            until the last has come.
    """

    def __init__(self, samples: int, means: dict[str, torch.Tensor] | None = None) -> None:
        self._samples = samples
        self._means = means
        self._kept: dict[str, list[torch.Tensor]] = {}
        self._norms: dict[str, list[torch.Tensor]] = {}

    def add(self, layer: str, clean: torch.Tensor) -> None:
        """Take the next batch of a layer's clean activation, (N, ...)."""
        if self._means is not None:
            self._norms.setdefault(layer, []).append(norms(clean - self._means[layer]))
            return
        kept = self._kept.setdefault(layer, [])
        kept.append(clean if len(clean) == self._samples else clean.clone())
        if sum(map(len, kept)) == self._samples:
            mean = sum(batch.sum(dim=0) for batch in kept) / self._samples
            self._norms[layer] = [norms(batch - mean) for batch in self._kept.pop(layer)]

    def norms(self, layer: str) -> torch.Tensor:
        """(samples,) float64, in the order in which the batches came."""
        return torch.cat(self._norms[layer])


def activation_means(
    model: nn.Module, images: torch.Tensor, *, batch_size: int, progress: Progress
) -> dict[str, torch.Tensor]:
    """The mean input of every layer over the images, one sample's shape each."""
    means: dict[str, torch.Tensor] = {}

    def visit(view: LayerView) -> None:
        part = view.inputs.sum(dim=0).double() / len(images)
        means[view.name] = means[view.name] + part if view.name in means else part

    for start in range(0, len(images), batch_size):
        batch = images[start : start + batch_size]
        observe(model, batch, visit)
        progress(min(start + batch_size, len(images)), len(images))
    return {name: mean.float() for name, mean in means.items()}


def input_bytes(model: nn.Module, image: torch.Tensor) -> int:
    """Bytes of the inputs of all layers for one image (1, C, H, W)."""
    sizes: list[int] = []
    observe(model, image, lambda view: sizes.append(view.inputs.nbytes))
    return sum(sizes)
