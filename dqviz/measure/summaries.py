"""The summary of many metrics at once: `rows.summary` for every line of a table."""

from __future__ import annotations

import torch

from dqviz.measure.rows import STATISTICS

_QUANTILES = {"median": 0.5, "q10": 0.1, "q90": 0.9}


def summaries(table: torch.Tensor) -> list[dict[str, float]]:
    """What `rows.summary` gives for each line, in a few operations for all of them.

    Args:
        table: (M, N) float64: M metrics of N samples, N >= 1. NaN is left out and counted.

    Returns:
        M dictionaries with a value for each of `STATISTICS`.
    """
    missing = table.isnan()
    nan_count = missing.sum(dim=1)
    numbers = table.shape[1] - nan_count  # (M,)
    ordered = table.sort(dim=1).values  # NaN comes last
    columns = {
        "mean": torch.where(missing, 0.0, table).sum(dim=1) / numbers,
        "nan_count": nan_count.double(),
    }
    for name, share in _QUANTILES.items():
        columns[name] = _quantile(ordered, share * (numbers - 1).clamp(min=0))
    lines = torch.stack([columns[name] for name in STATISTICS], dim=1).tolist()
    return [dict(zip(STATISTICS, line, strict=True)) for line in lines]


def _quantile(ordered: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
    """Each line's value at a fractional position, between two neighbours where it must be."""
    below = position.floor()
    above = (below + 1).clamp(max=ordered.shape[1] - 1)
    low = ordered.gather(1, below.long().unsqueeze(1)).squeeze(1)
    high = ordered.gather(1, above.long().unsqueeze(1)).squeeze(1)
    between = low + (position - below) * (high - low)
    return torch.where((position == below) | (low == high), low, between)
