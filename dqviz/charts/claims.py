"""Sentences that state results, computed from the very tables that the charts show.

By layer: `growth`, `quantized_against_full`, `dq_against_vanilla`, `attack_against_controls`,
`quantizer_enlarges`, `flips_effect`. Of whole networks (`dqviz.charts.network_claims`):
`folded_norms`, `accuracy_difference`, `failure_predicted`, `margins`. `amplification_claims` and
`lipschitz_claims` gather those that belong to a page.

A sentence describes the rows it was computed from and turns round when they do. Where a clean
accuracy has collapsed or rows are missing it says so and decides nothing. No sentence speaks of
significance unless an interval was computed.
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
from dqviz.charts.network_claims import (
    accuracy_difference,
    failure_predicted,
    folded_norms,
    margins,
)
from dqviz.charts.tidy import ATTACK_NAMES, Curve, bits_text
from dqviz.specs import FULL_PRECISION

__all__ = [
    "Claim",
    "accuracy_difference",
    "amplification_claims",
    "attack_against_controls",
    "dq_against_vanilla",
    "failure_predicted",
    "flips_effect",
    "folded_norms",
    "growth",
    "lipschitz_claims",
    "margins",
    "quantized_against_full",
    "quantizer_enlarges",
]
DISTANCE = "relative_distance"
HARDLY = 0.01
"""Flips that move the distance at the logits by less than this share of it decide nothing."""


def amplification_claims(table: pd.DataFrame, *, epsilon: float | None = None) -> list[Claim]:
    """All sentences of the Amplification page, the comparison of DQ with vanilla first."""
    makers = (
        dq_against_vanilla,
        quantized_against_full,
        growth,
        attack_against_controls,
        quantizer_enlarges,
        flips_effect,
        failure_predicted,
    )
    return [claim for make in makers for claim in make(table, epsilon=epsilon)]


def lipschitz_claims(table: pd.DataFrame) -> list[Claim]:
    """All sentences of the Lipschitz page."""
    return [*folded_norms(table), *margins(table)]


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
            claims.append(_against_full(curve, partner, rows, metric, statistic))
    return claims


def _against_full(
    curve: Curve, full: Curve, rows: pd.DataFrame, metric: str, statistic: str
) -> Claim:
    refusal = collapsed([curve, full], rows)
    if refusal:
        return refusal
    last = last_layer(curve)
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
    return [_against_vanilla(a, b, rows, metric, statistic) for a, b in pairs]


def _against_vanilla(
    one: Curve, other: Curve, rows: pd.DataFrame, metric: str, statistic: str
) -> Claim:
    refusal = collapsed([one, other], rows)
    if refusal:
        return refusal
    last = last_layer(one)
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
            claims.append(_against_controls(curve, controls, rows, statistic))
    return claims or [missing("the table holds no controls", rows)]


def _against_controls(
    curve: Curve, controls: list[Curve], rows: pd.DataFrame, statistic: str
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
    return Claim(
        f"At the last layer the attack moves the activations {times(ratio)} as far as the "
        f"strongest of {len(known)} controls of the same length, {ATTACK_NAMES[strongest.attack]} "
        f"({named(curve)}, {setting(curve, rows)}).",
        by_ratio(ratio, larger_supports=True),
        rows_of(rows, [curve, *known]),
    )


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
    small = abs(value) < HARDLY * total
    verb = "hardly change" if small else ("enlarge" if value > 0 else "reduce")
    tail = "; for a tenth of the images or more the sign is the other one"
    tail = tail if low < 0 < high else ""
    return Claim(
        f"Bucket flips {verb} the {statistic} distance at the logits, by {value:+.2g} of "
        f"{total:.3g}{tail} ({named(curve)}, {setting(curve, rows)}).",
        "undecided" if small else ("supports" if value > 0 else "contradicts"),
        rows_of(rows, [curve]),
    )


def _ratio(top: float, bottom: float) -> float:
    return top / bottom if bottom > 0 else math.nan


def _words(metric: str, statistic: str) -> str:
    return f"{statistic} {metric.replace('_', ' ')}"
