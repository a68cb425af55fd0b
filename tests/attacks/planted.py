"""Networks whose answer to an attack is known beforehand."""

from __future__ import annotations

import torch
from torch import nn


class Linear(nn.Module):
    """Logits of a linear function of the pixels: weights (classes, C*H*W) and biases (classes,)."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1) @ self.weight.T + self.bias


def random_linear(classes: int, pixels: int, seed: int = 0, *, scale: float = 1.0) -> Linear:
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(classes, pixels, generator=generator) * scale
    return Linear(weight, torch.randn(classes, generator=generator) * scale * 0.1)


def smallest_by_hand(net: Linear, x: torch.Tensor, norm: str) -> torch.Tensor:
    """The distance to the nearest other class where no pixel meets 0 or 1: margin / dual norm."""
    logits = net(x)
    label = logits.argmax(1)
    found = torch.full((len(x),), torch.inf)
    for other in range(logits.shape[1]):
        difference = net.weight[label] - net.weight[other]
        length = difference.abs().sum(1) if norm == "linf" else difference.norm(dim=1)
        margin = logits.gather(1, label[:, None])[:, 0] - logits[:, other]
        distance = torch.where(label == other, torch.inf, margin / length)
        found = torch.minimum(found, distance)
    return found


class Softmax(nn.Module):
    """A network with a softmax at its end, as a user may bring it."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x).softmax(1)


class Scaled(nn.Module):
    """A network with its logits multiplied: at 1000, softmax and gradient saturate."""

    def __init__(self, net: nn.Module, factor: float) -> None:
        super().__init__()
        self.net = net
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x) * self.factor
