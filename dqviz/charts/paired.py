"""Two results compared image by image: the ratio of their distances, with its interval.

The images are the same, so the comparison is made on each of them: the geometric mean of the
ratios, and Student's interval of the mean of their logarithms at 95 %.
"""

from __future__ import annotations

import dataclasses
import math
import statistics

import pandas as pd

from dqviz.charts.claim import Kind, ratio_text, times
from dqviz.charts.tidy import Curve

FEWEST = 8
"""From fewer images than these no interval is computed."""


@dataclasses.dataclass(frozen=True)
class PairedRatio:
    """How many times larger one distance is than another: geometric mean over `n` images."""

    value: float
    low: float
    high: float
    n: int

    def kind(self, *, larger_supports: bool) -> Kind:
        """What it says: nothing while 1 lies in the interval."""
        if self.low <= 1 <= self.high:
            return "undecided"
        return "supports" if (self.value > 1) == larger_supports else "contradicts"

    def __str__(self) -> str:
        low, high = ratio_text(self.low), ratio_text(self.high)
        return f"{times(self.value)} (95 % interval {low} to {high}, image by image)"


def paired_ratio(
    samples: pd.DataFrame | None, one: Curve, other: Curve, layer: str
) -> PairedRatio | None:
    """One curve's distance over another's at a layer, image by image.

    Args:
        samples: columns `model, weights, weight_bits, act_bits, attack, layer, image, value`, of
            one metric and one epsilon.
        one: what is divided.
        other: by what.
        layer: where.

    Returns:
        None where fewer than `FEWEST` images have both distances. Images whose distance is zero or
        no number are left out, since they have no ratio.
    """
    if samples is None or samples.empty:
        return None
    top, bottom = (_by_image(samples, curve, layer) for curve in (one, other))
    pairs = pd.concat([top, bottom], axis=1, join="inner").dropna()
    pairs = pairs[(pairs > 0).all(axis=1)]
    if len(pairs) < FEWEST:
        return None
    logs = [math.log(a / b) for a, b in pairs.itertuples(index=False)]
    mean, n = statistics.fmean(logs), len(logs)
    half = student(n - 1) * statistics.stdev(logs) / math.sqrt(n)
    return PairedRatio(math.exp(mean), math.exp(mean - half), math.exp(mean + half), n)


def student(freedom: int) -> float:
    """Student's 97.5 % quantile, by the expansion of Abramowitz and Stegun, 26.7.5.

    Within 0.001 from 7 degrees of freedom on.
    """
    z = statistics.NormalDist().inv_cdf(0.975)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return z + math.fsum(term / freedom ** (k + 1) for k, term in enumerate(terms))


def _by_image(samples: pd.DataFrame, curve: Curve, layer: str) -> pd.Series[float]:
    model, _, weights = curve.network.rpartition("/")
    wanted = {
        "model": model,
        "weights": weights,
        "weight_bits": curve.weight_bits,
        "act_bits": curve.act_bits,
        "attack": curve.attack,
        "layer": layer,
    }
    chosen = samples
    for column, value in wanted.items():
        chosen = chosen[chosen[column] == value]
    values: pd.Series[float] = chosen.set_index("image")["value"].astype(float)
    return values
