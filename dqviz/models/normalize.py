"""Input normalisation as a network's first layer, so that epsilon keeps its meaning in pixels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


class Normalize(nn.Module):
    """Channel by channel, (x - mean) / std, for images (N, C, H, W) with pixels in [0, 1].

    Args:
        mean: one number a channel, in units of pixels scaled to [0, 1].
        std: one positive number a channel, in the same units.

    Raises:
        ValueError: if the two differ in length or a standard deviation is not positive.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        if len(mean) != len(std) or len(mean) == 0:
            raise ValueError(f"mean and std need one number a channel; got {mean} and {std}")
        if any(value <= 0 for value in std):
            raise ValueError(f"std must be positive in every channel; got {list(std)}")
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, C, H, W) in, normalised images of the same shape out."""
        return (images - self.mean) / self.std


class Classifier(nn.Module):
    """Normalisation, then a network: images (N, C, H, W) in [0, 1] in, logits (N, classes) out."""

    def __init__(self, net: nn.Module, *, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.normalize = Normalize(mean, std)
        self.net = net

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, C, H, W) with pixels in [0, 1] in, logits (N, classes) out."""
        logits: torch.Tensor = self.net(self.normalize(images))
        return logits
