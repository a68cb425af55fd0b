"""Sentences on what quantizers do to the noise, and on what bucket flips add."""

from __future__ import annotations

import math

import pandas as pd

from dqviz.charts.claim import (
    Claim,
    by_ratio,
    collapsed,
    missing,
    named,
    read,
    rows_of,
    setting,
    times,
    value_at,
)
from dqviz.charts.tidy import Curve
from dqviz.specs import FULL_PRECISION

DISTANCE = "relative_distance"
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
    refusal = collapsed([curve], rows)
    if refusal:
        return refusal
    gains = {
        layer: gain
        for layer, gain in zip(curve.layers, curve.values(statistic), strict=True)
        if math.isfinite(gain)
    }
    if not gains:
        return missing(f"{named(curve)} has no gain at any quantizer", rows)
    above = sum(gain > 1 for gain in gains.values())
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
    _, whole = read(table, DISTANCE, epsilon=epsilon)
    beside = {(c.key, c.attack): c for c in whole}
    claims = []
    for curve in (c for c in curves if not c.is_control and "logits" in c.layers):
        partner = beside.get((curve.key, curve.attack))
        total = math.nan if partner is None else value_at(partner, "logits", statistic)
        claims.append(_flips(curve, rows, total, statistic))
    return claims or [missing("the contribution of bucket flips was not measured", rows)]


def _flips(curve: Curve, rows: pd.DataFrame, total: float, statistic: str) -> Claim:
    refusal = collapsed([curve], rows)
    if refusal:
        return refusal
    value = value_at(curve, "logits", statistic)
    low, high = value_at(curve, "logits", "q10"), value_at(curve, "logits", "q90")
    if not (math.isfinite(value) and math.isfinite(total)):
        return missing(f"{named(curve)} has no flip contribution at the logits", rows)
    small, mixed = abs(value) < HARDLY * total, low < 0 < high
    verb = "hardly change" if small else ("enlarge" if value > 0 else "reduce")
    tail = ", but for a tenth of the images or more it is the other way round" if mixed else ""
    return Claim(
        f"Bucket flips {verb} the {statistic} distance at the logits, by {abs(value):.2g} of "
        f"{total:.3g}{tail} ({named(curve)}, {setting(curve, rows)}).",
        "undecided" if small or mixed else ("supports" if value > 0 else "contradicts"),
        rows_of(rows, [curve]),
    )
