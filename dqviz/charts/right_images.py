"""Which images two networks classify correctly: both, one of them alone, or neither."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dqviz.charts.axes import note_annotation, row_axis, stack_legend
from dqviz.charts.chart import Chart, ChartError
from dqviz.charts.formulas import FORMULAS
from dqviz.charts.paired import PairedAccuracy, paired_accuracy
from dqviz.charts.robust_rows import CLEAN, ROBUST, ROUNDED
from dqviz.charts.style import DARK_GREY, GREY, SLOTS, WRITTEN, layout, solid_bar
from dqviz.charts.tidy import (
    Curve,
    collapse_note,
    curve_names,
    grey_out,
    one_epsilon,
    read_curves,
)
from dqviz.specs import CONTROLS

Key = tuple[str, int, int]
"""A network, MODEL/WEIGHTS, and its weight and activation bits."""

LABELS = {CLEAN: "Clean", ROBUST: "Attacked", ROUNDED: "Attacked, rounded"}
"""The rows of the picture: images as they are, under attack, and rounded to 8 bits after it."""

LOOKS = ((GREY, ""), (SLOTS[0].colour, "/"), (SLOTS[1].colour, "\\"), (DARK_GREY, "."))
"""Colour and hatching of: both right, the first alone, the other alone, neither."""


def compared(table: pd.DataFrame, *, epsilon: float | None = None) -> dict[str, Curve]:
    """What can be compared: each network at its bits, by its name.

    Raises:
        ChartError: if no accuracy under attack is there, or of several epsilons or attacks.
    """
    rows = table[(table["metric"] == ROBUST) & ~table["attack"].isin(CONTROLS)]
    curves = read_curves(grey_out(one_epsilon(rows, epsilon)))
    if not curves or len({curve.attack for curve in curves}) > 1:
        raise ChartError(f"accuracies under one attack are needed; found {len(curves)} networks")
    return dict(zip(curve_names(curves), curves, strict=True))


def pair_of(curves: dict[str, Curve], one: Key, other: Key) -> tuple[str, str]:
    """The names of two networks among those `compared`.

    Raises:
        ChartError: if one of them is not there, or the two are one.
    """
    names = {curve.key: name for name, curve in curves.items()}
    if one not in names or other not in names or one == other:
        raise ChartError(f"two of {', '.join(curves)} are needed; got {one} and {other}")
    return names[one], names[other]


def who_is_right(
    table: pd.DataFrame,
    samples: pd.DataFrame,
    *,
    one: Key,
    other: Key,
    epsilon: float | None = None,
) -> Chart:
    """On how many images both networks are right, one alone, the other alone, or neither.

    Args:
        table: tidy rows with accuracies under one attack.
        samples: whether each image is classified correctly, of the same epsilon.
        one, other: the two networks, at their bits.
        epsilon: pixel units; needed where the table holds several.

    Raises:
        ChartError: if a network is unknown, or the two share no images.
    """
    curves = compared(table, epsilon=epsilon)
    first, second = pair_of(curves, one, other)
    found = {
        metric: pair
        for metric in LABELS
        if (pair := paired_accuracy(samples, curves[first], curves[second], metric)) is not None
    }
    if not found:
        raise ChartError(f"{first} and {second} have not been run on the same images")
    labels = [LABELS[metric] for metric in found]
    parts = {
        "both right": [p.both for p in found.values()],
        f"only {first}": [p.only_one for p in found.values()],
        f"only {second}": [p.only_other for p in found.values()],
        "neither": [p.neither for p in found.values()],
    }
    total = max(pair.n for pair in found.values())
    note = collapse_note(curves[first].collapsed or curves[second].collapsed)
    height = 150 + 62 * len(labels)
    figure = {
        "data": [
            _bar(name, labels, counts, place) for place, (name, counts) in enumerate(parts.items())
        ],
        "layout": layout(
            height=height,
            key="who is right",
            hovermode="closest",
            barmode="stack",
            bargap=0.35,
            xaxis={"title": {"text": "Images (number)"}, "range": [0, total]},
            yaxis=row_axis("Images (state)", labels),
            annotations=note_annotation(note),
            legend=stack_legend(note, height),
        ),
    }
    words = [
        f"{label}: {', '.join(f'{name} {counts[i]}' for name, counts in parts.items())}"
        for i, label in enumerate(labels)
    ]
    return Chart(
        figure=go.Figure(figure),
        title="Who is right on which images",
        how_to_read="Each bar is all images, split by who classifies them correctly; the two "
        "hatched parts are where the networks differ, and McNemar's test compares these alone.",
        formula=FORMULAS["mcnemar"],
        alt=f"Stacked bars of {total} images. {'; '.join(words)}.",
        table=_pair_rows(found, first, second),
        note=note,
    )


def _bar(name: str, labels: Sequence[str], counts: Sequence[int], place: int) -> dict[str, Any]:
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "x": list(counts),
        "y": list(labels),
        "text": [str(count) if count else "" for count in counts],
        "textposition": "inside",
        "insidetextanchor": "middle",
        "insidetextfont": WRITTEN,
        "textangle": 0,
        "marker": solid_bar(*LOOKS[place]),
        "hovertemplate": f"%{{y}}, {name}: %{{x}}<extra></extra>",
    }


def _pair_rows(found: dict[str, PairedAccuracy], one: str, other: str) -> pd.DataFrame:
    """The counts, the difference in percentage points with its interval, and McNemar's p."""
    rows = []
    for metric, pair in found.items():
        told = pair.difference
        rows.append(
            {
                "one": one,
                "other": other,
                "metric": metric,
                **dataclasses.asdict(pair),
                "neither": pair.neither,
                "difference": told.value,
                "low": told.low,
                "high": told.high,
                "mcnemar_p": told.p_value,
            }
        )
    return pd.DataFrame(rows)
