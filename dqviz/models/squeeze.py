"""Feature squeezing: fewer input bits and a median filter before the network sees an image.

Xu, Evans, Qi: *Feature Squeezing: Detecting Adversarial Examples in Deep Neural Networks*, section
3, https://arxiv.org/abs/1704.01155; here without the detector, as a defense of its own. Rounding
has no gradient of its own, so attacks get that of the identity (straight-through): else squeezing
would only hide the gradient. That of the median is its true one, the middle pixel's.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from dqviz.models.normalize import Classifier
from dqviz.specs import ModelSpec


class _Round(torch.autograd.Function):
    """To the nearest of so many steps between 0 and 1; the gradient is passed through."""

    @staticmethod
    def forward(ctx: Any, images: torch.Tensor, steps: int) -> torch.Tensor:
        return (images * steps).round() / steps

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        return gradients[0], None


class Squeeze(nn.Module):
    """Rounds pixels to `bits` bits, then takes the median of windows of `median` pixels a side.

    Args:
        bits: 1 to 8; None rounds nothing.
        median: 2 or more; None smooths nothing. An even window reaches further up and left, and of
            the two middle pixels the brighter one is taken, as in scipy; the border is repeated.
    """

    def __init__(self, *, bits: int | None = None, median: int | None = None) -> None:
        super().__init__()
        self.bits, self.median = bits, median

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, C, H, W) in [0, 1] in, squeezed images of the same shape out."""
        if self.bits is not None:
            images = _Round.apply(images, 2**self.bits - 1)
        if self.median is not None:
            before, after = self.median // 2, (self.median - 1) // 2
            padded = F.pad(images, (before, after, before, after), mode="replicate")
            windows = padded.unfold(2, self.median, 1).unfold(3, self.median, 1).flatten(-2)
            images = windows.sort(dim=-1).values[..., self.median**2 // 2]
        return images

    def extra_repr(self) -> str:
        """What it does, for a printed network."""
        return f"bits={self.bits}, median={self.median}"


def squeezed(model: Classifier, spec: ModelSpec) -> Classifier:
    """The network itself, with the squeezing that a specification asks for put before it."""
    if spec.squeeze_bits is not None or spec.squeeze_median is not None:
        model.squeeze = Squeeze(bits=spec.squeeze_bits, median=spec.squeeze_median)
    return model
