"""A penalty on how far a layer's operator norm lies above 1: of the function, not of its kernel.

Defensive Quantization (Lin, Gan, Han, https://arxiv.org/abs/1904.08444) wants layers that do not
enlarge noise, and draws the reshaped kernel towards orthogonality for it; that kernel's largest
singular value is not the convolution's norm. Here the norm itself is held, with stride, padding and
BatchNorm as applied, by a power iteration as in Miyato et al., *Spectral Normalization for
Generative Adversarial Networks*, https://arxiv.org/abs/1802.05957, appendix A, on the convolution
(Gouk et al., https://arxiv.org/abs/1804.04368, section 3.1):

    loss = cross-entropy + beta / 2 * sum over layers of max(0, ||A|| - 1)^2
"""

from __future__ import annotations

import dataclasses

import torch
from torch import nn
from torch.nn import functional as F

from dqviz.defense.penalty import Layer, folded_kernel
from dqviz.measure.convolution import Convolution, read_convolution

ITERATIONS = 1
"""Of the power iteration at every step: weights move little between steps."""


@dataclasses.dataclass
class _Map:
    """A layer's linear map with another kernel; `vector` (1, ...) is where its iteration stands."""

    layer: Layer
    conv: Convolution | None
    vector: torch.Tensor

    def apply(self, kernel: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, kernel) if self.conv is None else self.conv.with_weight(kernel).apply(x)

    def adjoint(self, kernel: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        if self.conv is None:
            return F.linear(y, kernel.T)
        size = (self.vector.shape[2], self.vector.shape[3])
        return self.conv.with_weight(kernel).adjoint(y, size)


class OperatorPenalty:
    """The penalty of a network's layers, its power iterations going on from step to step.

    With u = A v / ||A v|| the norm is estimated by <u, A v>, from below, and with u and v held its
    gradient with respect to the kernel is that of the largest singular value.

    Args:
        layers: what `penalized_layers` returned; live.
        seed: of the vectors that the iterations start from.
    """

    def __init__(self, layers: list[Layer], *, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.maps = []
        for layer in layers:
            conv = read_convolution(layer.module) if isinstance(layer.module, nn.Conv2d) else None
            vector = torch.randn(1, *layer.input_shape, generator=generator)
            self.maps.append(_Map(layer, conv, vector.to(layer.module.weight.device)))

    def __call__(self) -> torch.Tensor:
        """The sum over the layers, a differentiable scalar; moves every iteration on by a step."""
        excess = [F.relu(self._norm(found) - 1).square() for found in self.maps]
        return torch.stack(excess).sum()

    def norms(self) -> dict[str, float]:
        """The estimates by layer, after one more step."""
        with torch.no_grad():
            return {found.layer.name: float(self._norm(found)) for found in self.maps}

    def _norm(self, found: _Map) -> torch.Tensor:
        kernel = folded_kernel(found.layer)
        with torch.no_grad():
            for _ in range(ITERATIONS):
                new = found.adjoint(kernel, found.apply(kernel, found.vector))
                if float(new.norm()) > 0:
                    found.vector = new / new.norm()
            image = found.apply(kernel, found.vector)
            direction = image / image.norm().clamp(min=torch.finfo(image.dtype).tiny)
        norm: torch.Tensor = (found.apply(kernel, found.vector) * direction).sum()
        return norm

    def state(self) -> dict[str, torch.Tensor]:
        """Where every iteration stands, for a checkpoint."""
        return {found.layer.name: found.vector for found in self.maps}

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        """Goes on from what `state` returned."""
        for found in self.maps:
            found.vector = state[found.layer.name]
