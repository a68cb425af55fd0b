"""What folding BatchNorm in does to each layer's operator norm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dqviz.charts import alt
from dqviz.charts.axes import (
    layer_axis,
    legend_above,
    same_layers,
    value_axis,
)
from dqviz.charts.chart import Chart, ChartError
from dqviz.charts.formulas import FORMULAS
from dqviz.charts.lipschitz import CONSTANTS, along_axis, rows_of_norms, with_upper
from dqviz.charts.style import NetworkStyle, layout
from dqviz.charts.tidy import (
    Curve,
    as_shown,
    curve_names,
    read_curves,
    short_networks,
)
from dqviz.charts.traces import LEVEL_MARGIN, level_line, styles_of


def batchnorm_effect(table: pd.DataFrame, *, height: int = 460) -> Chart:
    """The operator norm of each layer before and after BatchNorm is folded in, joined by a line."""
    rows = rows_of_norms(table, CONSTANTS[1:])
    raw, folded = (read_curves(rows[rows["metric"] == m]) for m in CONSTANTS[1:])
    if not raw:
        raise ChartError("BatchNorm's effect needs the layers' operator norms")
    if not folded:
        raise ChartError("no BatchNorm folds into a layer here, so there is none to compare with")
    along = along_axis([*raw, *folded])
    styles = styles_of([*raw, *folded])
    names = _names(raw)
    joined, left = _joined(raw, folded)
    if not joined:
        raise ChartError("no layer has both an operator norm and one with BatchNorm folded in")
    traces, words = [], []
    values = [1.0]
    for place, (curve, pairs) in enumerate(joined):
        x = _places(pairs, along, curve, place, len(joined))
        traces += _dumbbells(pairs, x, names[curve.key], styles[curve.network])
        values += [v for _, before, after in pairs for v in (before, after)]
        words.append(f"{names[curve.key]}: {_said(pairs)}")
    note = " ".join(f"{names[c.key]} is left out: {why}." for c, why in left)
    axis = layer_axis(along)
    numbered = {"type": "linear", "tickformat": "d"}
    shown = axis.get("categoryarray")
    if shown:  # dumbbells of several networks stand side by side, so places are numbers
        marks = [shown.index(mark) for mark in axis["tickvals"]]
        axis = {**axis, **numbered, "ticktext": axis["tickvals"], "tickvals": marks}
        axis.pop("categoryarray")
    figure = {
        "data": traces,
        "layout": layout(
            height=height,
            key="batchnorm",
            hovermode="closest",
            xaxis=axis,
            yaxis=value_axis("Operator norm (ratio)", values, log=True),
            margin=LEVEL_MARGIN,
            shapes=[level_line(1, "1: non-expansive")],
            legend=legend_above("", height),
        ),
    }
    return Chart(
        figure=go.Figure(figure),
        title="What BatchNorm does to the norms",
        how_to_read="Each line runs from the kernel's own norm (open) to the norm with BatchNorm "
        "folded in (filled): the filled end is what counts for the network.",
        formula=FORMULAS["constants"],
        alt=" ".join(["Dumbbell chart by layer.", *words]),
        table=as_shown(rows),
        note=note,
    )


Pairs = list[tuple[str, float, float]]
"""Layers with their norm before and after folding."""


def _names(curves: Sequence[Curve]) -> dict[tuple[str, int, int], str]:
    """A name a curve, with the bits where a network is there more than once."""
    short = short_networks(c.network for c in curves)
    several = len(short) < len(curves)
    words = curve_names(curves) if several else [short[c.network] for c in curves]
    return {c.key: name for c, name in zip(curves, words, strict=True)}


def _joined(
    raw: Sequence[Curve], folded: Sequence[Curve]
) -> tuple[list[tuple[Curve, Pairs]], list[tuple[Curve, str]]]:
    """The curves with their pairs, and those that have none with the reason."""
    partners = {c.key: c for c in folded}
    joined, left = [], []
    for curve in raw:
        partner = partners.get(curve.key)
        pairs = _pairs(curve, partner) if partner else []
        if pairs:
            joined.append((curve, pairs))
        else:
            why = "no layer has both norms" if partner else "it has no BatchNorm that can be folded"
            left.append((curve, why))
    return joined, left


def _said(pairs: Pairs) -> str:
    higher = sum(after > before for _, before, after in pairs)
    top, folded_top = max(p[1] for p in pairs), max(p[2] for p in pairs)
    return (
        f"folding raises the norm in {higher} of {len(pairs)} layers; the largest goes from "
        f"{alt.number(top)} to {alt.number(folded_top)}."
    )


def _pairs(raw: Curve, folded: Curve) -> Pairs:
    after = dict(zip(folded.layers, with_upper(folded).values("upper"), strict=True))
    before = zip(raw.layers, with_upper(raw).values("upper"), strict=True)
    return [
        (layer, value, after[layer])
        for layer, value in before
        if math.isfinite(value) and math.isfinite(after.get(layer, math.nan))
    ]


def _places(
    pairs: Pairs, along: Sequence[Curve], raw: Curve, place: int, count: int
) -> list[float]:
    """Where the dumbbells of one network stand: beside those of the others at the same layer."""
    shared = same_layers(along)
    order = {layer: i for i, layer in enumerate(along[0].layers if shared else raw.layers)}
    shift = 0.36 * (place - (count - 1) / 2) / max(count - 1, 1)
    first = 0 if shared else 1
    return [order[layer] + shift + first for layer, _, _ in pairs]


def _dumbbells(
    pairs: Pairs, x: Sequence[float], name: str, style: NetworkStyle
) -> list[dict[str, Any]]:
    lines: dict[str, list[float | None]] = {"x": [], "y": []}
    for where, (_, before, after) in zip(x, pairs, strict=True):
        lines["x"] += [where, where, None]
        lines["y"] += [before, after, None]
    joined = {
        "type": "scatter",
        "mode": "lines",
        **lines,
        "line": {"color": style.colour, "width": 2},
        "hoverinfo": "skip",
        "showlegend": False,
        "legendgroup": name,
    }
    ends = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": f"{name}, {word}",
            "legendgroup": name,
            "x": x,
            "y": [pair[which] for pair in pairs],
            "customdata": [pair[0] for pair in pairs],
            "marker": {"symbol": style.marker + fill, "size": 8, "color": style.colour},
            "hovertemplate": f"%{{customdata}}, {name}, {word}: %{{y:.3g}}<extra></extra>",
        }
        for which, word, fill in ((1, "kernel alone", "-open"), (2, "BatchNorm folded", ""))
    ]
    return [joined, *ends]
