"""Sentences on how far layers move: growth, quantization, the penalty, the controls.

Where the numbers by image are given, two results are compared image by image, and what is said
rests on the interval; without them the medians are compared and no interval is named.
"""

from __future__ import annotations

import math

import pandas as pd

from dqviz.charts.claim import (
    EQUAL,
    Claim,
    by_ratio,
    collapsed,
    defended_pairs,
    family,
    last_layer,
    missing,
    named,
    read,
    rows_of,
    setting,
    short_name,
    times,
    value_at,
)
from dqviz.charts.paired import PairedRatio, paired_ratio
from dqviz.charts.tidy import ATTACK_NAMES, Curve, bits_text

DISTANCE = "relative_distance"


def growth(
    table: pd.DataFrame,
    *,
    epsilon: float | None = None,
    metric: str = DISTANCE,
    statistic: str = "median",
) -> list[Claim]:
    """Whether the distance grows from the first layer to the last, one sentence a curve."""
    rows, curves = read(table, metric, epsilon=epsilon)
    attacks = [c for c in curves if not c.is_control]
    if not attacks:
        return [missing(f"there are no rows of {metric}", rows)]
    return [_growth(c, rows, metric, statistic) for c in attacks]


def _growth(curve: Curve, rows: pd.DataFrame, metric: str, statistic: str) -> Claim:
    refusal = collapsed([curve], rows)
    if refusal:
        return refusal
    first, last = curve.layers[0], last_layer(curve)
    start, end = value_at(curve, first, statistic), value_at(curve, last, statistic)
    ratio = _ratio(end, start)
    if not math.isfinite(ratio):
        return missing(f"{named(curve)} has no {metric} at {first} or {last}", rows)
    verb = "keeps" if abs(ratio - 1) < EQUAL else ("grows to" if ratio > 1 else "shrinks to")
    return Claim(
        f"From the first layer ({first}) to the last ({last}) the {_words(metric, statistic)} "
        f"{verb} {times(ratio)} its size, from {start:.3g} to {end:.3g} ({named(curve)}, "
        f"{setting(curve, rows)}).",
        by_ratio(ratio, larger_supports=True),
        rows_of(rows, [curve]),
    )


def quantized_against_full(
    table: pd.DataFrame,
    *,
    samples: pd.DataFrame | None = None,
    epsilon: float | None = None,
    metric: str = DISTANCE,
    statistic: str = "median",
) -> list[Claim]:
    """Whether quantization enlarges the distance at the last layer, one sentence a network."""
    rows, curves = read(table, metric, epsilon=epsilon)
    attacks = [c for c in curves if not c.is_control]
    full = {(c.network, c.attack): c for c in attacks if c.is_full_precision}
    quantized = [c for c in attacks if not c.is_full_precision]
    if not quantized:
        return [missing("nothing in the table is quantized", rows)]
    claims = []
    for curve in quantized:
        partner = full.get((curve.network, curve.attack))
        if partner is None:
            claims.append(missing(f"{short_name(curve)} is not there at full precision", rows))
        else:
            claims.append(_against_full(curve, partner, rows, metric, statistic, samples))
    return claims


def _against_full(
    curve: Curve,
    full: Curve,
    rows: pd.DataFrame,
    metric: str,
    statistic: str,
    samples: pd.DataFrame | None,
) -> Claim:
    refusal = collapsed([curve, full], rows)
    if refusal:
        return refusal
    last = last_layer(curve)
    paired = paired_ratio(samples, curve, full, last)
    if paired is not None:
        text = (
            f"At {bits_text(curve.weight_bits, curve.act_bits)} the relative distance at the last "
            f"layer is {paired} that at full precision{_verdict(paired)} ({short_name(curve)}, "
            f"{setting(curve, rows)})."
        )
        return Claim(text, paired.kind(larger_supports=True), rows_of(rows, [curve, full]))
    ratio = _ratio(value_at(curve, last, statistic), value_at(full, last, statistic))
    if not math.isfinite(ratio):
        return missing(f"{short_name(curve)} has no {metric} at {last} to compare", rows)
    return Claim(
        f"At {bits_text(curve.weight_bits, curve.act_bits)} the {_words(metric, statistic)} at the "
        f"last layer is {times(ratio)} that at full precision ({short_name(curve)}, "
        f"{setting(curve, rows)}).",
        by_ratio(ratio, larger_supports=True),
        rows_of(rows, [curve, full]),
    )


