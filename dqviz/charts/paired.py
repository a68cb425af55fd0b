"""Two results compared image by image: the ratio of distances, or which of two is right.

The images are the same, so the comparison is made on each of them. Of distances, the geometric mean
of the ratios, and Student's interval of the mean of their logarithms at 95 %. Of accuracies, the
images on which one network alone is right, and the exact sign test (McNemar's) of whether the two
kinds of them are equally frequent.
"""

from __future__ import annotations

import dataclasses
import math
import statistics

import pandas as pd

from dqviz.charts.claim import Kind, ratio_text, times
from dqviz.charts.tidy import Curve
from dqviz.proportions import PairedDifference, paired

FEWEST = 8
"""From fewer images than these no interval is computed."""

FEW_DEGREES = (12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469)
"""Student's 97.5 % quantile with 1, 2, ... degrees of freedom."""

SIGNIFICANT = 0.05
"""A p-value below this decides."""


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


@dataclasses.dataclass(frozen=True)
class PairedAccuracy:
    """On how many of `n` images both networks are right, or one of them alone."""

    both: int
    only_one: int
    only_other: int
    n: int

    @property
    def shares(self) -> tuple[float, float]:
        """The two accuracies."""
        return (self.both + self.only_one) / self.n, (self.both + self.only_other) / self.n

    @property
    def p(self) -> float:
        """The exact sign test's two-sided p-value, of either network being alone right as often."""
        return self.difference.p_value

    @property
    def neither(self) -> int:
        """On how many images both are wrong."""
        return self.n - self.both - self.only_one - self.only_other

    @property
    def difference(self) -> PairedDifference:
        """The first accuracy minus the second, with its 95 % interval."""
        counts = {"both": self.both, "neither": self.neither}
        return paired(only_a=self.only_one, only_b=self.only_other, **counts)

    @property
    def kind(self) -> Kind:
        """What it says of the first network's being better: nothing unless p is below 0.05."""
        if self.p >= SIGNIFICANT:
            return "undecided"
        return "supports" if self.only_one > self.only_other else "contradicts"


def paired_accuracy(
    samples: pd.DataFrame | None, one: Curve, other: Curve, metric: str
) -> PairedAccuracy | None:
    """Which of two networks is right on which images; None where they share none.

    Args:
        samples: as for `paired_ratio`, with the layer `network` and values 1 (right) and 0.
        one, other: the networks.
        metric: `clean_accuracy` or `robust_accuracy`.
    """
    pairs = _pairs(samples, one, other, layer="network", metric=metric)
    if pairs.empty:
        return None
    right = [(a > 0, b > 0) for a, b in pairs.itertuples(index=False)]
    both, only_one, only_other = (
        right.count(kind) for kind in ((True, True), (True, False), (False, True))
    )
    return PairedAccuracy(both, only_one, only_other, len(right))


def paired_ratio(
    samples: pd.DataFrame | None, one: Curve, other: Curve, layer: str, metric: str
) -> PairedRatio | None:
    """One curve's distance over another's at a layer, image by image.

    Args:
        samples: columns `model, weights, weight_bits, act_bits, attack, layer, metric, image,
            value`, of one epsilon.
        one: what is divided.
        other: by what.
        layer: where.
        metric: which distance.

    Returns:
        None where fewer than `FEWEST` images have both distances. Images whose distance is zero or
        no number are left out, since they have no ratio.
    """
    pairs = _pairs(samples, one, other, layer=layer, metric=metric)
    pairs = pairs[(pairs > 0).all(axis=1)]
    if len(pairs) < FEWEST:
        return None
    logs = [math.log(a / b) for a, b in pairs.itertuples(index=False)]
    mean, n = statistics.fmean(logs), len(logs)
    half = student(n - 1) * statistics.stdev(logs) / math.sqrt(n)
    return PairedRatio(math.exp(mean), math.exp(mean - half), math.exp(mean + half), n)


def student(freedom: int) -> float:
    """Student's 97.5 % quantile: tabulated, then by Abramowitz and Stegun's expansion, 26.7.5.

    The expansion is within 0.001 from 7 degrees of freedom on.
    """
    if freedom <= len(FEW_DEGREES):
        return FEW_DEGREES[freedom - 1]
    z = statistics.NormalDist().inv_cdf(0.975)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return z + math.fsum(term / freedom ** (k + 1) for k, term in enumerate(terms))


def _pairs(
    samples: pd.DataFrame | None, one: Curve, other: Curve, *, layer: str, metric: str
) -> pd.DataFrame:
    """Two columns with the values of both curves, a row an image that both have."""
    if samples is None or samples.empty:
        return pd.DataFrame(columns=["one", "other"], dtype=float)
    chosen = samples[(samples["layer"] == layer) & (samples["metric"] == metric)]
    columns = {"one": _by_image(chosen, one), "other": _by_image(chosen, other)}
    return pd.concat(columns, axis=1, join="inner").dropna()


def _by_image(samples: pd.DataFrame, curve: Curve) -> pd.Series[float]:
    model, _, weights = curve.network.rpartition("/")
    wanted = {
        "model": model,
        "weights": weights,
        "weight_bits": curve.weight_bits,
        "act_bits": curve.act_bits,
        "attack": curve.attack,
    }
    chosen = samples
    for column, value in wanted.items():
        chosen = chosen[chosen[column] == value]
    values: pd.Series[float] = chosen.set_index("image")["value"].astype(float)
    return values
