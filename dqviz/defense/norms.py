"""The folded layer norms of a network while it is being trained."""

from __future__ import annotations

import torch
from torch import nn

from dqviz.defense.penalty import Layer, folded_kernel
from dqviz.measure.convolution import read_convolution

ITERATIONS = 4


class NormWatch:
    """Power iterations that go on from one look to the next, as the weights move little between.

    One vector a layer is kept, so that a look costs a few convolutions of one image.

    Args:
        layers: what `penalized_layers` returned; live.
    """

    def __init__(self, layers: list[Layer]) -> None:
        self.layers = layers
        generator = torch.Generator().manual_seed(0)
        self.vectors = {
            layer.name: torch.randn(1, *layer.input_shape, generator=generator)
            for layer in layers
            if isinstance(layer.module, nn.Conv2d)
        }

    def largest(self) -> float:
        """The largest of `every`."""
        return max(self.every().values())

    def every(self) -> dict[str, float]:
        """Each layer's operator norm with BatchNorm folded in, from below, by the layer's name.

        Of convolutions it is ||A v|| / ||v|| of the iteration's vector, of linear layers the
        largest singular value.
        """
        with torch.no_grad():
            return {layer.name: self._norm(layer) for layer in self.layers}

    def _norm(self, layer: Layer) -> float:
        kernel = folded_kernel(layer).detach().float().cpu()
        if not isinstance(layer.module, nn.Conv2d):
            return float(torch.linalg.matrix_norm(kernel, ord=2))
        conv = read_convolution(layer.module).with_weight(kernel)
        vector = self.vectors[layer.name]
        size = (vector.shape[2], vector.shape[3])
        for _ in range(ITERATIONS):
            image = conv.apply(vector / vector.norm())
            new = conv.adjoint(image, size)
            if float(new.norm()) > 0:
                vector = new
        self.vectors[layer.name] = vector / vector.norm()
        return float(conv.apply(self.vectors[layer.name]).norm())