def dq_against_vanilla(
    table: pd.DataFrame,
    *,
    samples: pd.DataFrame | None = None,
    epsilon: float | None = None,
    metric: str = DISTANCE,
    statistic: str = "median",
    dq: str = "dq",
    vanilla: str = "vanilla",
) -> list[Claim]:
    """Whether DQ's distance at the last layer is the smaller one, one sentence a bit-width."""
    rows, curves = read(table, metric, epsilon=epsilon)
    pairs = defended_pairs([c for c in curves if not c.is_control], dq=dq, vanilla=vanilla)
    if not pairs:
        there = ", ".join(sorted({family(c)[1] for c in curves})) or "neither"
        return [missing(f"{dq} and {vanilla} are not both there (found: {there})", rows)]
    return [_against_vanilla(a, b, rows, metric, statistic, samples) for a, b in pairs]


def _against_vanilla(
    one: Curve,
    other: Curve,
    rows: pd.DataFrame,
    metric: str,
    statistic: str,
    samples: pd.DataFrame | None,
) -> Claim:
    refusal = collapsed([one, other], rows)
    if refusal:
        return refusal
    last = last_layer(one)
    paired = paired_ratio(samples, one, other, last)
    if paired is not None:
        text = (
            f"At the last layer {short_name(one)}'s relative distance is {paired} "
            f"{short_name(other)}'s{_verdict(paired)} "
            f"({bits_text(one.weight_bits, one.act_bits)}, {setting(one, rows)})."
        )
        return Claim(text, paired.kind(larger_supports=False), rows_of(rows, [one, other]))
    ratio = _ratio(value_at(one, last, statistic), value_at(other, last, statistic))
    if not math.isfinite(ratio):
        return missing(f"{named(one)} or {named(other)} has no {metric} at {last}", rows)
    side = "smaller" if ratio < 1 else "larger"
    side = "as good as equal" if abs(ratio - 1) < EQUAL else side
    return Claim(
        f"At the last layer {short_name(one)}'s {_words(metric, statistic)} is {times(ratio)} "
        f"{short_name(other)}'s, {side} ({bits_text(one.weight_bits, one.act_bits)}, "
        f"{setting(one, rows)}).",
        by_ratio(ratio, larger_supports=False),
        rows_of(rows, [one, other]),
    )


def attack_against_controls(
    table: pd.DataFrame,
    *,
    samples: pd.DataFrame | None = None,
    epsilon: float | None = None,
    metric: str = DISTANCE,
    statistic: str = "median",
) -> list[Claim]:
    """Whether the attack moves the last layer further than every control of the same length."""
    rows, curves = read(table, metric, epsilon=epsilon)
    claims = []
    for curve in (c for c in curves if not c.is_control):
        controls = [c for c in curves if c.is_control and c.key == curve.key]
        if controls:
            claims.append(_against_controls(curve, controls, rows, statistic, samples))
    return claims or [missing("the table holds no controls", rows)]


def _against_controls(
    curve: Curve,
    controls: list[Curve],
    rows: pd.DataFrame,
    statistic: str,
    samples: pd.DataFrame | None,
) -> Claim:
    refusal = collapsed([curve], rows)
    if refusal:
        return refusal
    last = last_layer(curve)
    known = [c for c in controls if math.isfinite(value_at(c, last, statistic))]
    if not known:
        return missing(f"the controls of {named(curve)} have no value at {last}", rows)
    strongest = max(known, key=lambda c: value_at(c, last, statistic))
    ratio = _ratio(value_at(curve, last, statistic), value_at(strongest, last, statistic))
    paired = paired_ratio(samples, curve, strongest, last)
    amount = times(ratio) if paired is None else str(paired)
    kind = by_ratio(ratio, larger_supports=True)
    return Claim(
        f"At the last layer the attack moves the activations {amount} as far as the "
        f"strongest of {len(known)} controls of the same length, {ATTACK_NAMES[strongest.attack]} "
        f"({named(curve)}, {setting(curve, rows)}).",
        kind if paired is None else paired.kind(larger_supports=True),
        rows_of(rows, [curve, *known]),
    )


def _verdict(paired: PairedRatio) -> str:
    return ", no clear difference" if paired.low <= 1 <= paired.high else ""


def _ratio(top: float, bottom: float) -> float:
    return top / bottom if bottom > 0 else math.nan


def _words(metric: str, statistic: str) -> str:
    return f"{statistic} {metric.replace('_', ' ')}"
