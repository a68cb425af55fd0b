"""Quantiles of numbers of which some may be infinite, and the median's interval.

The interval: order statistics, with ranks from the binomial distribution; see Conover, *Practical
Nonparametric Statistics*, section 3.2.
"""

from __future__ import annotations

import math

import torch

from dqviz.measure.errors import MeasureError

QUANTILES = {"q10": 0.1, "q25": 0.25, "median": 0.5, "q75": 0.75, "q90": 0.9}


def quantiles(values: torch.Tensor) -> dict[str, float]:
    """Some quantiles, each one of the values itself: the smallest that so many do not exceed.

    Args:
        values: (N,), N at least 1, without NaN; infinite ones may be among them.

    Returns:
        A value for each of `QUANTILES`, and `low` and `high`, the 95 % interval of the median.

    Raises:
        MeasureError: if there is no value, or one is NaN.
    """
    flat = values.detach().flatten().to("cpu", torch.float64)
    if flat.numel() == 0 or bool(flat.isnan().any()):
        raise MeasureError(
            f"quantiles need at least one number and no NaN; got {int(flat.isnan().sum())} NaN "
            f"among {flat.numel()}"
        )
    ordered = flat.sort().values
    n = len(ordered)
    found = {
        name: float(ordered[max(math.ceil(share * n - 1e-9) - 1, 0)])
        for name, share in QUANTILES.items()
    }
    below = median_rank(n)
    return found | {"low": float(ordered[below]), "high": float(ordered[n - 1 - below])}


def median_rank(n: int) -> int:
    """How many of n ordered values may be left out on each side for a 95 % interval of the median.

    The largest k with P(X <= k) <= 2.5 %, X binomial with n and one half. With fewer than six
    values it is 0: the interval is all of them, and covers less than 95 %.
    """
    tail = 0.0
    for k in range(n):
        log = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
        tail += math.exp(log - n * math.log(2))
        if tail > 0.025:
            return max(k - 1, 0)
    return 0
