"""The norm of an activation around its mean over all images, however they are split into batches.

The mean is known only after the last image. One batch needs no more than itself. Of several, the
clean activations are kept while they are few; else a pass over the clean images finds the means
first.
"""

from __future__ import annotations

import torch
from torch import nn

from dqviz.measure.activations import LayerView, Progress, observe
from dqviz.measure.distances import difference_norms
from dqviz.measure.rows import LOGITS

KEPT_BYTES = 256 * 2**20
"""How much of the clean activations may be kept to save a pass over the images."""


def centred_norms(
    model: nn.Module, images: torch.Tensor, *, batch_size: int, progress: Progress
) -> CentredNorms:
    """What collects the norms with the least work that the memory allows.

    `progress` is called with 0 images done during the pass over the clean images, if it is needed.
    """
    samples = len(images)
    if samples <= batch_size or input_bytes(model, images[:1]) * samples <= KEPT_BYTES:
        return CentredNorms(samples)
    means = activation_means(
        model, images, batch_size=batch_size, progress=lambda done, total: progress(0, total)
    )
    return CentredNorms(samples, means)


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
            self._norms.setdefault(layer, []).append(difference_norms(clean, self._means[layer]))
            return
        kept = self._kept.setdefault(layer, [])
        kept.append(clean if len(clean) == self._samples else clean.clone())
        if sum(map(len, kept)) == self._samples:
            mean = torch.stack([batch.sum(dim=0) for batch in kept]).sum(dim=0) / self._samples
            self._norms[layer] = [difference_norms(batch, mean) for batch in self._kept.pop(layer)]

    def norms(self, layer: str) -> torch.Tensor:
        """(samples,) float64, in the order in which the batches came."""
        return torch.cat(self._norms[layer])


def activation_means(
    model: nn.Module, images: torch.Tensor, *, batch_size: int, progress: Progress
) -> dict[str, torch.Tensor]:
    """The mean over the images, of one sample's shape, of each layer's input and of the logits."""
    means: dict[str, torch.Tensor] = {}

    def add(layer: str, values: torch.Tensor) -> None:
        part = values.sum(dim=0).double() / len(images)
        means[layer] = means[layer] + part if layer in means else part

    def visit(view: LayerView) -> None:
        add(view.name, view.inputs)

    for start in range(0, len(images), batch_size):
        batch = images[start : start + batch_size]
        add(LOGITS, observe(model, batch, visit))
        progress(min(start + batch_size, len(images)), len(images))
    return {name: mean.float() for name, mean in means.items()}


def input_bytes(model: nn.Module, image: torch.Tensor) -> int:
    """Bytes of the inputs of all layers for one image (1, C, H, W)."""
    sizes: list[int] = []
    observe(model, image, lambda view: sizes.append(view.inputs.nbytes))
    return sum(sizes)
