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
from dqviz.charts.style import layout
from dqviz.charts.tidy import (
    Curve,
    as_shown,
    read_curves,
    short_networks,
)
from dqviz.charts.traces import LEVEL_MARGIN, level_line, styles_of


def batchnorm_effect(table: pd.DataFrame, *, height: int = 460) -> Chart:
    """The operator norm of each layer before and after BatchNorm is folded in, joined by a line."""
    rows = rows_of_norms(table, CONSTANTS[1:])
    raw, folded = (read_curves(rows[rows["metric"] == m]) for m in CONSTANTS[1:])
    if not raw or not folded:
        raise ChartError("BatchNorm's effect needs operator_norm and operator_norm_folded rows")
    along = along_axis([*raw, *folded])
    styles = styles_of(along)
    networks = short_networks(c.network for c in raw)
    traces, words = [], []
    values = [1.0]
    for place, curve in enumerate(raw):
        partner = next((c for c in folded if c.network == curve.network), None)
        if partner is None:
            continue
        name = networks[curve.network]
        pairs = _pairs(curve, partner)
        traces += _dumbbells(pairs, along, name, styles[curve.network], place, len(raw))
        values += [v for _, before, after in pairs for v in (before, after)]
        higher = sum(after > before for _, before, after in pairs)
        words.append(
            f"{name}: folding raises the norm in {higher} of {len(pairs)} layers; the largest "
            f"goes from {alt.number(max(p[1] for p in pairs))} to "
            f"{alt.number(max(p[2] for p in pairs))}."
        )
    axis = layer_axis(along)
    numbered = {"type": "linear", "tickformat": "d"}
    names = axis.get("categoryarray")
    if names:  # dumbbells of several networks stand side by side, so places are numbers
        marks = [names.index(mark) for mark in axis["tickvals"]]
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
    )


def _pairs(raw: Curve, folded: Curve) -> list[tuple[str, float, float]]:
    after = dict(zip(folded.layers, with_upper(folded).values("upper"), strict=True))
    before = zip(raw.layers, with_upper(raw).values("upper"), strict=True)
    return [
        (layer, value, after[layer])
        for layer, value in before
        if math.isfinite(value) and math.isfinite(after.get(layer, math.nan))
    ]


def _dumbbells(
    pairs: Sequence[tuple[str, float, float]],
    along: Sequence[Curve],
    name: str,
    style: Any,
    place: int,
    count: int,
) -> list[dict[str, Any]]:
    order = {layer: i for i, layer in enumerate(along[0].layers)}
    shift = 0.36 * (place - (count - 1) / 2) / max(count - 1, 1)
    first = 0 if same_layers(along) else 1
    x = [order.get(layer, i) + shift + first for i, (layer, _, _) in enumerate(pairs)]
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
