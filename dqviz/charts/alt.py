"""Alt text: what a chart shows, in words computed from its numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dqviz.charts.tidy import Curve

MOST_CURVES = 8


def number(value: float, unit: str = "") -> str:
    """A number in three digits with its unit, or 'no value'."""
    if not math.isfinite(value):
        return "no value"
    text = f"{value:.3g}" if abs(value) < 1e5 else f"{value:.2e}"
    return f"{text}{unit}"


def curve_words(curve: Curve, name: str, *, statistic: str, unit: str = "") -> str:
    """From where to where a curve runs and where it is highest."""
    pairs = [
        (layer, value)
        for layer, value in zip(curve.layers, curve.values(statistic), strict=True)
        if math.isfinite(value)
    ]
    if not pairs:
        return f"{name}: no values."
    (first, start), (last, end) = pairs[0], pairs[-1]
    top, highest = max(pairs, key=lambda pair: pair[1])
    words = f"{name}: {number(start, unit)} at {first}, {number(end, unit)} at {last}"
    return words + ("." if top in (first, last) else f", highest {number(highest, unit)} at {top}.")


def curves_alt(
    what: str, curves: Sequence[Curve], names: Sequence[str], *, statistic: str, unit: str = ""
) -> str:
    """Alt text of a line chart by layer."""
    count = max(len(c.layers) for c in curves)
    words = [
        curve_words(c, n, statistic=statistic, unit=unit)
        for c, n in zip(curves, names, strict=True)
    ]
    more = len(words) - MOST_CURVES
    rest = [f"{more} more in the data table."] if more > 0 else []
    return " ".join([f"{what}, {count} layers, {len(curves)} curves.", *words[:MOST_CURVES], *rest])
