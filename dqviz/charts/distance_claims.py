"""Sentences on how far layers move: growth, quantization, the penalty, the controls.

Where the numbers by image are given, two results are compared image by image, and what is said
rests on the interval; without them the medians are compared and no interval is named. Nothing is
decided unless most layers agree with the last one.
"""

from __future__ import annotations

import math

import pandas as pd

from dqviz.charts.claim import (
    EQUAL,
    Claim,
    by_ratio,
    collapsed,
    crafted_elsewhere,
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
from dqviz.charts.comparison import DISTANCE, Comparison, compare, ratio, words
from dqviz.charts.tidy import ATTACK_NAMES, Curve, bits_text


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
        return [missing(f"there are no rows of the {words(metric)}", rows)]
    return [_growth(c, rows, metric, statistic) for c in attacks]


def _growth(curve: Curve, rows: pd.DataFrame, metric: str, statistic: str) -> Claim:
    refusal = collapsed([curve], rows)
    if refusal:
        return refusal
    first, last = curve.layers[0], last_layer(curve)
    start, end = value_at(curve, first, statistic), value_at(curve, last, statistic)
    grown = ratio(end, start)
    if not math.isfinite(grown):
        return missing(f"{named(curve)} has no {words(metric)} at {first} or {last}", rows)
    verb = "keeps" if abs(grown - 1) < EQUAL else ("grows to" if grown > 1 else "shrinks to")
    return Claim(
        f"From the first layer ({first}) to the last ({last}) the {words(metric, statistic)} "
        f"{verb} {times(grown)} its size, from {start:.3g} to {end:.3g} ({named(curve)}, "
        f"{setting(curve, rows)}).",
        by_ratio(grown, larger_supports=True),
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
    """Whether quantization enlarges the distance at the last layer, one sentence a network.

    `samples` are used with the relative distance only, which they hold.
    """
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
    found = compare(curve, full, metric=metric, statistic=statistic, samples=samples)
    if not found.is_known:
        return missing(f"{short_name(curve)} has no {words(metric)} at the last layer", rows)
    what = words(metric, statistic if found.paired is None else "")
    return Claim(
        f"At {bits_text(curve.weight_bits, curve.act_bits)} the {what} at the last layer is "
        f"{found.amount} that at full precision{found.verdict}; {found.layers} "
        f"({short_name(curve)}, {setting(curve, rows)}).",
        found.kind(larger_supports=True),
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
    """Whether DQ's distance at the last layer is the smaller one, one sentence a bit-width.

    Nothing is decided where a perturbation was crafted on another network. `samples` are used with
    the relative distance only, which they hold.
    """
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
    found = compare(one, other, metric=metric, statistic=statistic, samples=samples)
    if not found.is_known:
        return missing(f"{named(one)} or {named(other)} has no {words(metric)} to compare", rows)
    elsewhere = any(crafted_elsewhere(c, rows) for c in (one, other))
    what = words(metric, statistic if found.paired is None else "")
    return Claim(
        f"At the last layer {short_name(one)}'s {what} is {found.amount} {short_name(other)}'s"
        f"{_side(found)}; {found.layers} "
        f"({bits_text(one.weight_bits, one.act_bits)}, {setting(one, rows)}).",
        "undecided" if elsewhere else found.kind(larger_supports=False),
        rows_of(rows, [one, other]),
    )


def _side(found: Comparison) -> str:
    """Which side the ratio is on, or the interval's verdict where there is one."""
    if found.paired is not None:
        return found.verdict
    if abs(found.ratio - 1) < EQUAL:
        return ", as good as equal"
    return ", smaller" if found.ratio < 1 else ", larger"


def attack_against_controls(
    table: pd.DataFrame,
    *,
    samples: pd.DataFrame | None = None,
    epsilon: float | None = None,
    metric: str = DISTANCE,
    statistic: str = "median",
) -> list[Claim]:
    """How far the attack moves the last layer beside every control of the same length."""
    rows, curves = read(table, metric, epsilon=epsilon)
    claims = []
    for curve in (c for c in curves if not c.is_control):
        controls = [c for c in curves if c.is_control and c.key == curve.key]
        if controls:
            claims.append(_against_controls(curve, controls, rows, metric, statistic, samples))
    return claims or [missing("the table holds no controls", rows)]


def _against_controls(
    curve: Curve,
    controls: list[Curve],
    rows: pd.DataFrame,
    metric: str,
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
    found = compare(curve, strongest, metric=metric, statistic=statistic, samples=samples)
    by = "" if metric == DISTANCE else f", by the {words(metric, statistic)}"
    return Claim(
        f"At the last layer the attack moves the activations {found.amount} as far as the "
        f"strongest of {len(known)} controls of the same length, "
        f"{ATTACK_NAMES[strongest.attack]}{found.verdict}{by} "
        f"({named(curve)}, {setting(curve, rows)}).",
        "info",
        rows_of(rows, [curve, *known]),
    )
