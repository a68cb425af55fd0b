"""Clean and robust accuracy of whole networks, with intervals."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from dqviz.charts.chart import Chart
from dqviz.charts.formulas import FORMULAS
from dqviz.charts.shares import bars_layout, share_bars, share_words
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
from dqviz.charts.traces import styles_of
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
        bars = {groups[m]: c for m in groups for c in parts[m] if _same(c, curve)}
        data.append(share_bars(curve, name, bars, styles_of(curves), place))
        words += [f"{name}: {share_words(group, c)}" for group, c in bars.items()]
    figure = {
        "data": data,
        "layout": bars_layout(
            key="accuracy", title="Images (clean, or under attack)", note=note, height=height
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
