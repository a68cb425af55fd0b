"""Clean and robust accuracy of whole networks, with intervals."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dqviz.charts.axes import legend_above, note_annotation
from dqviz.charts.chart import Chart
from dqviz.charts.formulas import FORMULAS
from dqviz.charts.style import bar_marker, layout
from dqviz.charts.tidy import (
    ATTACK_NAMES,
    Curve,
    as_shown,
    collapse_note,
    curve_names,
    epsilon_text,
    read_curves,
    select,
)
from dqviz.charts.traces import colour_of, styles_of
from dqviz.specs import CONTROLS


def accuracy_bars(table: pd.DataFrame, *, epsilon: float | None = None, height: int = 430) -> Chart:
    """Clean and robust accuracy of each network and bit-width, with 95 % Wilson intervals.

    Controls are left out. `epsilon` (pixel units) is needed where the table holds several.
    """
    attacked = table[~table["attack"].isin(CONTROLS) & (table["layer"] == "network")]
    metrics = ["clean_accuracy", "robust_accuracy", "robust_accuracy_uint8"]
    rows = select(attacked, metrics, epsilon=epsilon)
    parts = {m: read_curves(rows[rows["metric"] == m]) for m in metrics}
    curves = max(parts.values(), key=len)
    names = curve_names(curves)
    note = collapse_note(any(c.collapsed for c in curves))
    data, words = [], []
    groups = {m: _group_name(m, rows) for m in metrics if parts[m]}
    for place, (curve, name) in enumerate(zip(curves, names, strict=True)):
        bars = {m: c for m in groups for c in parts[m] if _same(c, curve)}
        data.append(_bar(curve, name, bars, groups, styles_of(curves), place))
        words += [f"{name}: {_share_words(groups[m], c)}" for m, c in bars.items()]
    figure = {
        "data": data,
        "layout": layout(
            height=height,
            key="accuracy",
            hovermode="closest",
            barmode="group",
            bargap=0.25,
            bargroupgap=0.08,
            xaxis={"title": {"text": "Images (clean, or under attack)"}, "type": "category"},
            yaxis={
                "title": {"text": "Accuracy (%)"},
                "range": [0, 102],
                "automargin": True,
            },
            legend=legend_above(note, height),
            annotations=note_annotation(note),
        ),
    }
    return Chart(
        figure=go.Figure(figure),
        title="Clean and robust accuracy",
        how_to_read="Each bar is the share of images classified correctly and its whisker the 95 % "
        "interval (hatched by network, darker where quantized); overlapping whiskers alone do not "
        "say that two networks are alike.",
        formula=FORMULAS["accuracy"],
        alt=f"Bar chart of accuracies. {'; '.join(words)}.",
        table=as_shown(rows),
        note=note,
    )


def _same(one: Curve, other: Curve) -> bool:
    return (one.key, one.attack) == (other.key, other.attack)


def _group_name(metric: str, rows: pd.DataFrame) -> str:
    if metric == "clean_accuracy":
        return "clean"
    row = rows[rows["metric"] == metric].iloc[0]
    name = f"{ATTACK_NAMES.get(row['attack'], row['attack'])} {epsilon_text(row['epsilon'])}"
    return name + (", rounded to 8 bits" if metric.endswith("uint8") else "")


def _share_words(group: str, curve: Curve) -> str:
    value, low, high = (100 * curve.values(s)[0] for s in ("value", "low", "high"))
    return f"{group} {value:.1f} % ({low:.1f} to {high:.1f})"


def _bar(
    curve: Curve,
    name: str,
    bars: dict[str, Curve],
    groups: dict[str, str],
    styles: dict[str, Any],
    place: int,
) -> dict[str, Any]:
    value, low, high = (
        [100 * c.values(s)[0] for c in bars.values()] for s in ("value", "low", "high")
    )
    colour = colour_of(curve, styles)
    return {
        "type": "bar",
        "name": name,
        "x": [groups[m] for m in bars],
        "y": value,
        "offsetgroup": str(place),
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [h - v for h, v in zip(high, value, strict=True)],
            "arrayminus": [v - w for v, w in zip(value, low, strict=True)],
            "color": colour,
            "thickness": 2,
            "width": 6,
        },
        "marker": bar_marker(
            colour, styles[curve.network].hatch, curve.weight_bits, curve.act_bits
        ),
        "customdata": list(zip(low, high, strict=True)),
        "hovertemplate": f"{name}, %{{x}}: %{{y:.1f}} % "
        "(%{customdata[0]:.1f} to %{customdata[1]:.1f})<extra></extra>",
    }
