"""Sentences on how far layers move: growth, quantization, the penalty, the controls.

Where the numbers by image are given, two results are compared image by image, and what is said
rests on the interval; without them the medians are compared and no interval is named. Nothing is
decided unless most layers agree with the last one.
"""

from __future__ import annotations

import dataclasses
import math

import pandas as pd

from dqviz.charts.claim import (
    EQUAL,
    Claim,
    by_ratio,
    crafted_elsewhere,
    defended_pairs,
    family,
    last_layer,
    missing,
    named,
    read,
    refusal_for,
    rows_of,
    setting,
    short_name,
    times,
    value_at,
)
from dqviz.charts.comparison import DISTANCE, Comparison, compare, ratio, words
from dqviz.charts.tidy import ATTACK_NAMES, Curve, bits_text


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Asked:
    """What is compared: a metric's rows, by which statistic, and the numbers by image."""

    rows: pd.DataFrame
    metric: str
    statistic: str
    samples: pd.DataFrame | None = None

    def compare(self, one: Curve, other: Curve) -> Comparison:
        """One curve over another."""
        return compare(
            one, other, metric=self.metric, statistic=self.statistic, samples=self.samples
        )

    def what(self, found: Comparison) -> str:
        """The metric in words; the statistic, where it is what was compared."""
        return words(self.metric, self.statistic if found.paired is None else "")


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
    asked = _Asked(rows=rows, metric=metric, statistic=statistic)
    return [_growth(asked, c) for c in attacks]


def _growth(asked: _Asked, curve: Curve) -> Claim:
    rows = asked.rows
    refusal = refusal_for([curve], rows)
    if refusal:
        return refusal
    first, last = curve.layers[0], last_layer(curve)
    start, end = (value_at(curve, layer, asked.statistic) for layer in (first, last))
    grown = ratio(end, start)
    if not math.isfinite(grown):
        return missing(f"{named(curve)} has no {words(asked.metric)} at {first} or {last}", rows)
    verb = "keeps" if abs(grown - 1) < EQUAL else ("grows to" if grown > 1 else "shrinks to")
    return Claim(
        f"From the first layer ({first}) to the last ({last}) the "
        f"{words(asked.metric, asked.statistic)} {verb} {times(grown)} its size, from {start:.3g} "
        f"to {end:.3g} ({named(curve)}, {setting(curve, rows)}).",
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

    Image by image where `samples` hold the metric.
    """
    rows, curves = read(table, metric, epsilon=epsilon)
    attacks = [c for c in curves if not c.is_control]
    full = {(c.network, c.attack): c for c in attacks if c.is_full_precision}
    quantized = [c for c in attacks if not c.is_full_precision]
    if not quantized:
        return [missing("nothing in the table is quantized", rows)]
    asked = _Asked(rows=rows, metric=metric, statistic=statistic, samples=samples)
    claims = []
    for curve in quantized:
        partner = full.get((curve.network, curve.attack))
        if partner is None:
            claims.append(missing(f"{short_name(curve)} is not there at full precision", rows))
        else:
            claims.append(_against_full(asked, quantized=curve, full=partner))
    return claims


def _against_full(asked: _Asked, *, quantized: Curve, full: Curve) -> Claim:
    refusal = refusal_for([quantized, full], asked.rows)
    if refusal:
        return refusal
    found = asked.compare(quantized, full)
    name = short_name(quantized)
    if not found.is_known:
        return missing(f"{name} has no {words(asked.metric)} at the last layer", asked.rows)
    return Claim(
        f"At {bits_text(quantized.weight_bits, quantized.act_bits)} the {asked.what(found)} at the "
        f"last layer is {found.amount} that at full precision{found.verdict}; {found.layers} "
        f"({name}, {setting(quantized, asked.rows)}).",
        found.kind(larger_supports=True),
        rows_of(asked.rows, [quantized, full]),
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

    Nothing is decided where a perturbation was crafted on another network. Image by image where
    `samples` hold the metric.
    """
    rows, curves = read(table, metric, epsilon=epsilon)
    pairs = defended_pairs([c for c in curves if not c.is_control], dq=dq, vanilla=vanilla)
    if not pairs:
        there = ", ".join(sorted({family(c)[1] for c in curves})) or "neither"
        return [missing(f"{dq} and {vanilla} are not both there (found: {there})", rows)]
    asked = _Asked(rows=rows, metric=metric, statistic=statistic, samples=samples)
    return [_against_vanilla(asked, defended=one, plain=other) for one, other in pairs]


def _against_vanilla(asked: _Asked, *, defended: Curve, plain: Curve) -> Claim:
    rows, both = asked.rows, [defended, plain]
    refusal = refusal_for(both, rows)
    if refusal:
        return refusal
    found = asked.compare(defended, plain)
    if not found.is_known:
        names = f"{named(defended)} or {named(plain)}"
        return missing(f"{names} has no {words(asked.metric)} to compare", rows)
    elsewhere = any(crafted_elsewhere(curve, rows) for curve in both)
    return Claim(
        f"At the last layer {short_name(defended)}'s {asked.what(found)} is {found.amount} "
        f"{short_name(plain)}'s{_side(found)}; {found.layers} "
        f"({bits_text(defended.weight_bits, defended.act_bits)}, {setting(defended, rows)}).",
        "undecided" if elsewhere else found.kind(larger_supports=False),
        rows_of(rows, both),
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
    asked = _Asked(rows=rows, metric=metric, statistic=statistic, samples=samples)
    claims = []
    for curve in (c for c in curves if not c.is_control):
        controls = [c for c in curves if c.is_control and c.key == curve.key]
        if controls:
            claims.append(_against_controls(asked, attack=curve, controls=controls))
    return claims or [missing("the table holds no controls", rows)]


def _against_controls(asked: _Asked, *, attack: Curve, controls: list[Curve]) -> Claim:
    rows = asked.rows
    refusal = refusal_for([attack], rows)
    if refusal:
        return refusal
    last = last_layer(attack)
    sizes = [(value_at(c, last, asked.statistic), c) for c in controls]
    known = [(size, control) for size, control in sizes if math.isfinite(size)]
    if not known:
        return missing(f"the controls of {named(attack)} have no value at {last}", rows)
    _, strongest = max(known, key=lambda pair: pair[0])
    found = asked.compare(attack, strongest)
    by = "" if asked.metric == DISTANCE else f", by the {words(asked.metric, asked.statistic)}"
    return Claim(
        f"At the last layer the attack moves the activations {found.amount} as far as the "
        f"strongest of {len(known)} controls of the same length, "
        f"{ATTACK_NAMES[strongest.attack]}{found.verdict}{by} "
        f"({named(attack)}, {setting(attack, rows)}).",
        "info",
        rows_of(rows, [attack, *[control for _, control in known]]),
    )
