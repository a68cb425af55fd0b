"""Accuracy with its interval, and two networks compared on the same images."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from dqviz.measure.errors import MeasureError
from dqviz.proportions import PairedDifference, Proportion, paired_of, wilson

__all__ = [
    "PairedDifference",
    "Proportion",
    "accuracy",
    "correctness",
    "paired_difference",
    "wilson",
]


def correctness(
    model: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    *,
    batch_size: int = 256,
    progress: Callable[[int, int], None] | None = None,
) -> torch.Tensor:
    """Which images the network classifies correctly.

    Args:
        model: images in, logits (N, classes) out, in eval mode.
        images: (N, C, H, W) with pixels in [0, 1].
        labels: (N,) int64.
        batch_size: images a forward pass.
        progress: called after each batch with images done and images in all; may raise to cancel.

    Returns:
        (N,) bool, on the processor. Logits that are not numbers count as wrong.

    Raises:
        MeasureError: if there are no images or not one label an image, or in training mode.
    """
    if len(images) == 0 or labels.shape != images.shape[:1]:
        raise MeasureError(
            f"expected one label an image and at least one image; got images of shape "
            f"{tuple(images.shape)} and labels of shape {tuple(labels.shape)}"
        )
    if model.training:
        raise MeasureError("the network is in training mode; call eval() first")
    parameter = next(model.parameters(), next(model.buffers(), images))
    correct = torch.zeros(len(images), dtype=torch.bool)
    for start in range(0, len(images), batch_size):
        stop = min(start + batch_size, len(images))
        with torch.no_grad():
            logits = model(images[start:stop].to(parameter.device)).cpu()
        hit = logits.argmax(dim=1) == labels[start:stop].cpu()
        correct[start:stop] = hit & ~logits.isnan().any(dim=1)
        if progress is not None:
            progress(stop, len(images))
    return correct


def accuracy(
    model: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    *,
    batch_size: int = 256,
    progress: Callable[[int, int], None] | None = None,
) -> Proportion:
    """The share of images classified correctly with its Wilson interval; see `correctness`."""
    correct = correctness(model, images, labels, batch_size=batch_size, progress=progress)
    return wilson(int(correct.sum()), len(correct))


def paired_difference(correct_a: torch.Tensor, correct_b: torch.Tensor) -> PairedDifference:
    """How much more often a was right than b on the same samples.

    See `dqviz.proportions.paired`.

    Args:
        correct_a: (N,) bool, N >= 1.
        correct_b: (N,) bool, of the same samples in the same order.

    Raises:
        MeasureError: if the shapes differ or there are no samples.
    """
    if correct_a.shape != correct_b.shape or correct_a.dim() != 1 or len(correct_a) == 0:
        raise MeasureError(
            "expected two vectors of equal length, at least 1; got shapes "
            f"{tuple(correct_a.shape)} and {tuple(correct_b.shape)}"
        )
    return paired_of(correct_a.bool().tolist(), correct_b.bool().tolist())
