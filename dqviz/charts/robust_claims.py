"""Sentences about two networks on the same images, clean and under attack."""

from __future__ import annotations

import pandas as pd

from dqviz.charts.attack_success import common_images
from dqviz.charts.chart import ChartError
from dqviz.charts.claim import (
    DEFENDED,
    PLAIN,
    Claim,
    Kind,
    crafted_elsewhere,
    family,
    named,
    read,
    refusal_for,
    rows_of,
    setting,
    trained_how,
)
from dqviz.charts.paired import SIGNIFICANT, paired_accuracy
from dqviz.charts.right_images import Key, compared, pair_of
from dqviz.charts.robust_rows import CLEAN, ROBUST
from dqviz.charts.tidy import Curve
from dqviz.proportions import PairedDifference, paired_of


def two_compared(
    table: pd.DataFrame, *, samples: pd.DataFrame, one: Key, other: Key
) -> list[Claim]:
    """Two networks on the same images, clean and attacked: the difference, and McNemar's test.

    Args:
        table: tidy rows of one epsilon and one attack.
        samples: whether each image is classified correctly.
        one, other: the two networks, at their bits.
    """
    try:
        curves = compared(table)
        first, second = pair_of(curves, one, other)
    except ChartError:
        return []
    pair = curves[first], curves[second]
    rows, _ = read(table, ROBUST, epsilon=None)
    refusal = refusal_for(pair, rows)
    if refusal:
        return [refusal]
    found = []
    for metric in (CLEAN, ROBUST):
        right = paired_accuracy(samples, *pair, metric)
        if right is not None:
            shares = tuple(100 * share for share in right.shares)
            what = "clean images" if metric == CLEAN else f"images under {setting(pair[0], rows)},"
            text = (
                f"Of the {what} {named(pair[0])} classifies {shares[0]:.1f} % correctly and "
                f"{named(pair[1])} {shares[1]:.1f} %: {difference_text(right.difference)}."
            )
            kind = _kind(pair, right.difference, rows, attacked=metric == ROBUST)
            found.append(Claim(text, kind, rows_of(rows, pair)))
    return [*found, *_flipped(table, samples, (first, second), rows, pair)]


def _flipped(
    table: pd.DataFrame,
    samples: pd.DataFrame,
    names: tuple[str, str],
    rows: pd.DataFrame,
    pair: tuple[Curve, Curve],
) -> list[Claim]:
    """Attack success on the images that all networks classify correctly."""
    try:
        fooled = common_images(table, samples).fooled
    except ChartError:
        return []
    if not set(names) <= set(fooled) or fooled.empty:
        return []
    a, b = (fooled[name] for name in names)
    told = paired_of(a, b)
    text = (
        f"Of the {told.n} images that all networks here classify correctly the attack flips "
        f"{100 * a.mean():.1f} % for {named(pair[0])} and {100 * b.mean():.1f} % for "
        f"{named(pair[1])}: {difference_text(told)}."
    )
    fewer = PairedDifference(
        -told.value, -told.high, -told.low, told.n, told.only_b, told.only_a, told.p_value
    )
    return [Claim(text, _kind(pair, fewer, rows, attacked=True), rows_of(rows, pair))]


def _kind(
    pair: tuple[Curve, Curve], right: PairedDifference, rows: pd.DataFrame, *, attacked: bool
) -> Kind:
    """What a difference says of DQ, where the two differ in DQ alone; else it informs."""
    (model, weights), (other_model, other_weights) = map(family, pair)
    (method, rest), (other_method, other_rest) = map(trained_how, (weights, other_weights))
    alike = model == other_model and rest == other_rest and pair[0].key[1:] == pair[1].key[1:]
    if not alike or {method, other_method} != {DEFENDED, PLAIN}:
        return "info"
    if right.p_value >= SIGNIFICANT or (attacked and any(crafted_elsewhere(c, rows) for c in pair)):
        return "undecided"
    return "supports" if (right.value > 0) == (method == DEFENDED) else "contradicts"


def difference_text(told: PairedDifference) -> str:
    """A paired difference in words, with its interval and McNemar's test."""
    p = f"p = {told.p_value:.2f}" if told.p_value >= 0.01 else "p < 0.01"
    unclear = ", no clear difference" if told.p_value >= SIGNIFICANT else ""
    return (
        f"{100 * told.value:+.1f} points{unclear} (95 % interval {100 * told.low:+.1f} to "
        f"{100 * told.high:+.1f}, image by image; {told.only_a} against {told.only_b} images, "
        f"McNemar's exact test {p})"
    )
