"""Sentences about how many images two networks classify correctly."""

from __future__ import annotations

import math

import pandas as pd

from dqviz.charts.claim import (
    Claim,
    Kind,
    crafted_elsewhere,
    defended_pairs,
    missing,
    named,
    read,
    refusal_for,
    rows_of,
    setting,
    short_name,
    value_at,
)
from dqviz.charts.paired import SIGNIFICANT, PairedAccuracy, paired_accuracy
from dqviz.charts.tidy import Curve, bits_text


def accuracy_difference(
    table: pd.DataFrame,
    *,
    samples: pd.DataFrame | None = None,
    epsilon: float | None = None,
    metric: str = "clean_accuracy",
    dq: str = "dq",
    vanilla: str = "vanilla",
) -> list[Claim]:
    """DQ's accuracy beside vanilla's, one sentence a bit-width.

    With the images' `samples` an exact sign test on the same images decides; without them the
    95 % intervals do, where they do not overlap. Nothing is decided where a perturbation was
    crafted on another network.

    Args:
        table: rows of one epsilon, or of several with `epsilon` given.
        samples: whether each image is classified correctly, see `paired_accuracy`.
        epsilon: in pixel units.
        metric: `clean_accuracy` or `robust_accuracy`.
        dq, vanilla: the weights compared.
    """
    rows, curves = read(table[table["layer"] == "network"], metric, epsilon=epsilon)
    pairs = defended_pairs([c for c in curves if not c.is_control], dq=dq, vanilla=vanilla)
    if not pairs:
        return [missing(f"the {metric.replace('_', ' ')} of both is not there", rows)]
    return [_difference(one, other, rows, metric, samples) for one, other in pairs]


def _difference(
    one: Curve, other: Curve, rows: pd.DataFrame, metric: str, samples: pd.DataFrame | None
) -> Claim:
    refusal = refusal_for([one, other], rows)
    if refusal:
        return refusal
    paired = paired_accuracy(samples, one, other, metric)
    if paired is not None:
        text, kind = _of_pairs(paired, one, other)
    elif all(math.isfinite(value) for curve in (one, other) for value in _interval(curve)):
        text, kind = _of_intervals(one, other)
    else:
        return missing(f"{named(one)} or {named(other)} has no interval", rows)
    attacked = metric != "clean_accuracy"
    elsewhere = attacked and any(crafted_elsewhere(c, rows) for c in (one, other))
    where = [bits_text(one.weight_bits, one.act_bits)]
    where += [setting(one, rows)] if attacked else []
    return Claim(
        f"Of the {'perturbed' if attacked else 'clean'} images {text}; {', '.join(where)}).",
        "undecided" if elsewhere else kind,
        rows_of(rows, [one, other]),
    )


def _of_pairs(paired: PairedAccuracy, one: Curve, other: Curve) -> tuple[str, Kind]:
    """What the same images say, and what that decides."""
    first, second = (100 * share for share in paired.shares)
    unclear = ", no clear difference" if paired.p >= SIGNIFICANT else ""
    p = f"= {paired.p:.2f}" if paired.p >= 0.01 else ("< 0.01" if paired.p >= 0.001 else "< 0.001")
    text = (
        f"{short_name(one)} classifies {first:.1f} % correctly and {short_name(other)} "
        f"{second:.1f} % ({first - second:+.1f} points); {short_name(one)} alone is right on "
        f"{paired.only_one} of {paired.n}, {short_name(other)} alone on {paired.only_other}"
        f"{unclear} (exact sign test on the same images, p {p}"
    )
    return text, paired.kind


def _of_intervals(one: Curve, other: Curve) -> tuple[str, Kind]:
    """The same from the two intervals alone."""
    (value, low, high), (value2, low2, high2) = _interval(one), _interval(other)
    kind: Kind = "undecided"
    said = "the intervals overlap, so this decides nothing"
    if low > high2 or high < low2:
        kind = "supports" if value > value2 else "contradicts"
        said = "the intervals do not overlap"
    text = (
        f"{short_name(one)} classifies {value:.1f} % correctly ({low:.1f} to {high:.1f}), "
        f"{short_name(other)} {value2:.1f} % ({low2:.1f} to {high2:.1f}): "
        f"{value - value2:+.1f} points, {said} (intervals of 95 %, not paired"
    )
    return text, kind


def _interval(curve: Curve) -> tuple[float, float, float]:
    """An accuracy and its 95 % interval, in percent."""
    value, low, high = (100 * value_at(curve, "network", s) for s in ("value", "low", "high"))
    return value, low, high
