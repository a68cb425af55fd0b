"""One measured number as a row, and the summary of many samples in five of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch

STATISTICS = ("mean", "median", "q10", "q90", "nan_count")
"""The statistics of a metric measured per sample, in the order of their rows."""

NETWORK = "network"
"""The `layer` of a number that belongs to the whole network."""

LOGITS = "logits"
"""The `layer` of a number measured at the network's output."""


class Row(NamedTuple):
    """One number: where it was measured, what it is and which statistic of it.

    `layer` is the layer's name (or `network`, or `logits`), `depth` its place in the order of
    execution, counted from 0, and -1 for the whole network.
    """

    layer: str
    depth: int
    metric: str
    statistic: str
    value: float


def summary(values: torch.Tensor) -> dict[str, float]:
    """Mean, median, 10 and 90 % quantiles of the numbers in `values`, and how many were NaN.

    Args:
        values: one number a sample, any shape. NaN is left out of the statistics and counted;
            an infinite value stays in. Quantiles interpolate linearly, the median included.

    Returns:
        A value for each of `STATISTICS`; all but `nan_count` are NaN where no number is left.
    """
    flat = values.detach().flatten().to("cpu", torch.float64)
    numbers = flat[~flat.isnan()]
    nan_count = float(flat.numel() - numbers.numel())
    if numbers.numel() == 0:
        return {**dict.fromkeys(STATISTICS, float("nan")), "nan_count": nan_count}
    ordered = numbers.sort().values
    return {
        "mean": float(numbers.mean()),
        "median": _quantile(ordered, 0.5),
        "q10": _quantile(ordered, 0.1),
        "q90": _quantile(ordered, 0.9),
        "nan_count": nan_count,
    }


def _quantile(ordered: torch.Tensor, share: float) -> float:
    # torch.quantile refuses more than 16 million numbers; the ordered list needs no such limit.
    position = share * (ordered.numel() - 1)
    below = int(position)
    low, high = float(ordered[below]), float(ordered[min(below + 1, ordered.numel() - 1)])
    share_above = position - below
    return low if low == high or share_above == 0 else low + share_above * (high - low)


def summary_rows(layer: str, depth: int, metric: str, values: torch.Tensor) -> list[Row]:
    """The rows of `summary(values)` for one metric of one layer."""
    return [Row(layer, depth, metric, name, value) for name, value in summary(values).items()]


def value_rows(
    layer: str, depth: int, metric: str, statistics: Iterable[tuple[str, float]]
) -> list[Row]:
    """Rows of one metric from (statistic, value) pairs."""
    return [Row(layer, depth, metric, name, float(value)) for name, value in statistics]
