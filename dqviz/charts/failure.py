"""How well amplification predicts that an image's prediction flips, beside the clean margin."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dqviz.charts.alt import number
from dqviz.charts.axes import legend_above, note_annotation, row_axis
from dqviz.charts.chart import Chart, ChartError
from dqviz.charts.formulas import FORMULAS
from dqviz.charts.lines import lines_by_layer
from dqviz.charts.notes import chart_note
from dqviz.charts.shares import whiskers
from dqviz.charts.style import GREY, bits_marker, layout
from dqviz.charts.tidy import (
    Curve,
    as_shown,
    collapse_note,
    curve_names,
    read_curves,
    select,
)
from dqviz.charts.traces import colour_of, styles_of
from dqviz.specs import CONTROLS

SCORES = {
    "failure_auc_amplification": "centred amplification at the logits",
    "failure_auc_margin": "small clean margin",
}


def failure_prediction(
    table: pd.DataFrame, *, epsilon: float | None = None, height: int | None = None
) -> Chart:
    """How well amplification tells flipped predictions from kept ones, beside the clean margin.

    Areas under the curve with 95 % intervals and the line of a coin at 0.5. Controls are left out.
    """
    network = table[~table["attack"].isin(CONTROLS) & (table["layer"] == "network")]
    rows = select(network, SCORES, epsilon=epsilon)
    parts = {m: read_curves(rows[rows["metric"] == m]) for m in SCORES}
    curves = max(parts.values(), key=len)
    note = collapse_note(any(c.collapsed for c in curves))
    lacking = sum(not math.isfinite(c.values("value")[0]) for each in parts.values() for c in each)
    if lacking == sum(len(each) for each in parts.values()):
        raise ChartError(
            "no area under the curve: the attack flipped every prediction or none at this epsilon"
        )
    data, words = [], []
    for metric, score in SCORES.items():
        trace, said = _areas(parts[metric], curve_names(parts[metric]), metric, score)
        data.append(trace)
        words += said
    height = height or 200 + 44 * len(curves)
    figure = {
        "data": data,
        "layout": layout(
            height=height,
            key="failure",
            hovermode="closest",
            xaxis={
                "title": {"text": "Area under the ROC curve (0.5 = a coin, 1 = perfect)"},
                "range": [-0.02, 1.02],
                "zeroline": False,
            },
            yaxis=row_axis("Network and bit-width (bits)", curve_names(curves)),
            scattermode="group",
            shapes=[
                {
                    "type": "line",
                    "yref": "paper",
                    "x0": 0.5,
                    "x1": 0.5,
                    "y0": 0,
                    "y1": 1,
                    "line": {"color": GREY, "width": 1.5, "dash": "dot"},
                }
            ],
            legend=legend_above(note, height),
            annotations=note_annotation(note),
        ),
    }
    return Chart(
        figure=go.Figure(figure),
        title="Does amplification predict failure?",
        how_to_read="The further right of the dotted line, the better the score picks out the "
        "images whose prediction flips; an interval that crosses the line may be chance.",
        formula=FORMULAS["failure"],
        alt=f"Dot chart of areas under the ROC curve. {'; '.join(words)}.",
        table=as_shown(rows),
        note=chart_note([c for each in parts.values() for c in each]),
    )


def _areas(
    curves: Sequence[Curve], names: Sequence[str], metric: str, score: str
) -> tuple[dict[str, Any], list[str]]:
    filled = metric == "failure_auc_amplification"
    styles = styles_of(curves)
    value, low, high = ([c.values(s)[0] for c in curves] for s in ("value", "low", "high"))
    symbols = [styles[c.network].marker if filled else bits_marker("cross", 8, 32) for c in curves]
    trace = {
        "type": "scatter",
        "mode": "markers",
        "orientation": "h",
        "name": score,
        "x": [v if math.isfinite(v) else None for v in value],
        "y": list(names),
        "offsetgroup": metric,
        "marker": {
            "color": [colour_of(c, styles) for c in curves],
            "symbol": symbols,
            "size": 11,
        },
        "error_x": whiskers(value, low, high, color=GREY, thickness=1.6, width=5),
        "customdata": list(zip(low, high, strict=True)),
        "hovertemplate": f"%{{y}}, {score}: %{{x:.2f}} "
        "(%{customdata[0]:.2f} to %{customdata[1]:.2f})<extra></extra>",
    }
    words = [
        f"{name}, {score}: {number(v)} ({number(w)} to {number(h)})"
        for name, v, w, h in zip(names, value, low, high, strict=True)
    ]
    return trace, words


def failure_by_layer(
    table: pd.DataFrame, *, epsilon: float | None = None, height: int = 420
) -> Chart:
    """The same areas for the amplification at every layer, with their 95 % intervals as bands."""
    attacked = table[~table["attack"].isin(CONTROLS) & (table["layer"] != "network")]
    rows = select(attacked, "failure_auc_amplification", epsilon=epsilon)
    as_band = rows.assign(statistic=rows["statistic"].replace({"low": "q10", "high": "q90"}))
    chart = lines_by_layer(
        as_band,
        statistic="value",
        height=height,
        title="Predicting failure, layer by layer",
        how_to_read="Above 0.5 the amplification at that layer is larger for images whose "
        "prediction flips; the band is the 95 % interval.",
        level=(0.5, "0.5: a coin"),
    )
    return dataclasses.replace(chart, table=as_shown(rows))
