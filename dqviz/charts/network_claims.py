"""Sentences about whole networks: norms, margins, and predicting failure."""

from __future__ import annotations

import math
import statistics

import pandas as pd

from dqviz.charts.claim import (
    EQUAL,
    Claim,
    Kind,
    defended_pairs,
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
from dqviz.charts.tidy import ATTACK_NAMES, Curve


def folded_norms(table: pd.DataFrame, *, dq: str = "dq", vanilla: str = "vanilla") -> list[Claim]:
    """Whether DQ's BatchNorm-folded norms are lower: how many, the largest and the median."""
    rows, curves = read(_unattacked(table), "operator_norm_folded", epsilon=None)
    pairs = defended_pairs(curves, dq=dq, vanilla=vanilla)
    if not pairs:
        return [missing(f"folded norms of {dq} and {vanilla} are not both there", rows)]
    return [_folded(one, other, rows) for one, other in pairs]


def _folded(one: Curve, other: Curve, rows: pd.DataFrame) -> Claim:
    both = [
        (value_at(one, layer, "upper"), value_at(other, layer, "upper"))
        for layer in one.layers
        if layer in other.layers
    ]
    pairs = [(a, b) for a, b in both if math.isfinite(a) and math.isfinite(b)]
    if not pairs:
        return missing("the networks share no layer with a folded norm", rows)
    refusal = refusal_for([one, other], rows)
    if refusal:
        return refusal
    lower, higher = (sum(_below(*pair[::step]) for pair in pairs) for step in (1, -1))
    equal = len(pairs) - lower - higher
    tops = [max(column) for column in zip(*pairs, strict=True)]
    middles = [statistics.median(column) for column in zip(*pairs, strict=True)]
    kind: Kind = "undecided"
    if _below(*tops) and _below(*middles) and lower > len(pairs) / 2:
        kind = "supports"
    elif _below(*tops[::-1]) and _below(*middles[::-1]) and higher > len(pairs) / 2:
        kind = "contradicts"
    return Claim(
        f"With BatchNorm folded in, {short_name(one)}'s norm is below {short_name(other)}'s at "
        f"{lower} of {len(pairs)} layers{f' and as good as equal at {equal}' if equal else ''}; "
        f"the largest is {tops[0]:.3g} against {tops[1]:.3g}, the "
        f"median {middles[0]:.3g} against {middles[1]:.3g} (upper bounds).",
        kind,
        rows_of(rows, [one, other]),
    )


def _below(one: float, other: float) -> bool:
    """Whether one number is the smaller by more than the tolerance."""
    return one <= (1 - EQUAL) * other


def margins(table: pd.DataFrame, *, dq: str = "dq", vanilla: str = "vanilla") -> list[Claim]:
    """DQ's margin over the Lipschitz bound, the guaranteed radius, beside vanilla's."""
    rows, curves = read(_unattacked(table), "margin_over_lipschitz", epsilon=None)
    pairs = defended_pairs(curves, dq=dq, vanilla=vanilla)
    if not pairs:
        return [missing(f"margins over L of {dq} and {vanilla} are not both there", rows)]
    claims = []
    for one, other in pairs:
        values = [value_at(c, "network", "median") for c in (one, other)]
        ratio = values[0] / values[1] if values[1] > 0 else math.nan
        refusal = refusal_for([one, other], rows)
        if refusal or not math.isfinite(ratio):
            claims.append(refusal or missing("a margin over L does not exist", rows))
            continue
        claims.append(
            Claim(
                f"{short_name(one)}'s margin over its Lipschitz bound is {times(ratio)} "
                f"{short_name(other)}'s ({values[0]:.2g} against {values[1]:.2g} in pixel units, "
                "medians over the images).",
                "info",
                rows_of(rows, [one, other]),
            )
        )
    return claims


def _unattacked(table: pd.DataFrame) -> pd.DataFrame:
    """The table without epsilons and attacks, which play no part for norms."""
    return table.assign(attack="", epsilon=math.nan)


def failure_predicted(table: pd.DataFrame, *, epsilon: float | None = None) -> list[Claim]:
    """How well amplification picks out the images whose prediction flips, with the interval."""
    network = table[table["layer"] == "network"]
    rows, curves = read(network, "failure_auc_amplification", epsilon=epsilon)
    _, others = read(network, "failure_auc_margin", epsilon=epsilon)
    beside = {(c.key, c.attack): c for c in others}
    claims = [
        _predicted(c, beside.get((c.key, c.attack)), rows) for c in curves if not c.is_control
    ]
    return claims or [missing("the areas under the curve were not measured", rows)]


def _predicted(curve: Curve, margin: Curve | None, rows: pd.DataFrame) -> Claim:
    refusal = refusal_for([curve], rows)
    if refusal:
        return refusal
    value, low, high = (value_at(curve, "network", s) for s in ("value", "low", "high"))
    if not math.isfinite(value):
        attack = ATTACK_NAMES.get(curve.attack, curve.attack)
        return missing(f"{attack} flipped every prediction of {named(curve)} or none", rows)
    said = "the interval holds 0.5, a coin"
    if low > 0.5 or high < 0.5:
        said = "more often than a coin" if low > 0.5 else "less often than a coin"
    return Claim(
        "Centred amplification at the logits ranks an image whose prediction flips above one that "
        f"keeps it with probability {value:.2f} ({low:.2f} to {high:.2f}), {said}{_beside(margin)} "
        f"({named(curve)}, {setting(curve, rows)}).",
        "info",
        rows_of(rows, [curve]),
    )


def _beside(margin: Curve | None) -> str:
    """What the clean margin does on the same images; empty where it was not measured."""
    if margin is None:
        return ""
    value, low, high = (value_at(margin, "network", s) for s in ("value", "low", "high"))
    if not math.isfinite(value):
        return ""
    interval = f" ({low:.2f} to {high:.2f})" if math.isfinite(low + high) else ""
    return f"; the clean margin does with {value:.2f}{interval}"
