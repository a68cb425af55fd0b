"""Shares of images with their intervals, and two shares compared on the same images.

Wilson, J. Am. Stat. Assoc. 22 (1927) 209-212; Newcombe, Stat. Med. 17 (1998) 857-872 (one
proportion) and 2635-2650 (method 10, paired proportions); McNemar, Psychometrika 12 (1947).
Counts in, plain numbers out: charts need these as much as measurements do.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Iterable

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
        ValueError: if `n` is not positive or `successes` is not between 0 and `n`.
    """
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"expected 0 <= successes <= n and n >= 1; got {successes} of {n}")
    share = successes / n
    z2 = Z95**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 * math.sqrt(share * (1 - share) / n + z2 / (4 * n**2)) / (1 + z2 / n)
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == n else centre + half
    return Proportion(share, low, high, n)


def paired(*, both: int, only_a: int, only_b: int, neither: int) -> PairedDifference:
    """How much more often a was right than b on the same samples.

    Newcombe's method 10: the Wilson intervals of the two shares, squared and added with the
    correlation of the two. It speaks of these two only, not of how they were made.

    Args:
        both, only_a, only_b, neither: on how many samples which of the two was right.

    Raises:
        ValueError: if a count is negative or there are no samples.
    """
    counts = (both, only_a, only_b, neither)
    if min(counts) < 0 or sum(counts) == 0:
        raise ValueError(f"expected counts of 0 or more and at least one sample; got {counts}")
    n = sum(counts)
    share_a, share_b = wilson(both + only_a, n), wilson(both + only_b, n)
    phi = _correlation(both, only_a, only_b, neither)
    value = (only_a - only_b) / n
    below, above = share_a.value - share_a.low, share_b.high - share_b.value
    low = value - math.sqrt(max(0.0, below**2 - 2 * phi * below * above + above**2))
    above, below = share_a.high - share_a.value, share_b.value - share_b.low
    high = value + math.sqrt(max(0.0, above**2 - 2 * phi * above * below + below**2))
    return PairedDifference(value, low, high, n, only_a, only_b, mcnemar(only_a, only_b))


def paired_of(a: Iterable[bool], b: Iterable[bool]) -> PairedDifference:
    """`paired`, of two lists that say for each sample whether a and whether b was right.

    Raises:
        ValueError: if they are not equally long, or empty.
    """
    counts = Counter((bool(x), bool(y)) for x, y in zip(a, b, strict=True))
    return paired(
        both=counts[True, True],
        only_a=counts[True, False],
        only_b=counts[False, True],
        neither=counts[False, False],
    )


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
