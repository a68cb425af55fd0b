"""The rule by which a claim holds, does not hold, or cannot be told, stated before any number.

A claim about a method rests on pairs of trained networks, one a data set, architecture and seed.
The mean of their effects has Student's 95 % interval. The claim holds if the whole interval lies on
its side of zero; it does not if the interval ends below the smallest effect worth speaking of. In
between, and with fewer than three pairs, it cannot be told.

Seeds of one data set and architecture may be more alike than the interval takes them for. So, as a
check that was added later, the same rule is applied once more to one effect a data set and
architecture, the mean over its seeds.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Sequence

from dqviz.charts.forest import POINTS, RATIO
from dqviz.charts.paired import student

from .effects import Effect

HOLDS, FAILS, UNKNOWN = "holds", "does not hold", "cannot tell"
FEWEST = 3
"""With fewer pairs than these nothing is said of a method."""

SMALLEST = {POINTS: 1.0, RATIO: math.log(1.05)}
"""The smallest effect worth speaking of: one point, or a factor of 1.05."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verdict:
    """What came of a claim: the mean effect with its 95 % interval over the pairs, and why.

    Effects are in points, or natural logarithms of ratios, see `scale`. The interval is NaN where
    there are fewer than three pairs.
    """

    verdict: str
    scale: str
    value: float
    low: float
    high: float
    effects: tuple[Effect, ...]
    why: str

    @property
    def pairs(self) -> int:
        """How many pairs of networks it rests on."""
        return len(self.effects)

    @property
    def seeds(self) -> int:
        """How many seeds these have."""
        return len({effect.seed for effect in self.effects})


def judge(effects: Sequence[Effect], *, scale: str, larger: bool) -> Verdict:
    """The verdict by the rule above.

    Args:
        effects: one a pair.
        scale: `POINTS` or `RATIO`.
        larger: whether the claim says that the effect is above zero, else below.
    """
    found = [e for e in effects if math.isfinite(e.value)]
    n = len(found)
    mean = statistics.fmean(e.value for e in found) if found else math.nan
    if n < FEWEST:
        some = "no pair of networks" if n == 0 else f"only {n} pair{'s' * (n > 1)} of networks"
        why = f"there is {some}; at least {FEWEST} are needed to speak of the method"
        if n == 2:
            why = why.replace("there is", "there are")
        return _verdict(UNKNOWN, scale, (mean, math.nan, math.nan), found, why)
    half = student(n - 1) * statistics.stdev(e.value for e in found) / math.sqrt(n)
    interval = (mean, mean - half, mean + half)
    low, high = (interval[1], interval[2]) if larger else (-interval[2], -interval[1])
    if low > 0:
        return _verdict(HOLDS, scale, interval, found, "the whole interval is on the claim's side")
    if high <= 0:
        why = "the whole interval is on the other side"
        return _verdict(FAILS, scale, interval, found, why)
    if high < SMALLEST[scale]:
        why = "the interval ends below the smallest effect worth speaking of"
        return _verdict(FAILS, scale, interval, found, why)
    why = "the interval holds effects on both sides"
    return _verdict(UNKNOWN, scale, interval, found, why)


def kind_means(effects: Sequence[Effect]) -> list[Effect]:
    """One effect a data set and architecture: the mean over its seeds, without an interval."""
    found: dict[str, list[Effect]] = {}
    for effect in effects:
        if math.isfinite(effect.value):
            found.setdefault(effect.networks[0].rpartition("/")[0], []).append(effect)
    return [
        dataclasses.replace(
            own[0],
            unit=kind,
            value=statistics.fmean(effect.value for effect in own),
            networks=tuple(id for effect in own for id in effect.networks),
            low=math.nan,
            high=math.nan,
            n=sum(effect.n for effect in own),
        )
        for kind, own in found.items()
    ]


def judge_equal(effects: Sequence[Effect], *, scale: str) -> Verdict:
    """The verdict on a claim of equality, which needs no statistics: all effects are zero, or not.

    Counts of operations have no noise: one pair is enough.
    """
    found = [e for e in effects if math.isfinite(e.value)]
    if not found:
        nothing = (math.nan, math.nan, math.nan)
        return _verdict(UNKNOWN, scale, nothing, found, "there is no pair of networks")
    values = [e.value for e in found]
    interval = (statistics.fmean(values), min(values), max(values))
    if all(value == 0 for value in values):
        return _verdict(HOLDS, scale, interval, found, "all pairs are exactly equal")
    return _verdict(FAILS, scale, interval, found, "not all pairs are equal")


def _verdict(
    verdict: str,
    scale: str,
    interval: tuple[float, float, float],
    effects: Sequence[Effect],
    why: str,
) -> Verdict:
    value, low, high = interval
    return Verdict(
        verdict=verdict,
        scale=scale,
        value=value,
        low=low,
        high=high,
        effects=tuple(effects),
        why=why,
    )


def effect_text(value: float, scale: str) -> str:
    """An effect in words: `+3.2 points` or `1.32 times`."""
    if not math.isfinite(value):
        return "unknown"
    return f"{value:+.1f} points" if scale == POINTS else f"{math.exp(value):.3g} times"


def interval_text(verdict: Verdict) -> str:
    """The mean effect with its interval in words."""
    text = effect_text(verdict.value, verdict.scale)
    if not math.isfinite(verdict.low):
        return text
    low, high = (
        effect_text(v, verdict.scale).removesuffix(" points").removesuffix(" times")
        for v in (verdict.low, verdict.high)
    )
    return f"{text} (95 % interval {low} to {high})"
