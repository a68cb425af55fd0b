"""Sentences on what quantizers do to the noise, and on what bucket flips add."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from dqviz.charts.claim import (
    EQUAL,
    Claim,
    by_ratio,
    missing,
    named,
    read,
    refusal_for,
    rows_of,
    setting,
    times,
    value_at,
)
from dqviz.charts.tidy import Curve
from dqviz.specs import FULL_PRECISION

DISTANCE = "relative_distance"
CRAFTED = "flip_contribution_crafted"
HARDLY = 0.01
"""Flips that move the distance at the logits by less than this share of it decide nothing."""


def quantizer_enlarges(
    table: pd.DataFrame, *, epsilon: float | None = None, statistic: str = "median"
) -> list[Claim]:
    """At how many layers the quantizer itself enlarges the noise, one sentence a curve."""
    rows, curves = read(table, "quantizer_gain", epsilon=epsilon)
    quantized = [c for c in curves if not c.is_control and c.act_bits != FULL_PRECISION]
    if not quantized:
        return [missing("no activations in the table are quantized", rows)]
    return [_enlarges(c, rows, statistic) for c in quantized]


def _enlarges(curve: Curve, rows: pd.DataFrame, statistic: str) -> Claim:
    refusal = refusal_for([curve], rows)
    if refusal:
        return refusal
    gains = {
        layer: gain
        for layer, gain in zip(curve.layers, curve.values(statistic), strict=True)
        if math.isfinite(gain)
    }
    if not gains:
        return missing(f"{named(curve)} has no gain at any quantizer", rows)
    above = sum(gain >= 1 + EQUAL for gain in gains.values())
    largest = max(gains, key=lambda layer: gains[layer])
    return Claim(
        f"Quantizers enlarge the noise at {above} of {len(gains)} layers, most at {largest} "
        f"({times(gains[largest])}; {named(curve)}, {setting(curve, rows)}).",
        by_ratio(1 + above / len(gains) - 0.5, larger_supports=True),
        rows_of(rows, [curve]),
    )


def flips_effect(
    table: pd.DataFrame, *, epsilon: float | None = None, statistic: str = "median"
) -> list[Claim]:
    """Whether bucket flips enlarge the distance at the logits, one sentence a curve."""
    rows, curves = read(table, "flip_contribution", epsilon=epsilon)
    extra, crafted = read(table, CRAFTED, epsilon=epsilon)
    _, whole = read(table, DISTANCE, epsilon=epsilon)
    rows = pd.concat([rows, extra]) if crafted else rows
    claims = []
    for curve in (c for c in curves if not c.is_control and "logits" in c.layers):
        total, own = (_at_logits(others, curve, statistic) for others in (whole, crafted))
        claims.append(_flips(curve, rows, total, own, statistic))
    return claims or [missing("the contribution of bucket flips was not measured", rows)]


def _at_logits(others: Sequence[Curve], curve: Curve, statistic: str) -> float:
    """The number at the logits of the same network, bits and attack; NaN where there is none."""
    for other in others:
        if (other.key, other.attack) == (curve.key, curve.attack):
            return value_at(other, "logits", statistic)
    return math.nan


def _flips(curve: Curve, rows: pd.DataFrame, total: float, crafted: float, statistic: str) -> Claim:
    refusal = refusal_for([curve], rows)
    if refusal:
        return refusal
    value = value_at(curve, "logits", statistic)
    low, high = value_at(curve, "logits", "q10"), value_at(curve, "logits", "q90")
    if not (math.isfinite(value) and math.isfinite(total)):
        return missing(f"{named(curve)} has no flip contribution at the logits", rows)
    small, mixed = abs(value) < HARDLY * total, low < 0 < high
    verb = "hardly change" if small else ("enlarge" if value > 0 else "reduce")
    tail = ", but for a tenth of the images or more it is the other way round" if mixed else ""
    own = (
        f" Under attacks crafted on each version the {statistic} contribution is {crafted:+.2g}."
        if math.isfinite(crafted)
        else ""
    )
    return Claim(
        f"The {statistic} contribution of bucket flips is {value:+.2g} beside a {statistic} "
        f"distance of {total:.3g} at the logits, so that they {verb} it{tail} "
        f"({named(curve)}, {setting(curve, rows)}).{own}",
        "undecided" if small or mixed else ("supports" if value > 0 else "contradicts"),
        rows_of(rows, [curve]),
    )
