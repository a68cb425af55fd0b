"""Two curves compared: by how much they differ at the last layer, and at how many layers."""

from __future__ import annotations

import dataclasses
import math

import pandas as pd

from dqviz.charts.claim import EQUAL, Kind, by_ratio, last_layer, times, value_at
from dqviz.charts.paired import PairedRatio, paired_ratio
from dqviz.charts.tidy import Curve

DISTANCE = "relative_distance"
WORDS = {
    DISTANCE: "relative distance",
    "relative_distance_centred": "centred relative distance",
    "amplification": "amplification",
}


@dataclasses.dataclass(frozen=True)
class Majority:
    """At how many of `count` layers one curve lies clearly above another, or below it."""

    above: int
    below: int
    count: int

    def kind(self, *, larger_supports: bool) -> Kind:
        """What the layers say: nothing where neither side has more than half of them."""
        if 2 * max(self.above, self.below) <= self.count:
            return "undecided"
        return "supports" if (self.above > self.below) == larger_supports else "contradicts"

    def __str__(self) -> str:
        return f"larger at {self.above} of {self.count} layers"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One curve's number over another's at the last layer, and layer by layer.

    `paired` compares image by image, and is None where the numbers by image are not known.
    """

    ratio: float
    paired: PairedRatio | None
    layers: Majority

    @property
    def amount(self) -> str:
        """The ratio at the last layer in words, with its interval where there is one."""
        return times(self.ratio) if self.paired is None else str(self.paired)

    @property
    def is_known(self) -> bool:
        """Whether there is anything to compare."""
        return self.paired is not None or math.isfinite(self.ratio)

    @property
    def verdict(self) -> str:
        """What the interval says where it decides nothing; empty otherwise."""
        unclear = self.paired is not None and self.paired.low <= 1 <= self.paired.high
        return ", no clear difference" if unclear else ""

    def kind(self, *, larger_supports: bool) -> Kind:
        """What it says: nothing unless the last layer and most layers agree."""
        at_last = (
            by_ratio(self.ratio, larger_supports=larger_supports)
            if self.paired is None
            else self.paired.kind(larger_supports=larger_supports)
        )
        return (
            at_last if at_last == self.layers.kind(larger_supports=larger_supports) else "undecided"
        )


def compare(
    one: Curve, other: Curve, *, metric: str, statistic: str, samples: pd.DataFrame | None
) -> Comparison:
    """One curve over another, image by image where `samples` hold the metric."""
    last = last_layer(one)
    return Comparison(
        ratio(value_at(one, last, statistic), value_at(other, last, statistic)),
        paired_ratio(samples, one, other, last, metric),
        majority(one, other, statistic),
    )


def majority(one: Curve, other: Curve, statistic: str) -> Majority:
    """At how many layers one curve lies above the other, the logits left out, ties on no side."""
    inner = [layer for layer in one.layers if layer not in ("logits", "network")]
    ratios = [ratio(value_at(one, x, statistic), value_at(other, x, statistic)) for x in inner]
    known = [r for r in ratios if math.isfinite(r)]
    above, below = sum(r >= 1 + EQUAL for r in known), sum(r <= 1 - EQUAL for r in known)
    return Majority(above, below, len(known))


def ratio(top: float, bottom: float) -> float:
    """A ratio; NaN where there is nothing to divide by."""
    return top / bottom if bottom > 0 else math.nan


def words(metric: str, statistic: str = "") -> str:
    """A metric in words, with the statistic before it."""
    return f"{statistic} {WORDS.get(metric, metric.replace('_', ' '))}".strip()
