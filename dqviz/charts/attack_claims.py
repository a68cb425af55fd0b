"""Sentences on what broke images, and on the smallest epsilons that flip them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from dqviz.charts.breakers import breaker_counts, breaker_curves
from dqviz.charts.chart import ChartError
from dqviz.charts.claim import (
    DEFENDED,
    PLAIN,
    Claim,
    Kind,
    defended_pairs,
    named,
    read,
    refusal_for,
    rows_of,
)
from dqviz.charts.paired import SIGNIFICANT
from dqviz.charts.robust_rows import ROBUST
from dqviz.charts.smallest import METRIC, Flips, median_text, read_flips
from dqviz.charts.tidy import Curve, grey_out
from dqviz.proportions import mcnemar


def broken_by_which(table: pd.DataFrame, *, samples: pd.DataFrame) -> list[Claim]:
    """How many images only a later attack of the ensemble broke, a sentence a sound network."""
    try:
        counts = breaker_counts(table, samples)
    except ChartError:
        return []
    curves = breaker_curves(table)
    rows, _ = read(table, ROBUST, epsilon=None)
    return [
        _broken(curves[name], told, rows)
        for name, told in counts.items()
        if not curves[name].collapsed
    ]


def _broken(curve: Curve, told: Mapping[str, int], rows: pd.DataFrame) -> Claim:
    later = told["apgd_dlr"] + told["square"]
    broken = told["apgd_ce"] + later
    text = (
        f"{named(curve)}: {broken} of {sum(told.values()) - told['clean']} images right unattacked "
        f"are broken, {told['apgd_ce']} by APGD on the cross-entropy"
    )
    more = (
        f"; {told['apgd_dlr']} more fell to APGD-DLR and {told['square']} to Square, which the "
        "first attack alone would have called robust."
        if later
        else "; the attacks after it broke no more."
    )
    return Claim(text + more, "info", rows_of(rows, [curve]))


def smallest_compared(table: pd.DataFrame, *, samples: pd.DataFrame) -> list[Claim]:
    """DQ beside vanilla by the epsilon that flips each image, one sentence a bit-width.

    Only images that both classify correctly unattacked are compared, by an exact sign test.
    """
    try:
        found = {(f.curve.key, f.curve.attack): f for f in read_flips(table, samples).values()}
    except ChartError:
        return []
    rows = grey_out(table[(table["metric"] == METRIC) & (table["layer"] == "network")])
    curves = [flips.curve for flips in found.values()]
    return [
        _smallest(found[one.key, one.attack], found[other.key, other.attack], rows)
        for one, other in defended_pairs(curves, dq=DEFENDED, vanilla=PLAIN)
    ]


def _smallest(one: Flips, other: Flips, rows: pd.DataFrame) -> Claim:
    curves: Sequence[Curve] = [one.curve, other.curve]
    refusal = refusal_for(curves, rows)
    if refusal:
        return refusal
    both = pd.concat([one.by_image, other.by_image], axis=1, join="inner")
    both = both[(both > 0).all(axis=1)]
    first, second = both.iloc[:, 0], both.iloc[:, 1]
    larger, smaller = int((first > second).sum()), int((first < second).sum())
    p = mcnemar(larger, smaller)
    kind: Kind = "undecided"
    if p < SIGNIFICANT:
        kind = "supports" if larger > smaller else "contradicts"
    medians = f"medians {median_text(one)} and {median_text(other)}"
    text = (
        f"Of {len(both)} images that both classify correctly, {named(one.curve)} withstands a "
        f"larger epsilon than {named(other.curve)} on {larger} and a smaller one on {smaller} "
        f"(exact sign test, p {'= ' + format(p, '.2f') if p >= 0.01 else '< 0.01'}; {medians} over "
        "all images)."
    )
    return Claim(text, kind, rows_of(rows, curves))
