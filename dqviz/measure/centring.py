"""The norm of an activation around its mean over all images, however they are split into batches.

The mean is known only after the last image. One batch needs no more than itself. Of several, the
clean activations are kept if all of them are few; else, once the first batch has shown their size,
a pass over the clean images finds the means.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from dqviz.measure.activations import LayerView, Progress, observe
from dqviz.measure.distances import difference_norms, norms_around_mean
from dqviz.measure.rows import LOGITS

KEPT_BYTES = 256 * 2**20
"""How much of the clean activations may be kept to save a pass over the images."""


class CentredNorms:
    """||a - mean||_2 of every sample and layer, collected batch by batch.

    Args:
        samples: how many images there will be in all.
        find_means: called at most once, if all the images' activations are too many to keep; it
            returns the mean by layer, one sample's shape.
    """

    def __init__(self, samples: int, find_means: Callable[[], dict[str, torch.Tensor]]) -> None:
        self._samples = samples
        self._find_means = find_means
        self._means: dict[str, torch.Tensor] | None = None
        self._kept: dict[str, list[torch.Tensor]] = {}
        self._norms: dict[str, list[torch.Tensor]] = {}
        self._first = True

    def add(self, layer: str, clean: torch.Tensor) -> None:
        """Take the next batch of a layer's clean activation, (N, ...)."""
        if self._means is not None:
            self._norms.setdefault(layer, []).append(difference_norms(clean, self._means[layer]))
            return
        if len(clean) == self._samples:
            self._norms[layer] = [norms_around_mean(clean)]
            return
        kept = self._kept.setdefault(layer, [])
        kept.append(clean.clone())  # a later operation may work in place
        if sum(map(len, kept)) == self._samples:
            mean = torch.stack([batch.sum(dim=0) for batch in kept]).sum(dim=0) / self._samples
            self._norms[layer] = [difference_norms(batch, mean) for batch in self._kept.pop(layer)]

    def end_batch(self) -> None:
        """To be called when all layers of a batch were added: whether to keep on is decided now."""
        first, self._first = self._first, False
        if not first or not self._kept:
            return
        batches = [batch for (batch,) in self._kept.values()]
        share = self._samples / len(batches[0])
        if sum(batch.nbytes for batch in batches) * share > KEPT_BYTES:
            self._means = self._find_means()
            for layer, (batch,) in self._kept.items():
                self._norms[layer] = [difference_norms(batch, self._means[layer])]
            self._kept.clear()

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
