"""Bucket flips: how many codes change, and whether the changes enlarge the distance."""

from __future__ import annotations

import dataclasses
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dqviz.charts import alt
from dqviz.charts.axes import layer_axis, legend_above, note_annotation, stacked, value_axis
from dqviz.charts.chart import Chart, ChartError
from dqviz.charts.formulas import FORMULAS, TITLES
from dqviz.charts.notes import chart_note
from dqviz.charts.style import layout
from dqviz.charts.tidy import (
    Curve,
    as_shown,
    collapse_note,
    curve_names,
    read_curves,
    select,
)
from dqviz.charts.traces import (
    LEVEL_MARGIN,
    colour_of,
    curve_band,
    curve_line,
    level_line,
    line_style,
    styles_of,
)
from dqviz.specs import CONTROLS, FULL_PRECISION

METRICS = ("bucket_flip_rate", "flip_contribution")


def flips(
    table: pd.DataFrame,
    *,
    statistic: str = "median",
    epsilon: float | None = None,
    height: int = 600,
) -> Chart:
    """Above, the share of changed codes by layer; below, what the changes add at the logits.

    Rows at full activation precision and controls are left out. The lower panel is missing where
    the table has no `flip_contribution`.
    """
    quantized = table[(table["act_bits"] != FULL_PRECISION) & ~table["attack"].isin(CONTROLS)]
    if quantized.empty:
        raise ChartError("bucket flips need activations of 8 bits or fewer; found none")
    rows = select(quantized, METRICS, epsilon=epsilon)
    rows = rows[rows["statistic"].isin([statistic, "q10", "q90", "nan_count"])]
    rates, parts = (read_curves(rows[rows["metric"] == m]) for m in METRICS)
    if not rates:
        raise ChartError("no rows with the metric bucket_flip_rate")
    note = collapse_note(any(c.collapsed for c in rates))
    domains = stacked((1, 1), gap=0.08) if parts else [[0.0, 1.0], [0.0, 0.0]]
    panels: dict[str, Any] = {
        "yaxis": value_axis(
            TITLES["bucket_flip_rate"], [], log=False, domain=domains[0], rangemode="tozero"
        )
    }
    if parts:
        title = "Distance added by flips<br>at the logits (ratio)"
        panels["yaxis2"] = value_axis(title, [], log=False, domain=domains[1])
    along = _with_logits(rates, parts)
    data = _panel(rates, along, statistic, axis="y", percent=True)
    data += _panel(parts, along, statistic, axis="y2", percent=False)
    names = curve_names(rates)
    words = alt.curves_alt(
        f"Share of changed codes by layer ({statistic})", rates, names, statistic=statistic
    )
    if parts:
        words += " " + alt.curves_alt(
            "Below, the distance that flips add at the logits",
            parts,
            curve_names(parts),
            statistic=statistic,
        )
    figure = {
        "data": data,
        "layout": layout(
            height=height if parts else height * 2 // 3,
            key="flips",
            xaxis={**layer_axis(along), "anchor": "y2" if parts else "y"},
            **panels,
            hoversubplots="axis",
            margin=LEVEL_MARGIN,
            shapes=[level_line(0, "0: no effect", axis="y2")] if parts else [],
            legend=legend_above(note, height),
            annotations=note_annotation(note),
        ),
    }
    return Chart(
        figure=go.Figure(figure),
        title="Bucket flips and what they add",
        how_to_read="Above: how many codes the attack changes; below: how much further the logits "
        "move because of the changes at that layer (at 'logits': at all layers together), where "
        "below 0 the flips hold the attack back.",
        formula=FORMULAS["flips"],
        alt=words,
        table=as_shown(rows),
        note=chart_note([*rates, *parts]),
    )


def _with_logits(rates: list[Curve], parts: list[Curve]) -> list[Curve]:
    """Curves with the layers that the axis must hold: contributions have the logits besides."""
    layers: dict[str, dict[str, None]] = {}
    for curve in [*rates, *parts]:
        layers.setdefault(curve.network, {}).update(dict.fromkeys(curve.layers))
    whole = [
        dataclasses.replace(curve, layers=tuple(layers[curve.network]), statistics={})
        for curve in {c.network: c for c in [*rates, *parts]}.values()
    ]
    longest = max(whole, key=lambda c: len(c.layers))
    inside = all(c.layers == longest.layers[: len(c.layers)] for c in whole)
    return [longest] if inside else whole


def _panel(
    curves: list[Curve], along: list[Curve], statistic: str, *, axis: str, percent: bool
) -> list[dict[str, Any]]:
    styles = styles_of(curves)
    traces = []
    for curve, name in zip(curves, curve_names(curves), strict=True):
        shade = curve_band(curve, along, colour=colour_of(curve, styles), log=False)
        line = curve_line(
            curve,
            along,
            name=f"{name}: {'codes changed' if percent else 'added distance'}",
            statistic=statistic,
            log=False,
            style=line_style(curve, styles),
        )
        if percent:
            for trace in (shade, line):
                trace["y"] = [None if v is None else 100 * v for v in trace["y"]]
            line["hovertemplate"] = line["hovertemplate"].replace("%{y:.3g}", "%{y:.3g} %")
        traces += [shade, {**line, "name": name, "legendgroup": name, "showlegend": axis == "y"}]
    return [{**trace, "yaxis": axis} for trace in traces]
