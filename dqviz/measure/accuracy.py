"""Accuracy with its interval, and two networks compared on the same images.

Wilson, J. Am. Stat. Assoc. 22 (1927) 209-212; Newcombe, Stat. Med. 17 (1998) 857-872 (one
proportion) and 2635-2650 (method 10, paired proportions); McNemar, Psychometrika 12 (1947).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import torch
from torch import nn

from dqviz.measure.errors import MeasureError

Z95 = 1.959963984540054
"""The 97.5 % quantile of the normal distribution: two-sided 95 % intervals."""


@dataclasses.dataclass(frozen=True)
class Proportion:
    """A share of `n` trials with its 95 % interval [low, high], all between 0 and 1."""

    value: float
    low: float
    high: float
    n: int


@dataclasses.dataclass(frozen=True)
class PairedDifference:
    """Share of a minus share of b on the same `n` samples, with its 95 % interval.

    `only_a` and `only_b` count the samples on which only that one was right; `p_value` is that of
    the exact McNemar test (two-sided) of no difference.
    """

    value: float
    low: float
    high: float
    n: int
    only_a: int
    only_b: int
    p_value: float


def wilson(successes: int, n: int) -> Proportion:
    """A proportion with its Wilson score interval at 95 %.

    Raises:
        MeasureError: if `n` is not positive or `successes` is not between 0 and `n`.
    """
    if n < 1 or not 0 <= successes <= n:
        raise MeasureError(f"expected 0 <= successes <= n and n >= 1; got {successes} of {n}")
    share = successes / n
    z2 = Z95**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 * math.sqrt(share * (1 - share) / n + z2 / (4 * n**2)) / (1 + z2 / n)
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == n else centre + half
    return Proportion(share, low, high, n)


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

    Newcombe's method 10: the Wilson intervals of the two shares, squared and added with the
    correlation of the two. It speaks of these two networks only, not of how they were made.

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
    a, b = correct_a.cpu().bool(), correct_b.cpu().bool()
    both, neither = int((a & b).sum()), int((~a & ~b).sum())
    only_a, only_b = int((a & ~b).sum()), int((~a & b).sum())
    n = len(a)
    share_a, share_b = wilson(both + only_a, n), wilson(both + only_b, n)
    phi = _correlation(both, only_a, only_b, neither)
    value = (only_a - only_b) / n
    below, above = share_a.value - share_a.low, share_b.high - share_b.value
    low = value - math.sqrt(max(0.0, below**2 - 2 * phi * below * above + above**2))
    above, below = share_a.high - share_a.value, share_b.value - share_b.low
    high = value + math.sqrt(max(0.0, above**2 - 2 * phi * above * below + below**2))
    return PairedDifference(value, low, high, n, only_a, only_b, mcnemar(only_a, only_b))


def _correlation(both: int, only_a: int, only_b: int, neither: int) -> float:
    """Newcombe's phi of the two-by-two table, with his correction towards zero."""
    margins = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither)
    if margins == 0:
        return 0.0
    excess = both * neither - only_a * only_b
    n = both + only_a + only_b + neither
    corrected = max(excess - n / 2, 0) if excess > 0 else excess
    return float(corrected / math.sqrt(margins))


def mcnemar(only_a: int, only_b: int) -> float:
    """The two-sided p-value of the exact McNemar test for two counts of disagreement."""
    n, smaller = only_a + only_b, min(only_a, only_b)
    terms = [_log_binomial(n, k) - n * math.log(2) for k in range(smaller + 1)]
    return min(1.0, 2 * math.fsum(math.exp(term) for term in terms))


def _log_binomial(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
